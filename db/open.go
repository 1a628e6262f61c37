package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/riverqueue/river"

	"usher/billing"
)

// Limits of a pool. Idle connections are kept, so that a burst of webhooks does not have to
// connect. The maximum lifetime moves the pool to new addresses after a failover.
const (
	DefaultConnections = 10
	maxLifetime        = 30 * time.Minute
	maxIdleTime        = 10 * time.Minute
)

// Store implements [billing.Store] on PostgreSQL. It is safe for concurrent use. Its own queries
// run outside of transactions; see [Store.InTx].
type Store struct {
	queries
	db *sqlx.DB
	// pause waits before a transaction is retried; it returns ctx's error if ctx ends first.
	pause func(ctx context.Context, attempt int) error
}

var _ billing.Store = (*Store)(nil)

// queries runs statements on the pool or in a transaction.
type queries struct {
	ext  sqlx.ExtContext
	jobs *river.Client[*sql.Tx] // inserts jobs, works none
	// changes records the writes of the transaction; nil discards them.
	changes *billing.ChangeLog
	// webhooks collects the changes of the transaction; nil outside of one.
	webhooks *webhookRecorder
	// batch serves an event of a batch; nil outside of one. See [Store.InBatch].
	batch *eventBatch
}

// Record adds a line to the transaction's change log, if there is one.
func (q queries) Record(format string, args ...any) { q.changes.Record(format, args...) }

var _ billing.Tx = queries{}

// Open connects to the database of dsn (a URL or key=value pairs of lib/pq) and pings it. It sets
// defaults for application_name, connect_timeout, statement_timeout, lock_timeout,
// idle_in_transaction_session_timeout and binary_parameters. For a pooler, dsn must contain
// statement_cache=off. Open does not change the schema, see [Migrate]. No error contains dsn or its
// password.
func Open(ctx context.Context, dsn string) (*Store, error) {
	return OpenPool(ctx, dsn, DefaultConnections)
}

// OpenPool is [Open] with the number of connections that are opened at most.
func OpenPool(ctx context.Context, dsn string, connections int) (*Store, error) {
	s, err := parseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := connect(ctx, s.withTimeouts(), connections)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return newStore(pool)
}

func newStore(pool *sqlx.DB) (*Store, error) {
	jobs, err := newInsertClient(pool)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &Store{queries: queries{ext: pool, jobs: jobs}, db: pool, pause: pauseJittered}, nil
}

// Pool returns the state of the connections.
func (s *Store) Pool() billing.PoolStats {
	stats := s.db.Stats()
	return billing.PoolStats{InUse: stats.InUse, Idle: stats.Idle, Limit: stats.MaxOpenConnections, Waits: stats.WaitCount, Waited: stats.WaitDuration}
}

// connect opens a pool and pings the database.
func connect(ctx context.Context, s settings, connections int) (*sqlx.DB, error) {
	pool, err := openPool(s, connections)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, pool.DB); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("PostgreSQL at %s: %w", address(s.config), err)
	}
	return pool, nil
}

// openPool opens a pool, which connects when it is used.
func openPool(s settings, connections int) (*sqlx.DB, error) {
	connector, err := s.connector()
	if err != nil {
		return nil, errDSN
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(maxLifetime)
	pool.SetConnMaxIdleTime(maxIdleTime)
	return sqlx.NewDb(pool, "postgres"), nil
}

// check connects, and refuses a pooler that the DSN does not name: one that refuses our startup
// parameters, or ignores them.
func (s settings) check(ctx context.Context, pool *sql.DB) error {
	if s.pooler {
		return pool.PingContext(ctx)
	}
	var lockTimeout string
	err := pool.QueryRowContext(ctx, `select current_setting('lock_timeout')`).Scan(&lockTimeout)
	switch sent := s.config.Runtime["lock_timeout"]; {
	case isRefusedParameter(err):
		return errPooler
	case err == nil && lockTimeout == "0" && sent != "" && sent != "0":
		return errPooler
	}
	return err
}

func (s settings) connector() (driver.Connector, error) {
	connector, err := pq.NewConnectorConfig(s.config)
	if err != nil {
		return nil, err
	}
	if s.answer > 0 {
		connector.Dialer(answerDialer{timeout: s.answer})
	}
	switch {
	case s.pooler:
		return poolerConnector{connector, setLocal(s.local)}, nil
	case s.prepare:
		return preparingConnector{connector}, nil
	}
	return connector, nil
}

// address is the server's address for error messages.
func address(c pq.Config) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// pauseJittered waits a few milliseconds, longer with every attempt and with jitter, so that
// transactions that collided do not collide again.
func pauseJittered(ctx context.Context, attempt int) error {
	bound := time.Duration(attempt) * 20 * time.Millisecond
	timer := time.NewTimer(time.Millisecond + rand.N(bound)) // #nosec G404 -- no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DB returns the pool, for the session store and other owners of tables.
func (s *Store) DB() *sqlx.DB { return s.db }

// Close closes the pool; connections in use are closed when they become idle. A connection that is
// already broken, after a crash of PostgreSQL for example, is closed and not an error.
func (s *Store) Close() error {
	if err := s.db.Close(); !isOutage(err) {
		return err
	}
	return nil
}

// selectReadOnly is true on a standby and where default_transaction_read_only is on.
const selectReadOnly = `select current_setting('transaction_read_only')::boolean`

// Ready returns nil if the database accepts writes and every migration known to this program is
// applied. A newer schema is accepted: another replica has been updated.
func (s *Store) Ready(ctx context.Context) error {
	readOnly, err := get[bool](ctx, s.queries, "read the database's mode", selectReadOnly)
	if err != nil {
		return err
	}
	if readOnly {
		return errors.New("database ready: it is read-only, a standby for example")
	}
	current, err := s.MigrationsCurrent(ctx)
	if err != nil {
		return err
	}
	if !current {
		return fmt.Errorf("database ready: migrations are missing, run usher migrate")
	}
	return nil
}
