package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
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

// Bounds of the pool. Idle connections are all kept: a burst of webhooks must not pay for connecting. The lifetime lets a pool move
// on after a failover or a change of addresses.
const (
	maxConnections = 10
	maxLifetime    = 30 * time.Minute
	maxIdleTime    = 10 * time.Minute
)

// Store is Usher's state in PostgreSQL. It is safe for concurrent use. Its own queries run outside any transaction; see [Store.InTx].
type Store struct {
	queries
	db *sqlx.DB
	// pause waits before a transaction is run again; it returns ctx's error where ctx ends first.
	pause func(ctx context.Context, attempt int) error
}

var _ billing.Store = (*Store)(nil)

// queries are the statements, on the pool or within a transaction.
type queries struct {
	ext    sqlx.ExtContext
	alarms *river.Client[*sql.Tx] // sets alarms and works on none
	// changes records what the transaction writes; nil: nothing does.
	changes *billing.ChangeLog
}

// Record adds a line to the transaction's change log, if it has one.
func (q queries) Record(format string, args ...any) { q.changes.Record(format, args...) }

var _ billing.Tx = queries{}

// Open connects to the database that dsn (a URL or key=value pairs, as lib/pq reads them) names and makes sure that it answers. What
// dsn does not say is filled in: application_name, connect_timeout, statement_timeout, lock_timeout,
// idle_in_transaction_session_timeout and binary_parameters. Behind a pooler that knows no prepared statements, dsn has to say
// statement_cache=off. The schema is not touched, see [Migrate]. No error holds dsn or its password.
func Open(ctx context.Context, dsn string) (*Store, error) {
	s, err := parseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := connect(ctx, s.withTimeouts())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return newStore(pool)
}

func newStore(pool *sqlx.DB) (*Store, error) {
	alarms, err := newAlarmClient(pool)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &Store{queries: queries{ext: pool, alarms: alarms}, db: pool, pause: pauseJittered}, nil
}

// connect opens a pool and makes sure that a first connection can be had.
func connect(ctx context.Context, s settings) (*sqlx.DB, error) {
	connector, err := s.connector()
	if err != nil {
		return nil, errDSN
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxLifetime(maxLifetime)
	pool.SetConnMaxIdleTime(maxIdleTime)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("PostgreSQL at %s: %w", address(s.config), err)
	}
	return sqlx.NewDb(pool, "postgres"), nil
}

func (s settings) connector() (driver.Connector, error) {
	connector, err := pq.NewConnectorConfig(s.config)
	if err != nil {
		return nil, err
	}
	if !s.cache {
		return connector, nil
	}
	return preparingConnector{connector}, nil
}

// address names a server for people.
func address(c pq.Config) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// pauseJittered waits a few milliseconds, longer with every attempt and different for everybody, so that those who collided do not
// collide again.
func pauseJittered(ctx context.Context, attempt int) error {
	bound := time.Duration(attempt) * 20 * time.Millisecond
	timer := time.NewTimer(time.Millisecond + rand.N(bound))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DB returns the pool, for the session store and what else keeps tables of its own.
func (s *Store) DB() *sqlx.DB { return s.db }

// Close closes every connection of the pool once it is idle.
func (s *Store) Close() error { return s.db.Close() }

// Ready returns nil where the database answers and its schema has every migration this program knows. A schema that is further on
// is fine: another replica is newer.
func (s *Store) Ready(ctx context.Context) error {
	current, err := s.MigrationsCurrent(ctx)
	if err != nil {
		return err
	}
	if !current {
		return fmt.Errorf("database ready: migrations are missing, run usher migrate")
	}
	return nil
}
