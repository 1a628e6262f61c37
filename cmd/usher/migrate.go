package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"usher/db"
)

func runMigrate(ctx context.Context, inv *invocation) (err error) {
	if err := inv.parseFlags(); err != nil {
		return err
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if config.Production {
		if err := config.require("required in production", "DATABASE_URL"); err != nil {
			return err
		}
	}
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()
	database, err := openDatabase(ctx, config, newLogger(inv.stderr, config), &closers)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, cmp.Or(config.MigrateURL, database.dsn)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(inv.stdout, "The schema is up to date.")
	return err
}
