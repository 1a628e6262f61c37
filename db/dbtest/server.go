package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lib/pq"
)

// server is the server on which one test binary creates its databases. Their names contain the
// binary's run number. A session-level advisory lock on that number, the lease, marks them as in
// use until the binary exits.
type server struct {
	dsn    string
	db     *sql.DB
	lease  *sql.Conn
	run    int32
	copies atomic.Int64

	once        sync.Once
	templateErr error
}

const (
	namePrefix    = "ushertest_"
	lockNamespace = 0x75736872 // separates these advisory locks from others
)

// openServer acquires a lease and drops databases without one.
func openServer(ctx context.Context, dsn string) (*server, error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the test server: %w", err)
	}
	s := &server{dsn: dsn, db: db}
	if s.lease, err = db.Conn(ctx); err == nil {
		err = s.acquireLease(ctx)
	}
	if err == nil {
		err = s.dropAbandoned(ctx)
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open the test server: %w", err)
	}
	return s, nil
}

func (s *server) acquireLease(ctx context.Context) error {
	for taken := false; !taken; {
		s.run = rand.Int32()
		var err error
		if taken, err = s.tryLock(ctx, s.run); err != nil {
			return fmt.Errorf("acquire a lease: %w", err)
		}
	}
	return nil
}

func (s *server) tryLock(ctx context.Context, run int32) (taken bool, err error) {
	err = s.lease.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1, $2)`, lockNamespace, run).Scan(&taken)
	return taken, err
}

func (s *server) dropAbandoned(ctx context.Context) error {
	names, err := s.testDatabases(ctx)
	if err != nil {
		return fmt.Errorf("list abandoned databases: %w", err)
	}
	for _, name := range names {
		run, ok := runNumber(name)
		if !ok || run == s.run {
			continue
		}
		if err := s.dropIfAbandoned(ctx, name, run); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) testDatabases(ctx context.Context) (names []string, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, namePrefix)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func (s *server) dropIfAbandoned(ctx context.Context, name string, run int32) error {
	abandoned, err := s.tryLock(ctx, run)
	if err != nil {
		return fmt.Errorf("list abandoned databases: %w", err)
	}
	if !abandoned {
		return nil
	}
	if err := s.drop(ctx, name); err != nil {
		return err
	}
	_, err = s.lease.ExecContext(ctx, `SELECT pg_advisory_unlock($1, $2)`, lockNamespace, run)
	return err
}

// clone copies the template and returns the name of the copy. The first call creates the template.
// Copying files takes a third of the time of the default, which writes the copy to the log; its two
// checkpoints cost little without fsync. See
// https://www.postgresql.org/docs/15/sql-createdatabase.html.
func (s *server) clone(ctx context.Context, migrate func(context.Context, string) error) (string, error) {
	s.once.Do(func() { s.templateErr = s.createTemplate(ctx, migrate) })
	if s.templateErr != nil {
		return "", fmt.Errorf("create the template: %w", s.templateErr)
	}
	name := s.databaseName(strconv.FormatInt(s.copies.Add(1), 10))
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+s.template()+" STRATEGY file_copy"); err != nil {
		return "", fmt.Errorf("copy the template: %w", err)
	}
	return name, nil
}

// createTemplate migrates the template and then refuses connections to it: PostgreSQL cannot copy a
// database with open connections, and migrate may have left some.
func (s *server) createTemplate(ctx context.Context, migrate func(context.Context, string) error) error {
	if err := s.exec(ctx, "CREATE DATABASE "+s.template()); err != nil {
		return err
	}
	if err := migrate(ctx, withDatabase(s.dsn, s.template())); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := s.exec(ctx, "ALTER DATABASE "+s.template()+" WITH ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	_, err := s.db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, s.template())
	return err
}

func (s *server) drop(ctx context.Context, name string) error {
	if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database: %w", err)
	}
	return nil
}

func (s *server) exec(ctx context.Context, statement string) error {
	_, err := s.db.ExecContext(ctx, statement)
	return err
}

func (s *server) template() string { return s.databaseName("template") }

func (s *server) databaseName(of string) string {
	return namePrefix + strconv.Itoa(int(s.run)) + "_" + of
}

// runOf returns the run number in a database's name.
func runNumber(name string) (int32, bool) {
	number, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "_")
	run, err := strconv.ParseInt(number, 10, 32)
	return int32(run), err == nil
}

// withDatabase returns dsn, a URL or key=value pairs, with another database name.
func withDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return dsn + " dbname=" + name // the last of two equal keywords applies
	}
	query := u.Query()
	query.Del("dbname")
	u.Path, u.RawQuery = "/"+name, query.Encode()
	return u.String()
}

// withConnectTimeout adds a timeout that only delays a failure: on a busy machine a new connection
// has taken more than the 5 s of production.
func withConnectTimeout(dsn string) string {
	switch {
	case strings.Contains(dsn, "connect_timeout"):
		return dsn
	case !strings.Contains(dsn, "://"):
		return dsn + " connect_timeout=60"
	case strings.Contains(dsn, "?"):
		return dsn + "&connect_timeout=60"
	}
	return dsn + "?connect_timeout=60"
}
