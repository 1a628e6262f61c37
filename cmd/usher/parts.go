package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"

	"usher/db"
	"usher/db/privatepg"
)

// parts are the things that were started, ended in the opposite order.
type parts struct {
	log  *slog.Logger
	ends []part
	lost <-chan struct{} // closed when the private PostgreSQL ends by itself; nil without one
}

type part struct {
	name string
	end  func(context.Context) error
}

func (p *parts) add(name string, end func(context.Context) error) {
	p.ends = append(p.ends, part{name, end})
}

// goUntil runs do in the background; ending the part calls stop and waits for do.
func (p *parts) goUntil(name string, stop func(), do func() error) {
	done := make(chan error, 1)
	go func() { done <- do() }()
	p.add(name, func(ctx context.Context) error {
		stop()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// stop ends every part, each within the drain's bound.
func (p *parts) stop() error {
	var problems []error
	for _, part := range slices.Backward(p.ends) {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		if err := part.end(ctx); err != nil {
			problems = append(problems, fmt.Errorf("stop %s: %w", part.name, err))
		}
		cancel()
	}
	return errors.Join(problems...)
}

// openDatabase returns the DSN that is configured, or that of a private PostgreSQL it starts.
func openDatabase(ctx context.Context, c Config, started *parts) (dsn string, private bool, err error) {
	if c.DatabaseURL != "" {
		return c.DatabaseURL, false, nil
	}
	server, err := privatepg.Start(ctx, privatepg.Options{DataDir: c.DataDir, Log: started.log})
	if err != nil {
		return "", false, err
	}
	started.add("private PostgreSQL", server.Stop)
	started.lost = server.Done()
	return server.DSN(), true, nil
}

// openStore brings the schema up to date and opens the pool.
func openStore(ctx context.Context, dsn string, started *parts) (*db.Store, error) {
	if err := db.Migrate(ctx, dsn); err != nil {
		return nil, err
	}
	store, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	started.add("database pool", func(context.Context) error { return store.Close() })
	return store, nil
}

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
