package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"usher/db"
	"usher/db/privatepg"
)

// database is the configured PostgreSQL or a private one.
type database struct {
	dsn     string
	private bool
	done    <-chan struct{} // closed if a private PostgreSQL ends by itself; nil without one
}

// openDatabase returns the configured database, or starts a private PostgreSQL in DATA_DIR.
func openDatabase(
	ctx context.Context, c Config, log *slog.Logger, closers *closers,
) (database, error) {
	if c.DatabaseURL != "" {
		return database{dsn: c.DatabaseURL}, nil
	}
	server, err := privatepg.Start(ctx, privatepg.Options{DataDir: c.DataDir, Log: log})
	if err != nil {
		return database{}, err
	}
	closers.add("private PostgreSQL", server.Stop)
	return database{dsn: server.DSN(), private: true, done: server.Done()}, nil
}

// openStore applies the migrations and opens a connection pool.
func openStore(ctx context.Context, c Config, dsn string, closers *closers) (*db.Store, error) {
	if err := db.Migrate(ctx, cmp.Or(c.MigrateURL, dsn)); err != nil {
		return nil, err
	}
	store, err := db.OpenPool(ctx, dsn, c.Connections)
	if err != nil {
		return nil, err
	}
	closers.add("database pool", func(context.Context) error { return store.Close() })
	return store, nil
}

// privateDatabaseFile contains the DSN of the private PostgreSQL while it runs.
func privateDatabaseFile(c Config) string { return filepath.Join(c.DataDir, "postgres.dsn") }

// findDatabase returns the DSN of the configured database, or of the private PostgreSQL of a
// running server.
func findDatabase(c Config) (dsn string, err error) {
	if c.DatabaseURL != "" {
		return c.DatabaseURL, nil
	}
	dsn, err = readAddressFile(privateDatabaseFile(c))
	return dsn, notRunningError(err, "DATABASE_URL", "private PostgreSQL", c)
}

// publishPrivateDatabase writes the DSN to DATA_DIR, where subcommands find it.
func publishPrivateDatabase(c Config, dsn string, closers *closers) error {
	if err := writeAddressFile(privateDatabaseFile(c), dsn, closers); err != nil {
		return fmt.Errorf("publish the private PostgreSQL's address: %w", err)
	}
	return nil
}
