package db

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"
)

// River has its own migrations. Each step to a newer schema of River is a Go migration of Usher, so
// that there is one order, one lock and one record of applied migrations.
const (
	riverMigration = 11 // Usher's version of the first step
	riverSchema    = 7  // River's version after it
)

// goMigrations are the migrations that are not SQL files.
func goMigrations() []*goose.Migration {
	return []*goose.Migration{
		goose.NewGoMigration(riverMigration,
			&goose.GoFunc{RunDB: migrateRiver(rivermigrate.DirectionUp, riverSchema)},
			&goose.GoFunc{RunDB: migrateRiver(rivermigrate.DirectionDown, -1)}),
	}
}

// migrateRiver runs outside a transaction: each of River's steps has its own.
func migrateRiver(direction rivermigrate.Direction, target int) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, pool *sql.DB) error {
		migrator, err := rivermigrate.New(riverdatabasesql.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return fmt.Errorf("migrate the queue: %w", err)
		}
		if _, err := migrator.Migrate(ctx, direction, &rivermigrate.MigrateOpts{TargetVersion: target}); err != nil {
			return fmt.Errorf("migrate the queue: %w", err)
		}
		return nil
	}
}
