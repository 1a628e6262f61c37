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

// River brings migrations of its own. Each step to a newer schema of River is one of ours, so that there is one order, one lock and one
// record of what is applied.
const (
	riverMigration = 11 // ours, the first step
	riverSchema    = 7  // River's, after it
)

// goMigrations are the migrations that are not SQL files.
func goMigrations() []*goose.Migration {
	return []*goose.Migration{
		goose.NewGoMigration(riverMigration,
			&goose.GoFunc{RunDB: migrateRiver(rivermigrate.DirectionUp, riverSchema)},
			&goose.GoFunc{RunDB: migrateRiver(rivermigrate.DirectionDown, -1)}),
	}
}

// migrateRiver does not run in a transaction: River's steps need one each.
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
