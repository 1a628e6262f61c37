package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// How long a replica waits for another one to migrate: 300 tries, one second apart, the minimum of
// goose.
const (
	migrationLockPeriod = 1
	migrationLockTries  = 300
)

// Migrate applies all pending migrations to the database of dsn. Any number of replicas may call it
// concurrently: one migrates, the others wait. Only ctx limits the time of a statement;
// lock_timeout limits its wait for a table in use.
func Migrate(ctx context.Context, dsn string) error {
	s, err := parseDSN(dsn)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	s.prepare = false // every statement runs only once
	s.setDefault("lock_timeout", lockTimeout)
	pool, err := connect(ctx, s, DefaultConnections)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { _ = pool.Close() }()
	return migrateUp(ctx, pool, s.pooler)
}

func migrateUp(ctx context.Context, pool *sqlx.DB, pooler bool) error {
	// Usually nothing is pending, and no lock is needed.
	if current, err := migrationsCurrent(ctx, queries{ext: pool}); err != nil || current {
		return err
	}
	locking, err := migrationLock(pooler)
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	provider, err := newProvider(pool.DB, locking)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// migrationLock keeps replicas from migrating at the same time. The lock belongs to the database
// session, so that the exit of a process releases it; through a pooler it is a row with a lease. It
// is polled, since a waiting statement would block concurrent index builds.
func migrationLock(pooler bool) (goose.ProviderOption, error) {
	if pooler {
		locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(migrationLockPeriod*time.Second, migrationLockTries))
		return goose.WithLocker(locker), err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationLockPeriod, migrationLockTries))
	return goose.WithSessionLocker(locker), err
}

// newProvider returns goose's provider of the embedded migrations.
func newProvider(pool *sql.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("embedded migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files,
		append(options, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(goMigrations()...))...)
	if err != nil {
		return nil, fmt.Errorf("embedded migrations: %w", err)
	}
	return provider, nil
}

const countMigrations = `select count(distinct version_id) from goose_db_version where is_applied and version_id = any($1)`

// MigrationsCurrent reports whether every migration known to this program is applied. It only
// reads.
func (s *Store) MigrationsCurrent(ctx context.Context) (bool, error) {
	return migrationsCurrent(ctx, s.queries)
}

func migrationsCurrent(ctx context.Context, q queries) (bool, error) {
	known, err := knownMigrations()
	if err != nil {
		return false, err
	}
	applied, err := get[int](ctx, q, "read migrations", countMigrations, pq.Array(known))
	if hasCode(err, pqerror.UndefinedTable) {
		return false, nil
	}
	return err == nil && applied == len(known), err
}

// knownMigrations lists the versions of all migrations.
func knownMigrations() ([]int64, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("embedded migrations: %w", err)
	}
	versions := make([]int64, 0, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("embedded migrations: %s: %w", name, err)
		}
		versions = append(versions, version)
	}
	for _, migration := range goMigrations() {
		versions = append(versions, migration.Version)
	}
	return versions, nil
}
