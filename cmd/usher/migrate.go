package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"usher/db"
)

func migrateCommand() command {
	return command{
		name: "migrate", summary: "bring the database's schema up to date", usage: "",
		prepare: func(*flag.FlagSet) func(context.Context, program, []string) error {
			return func(ctx context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return migrate(ctx, p)
			}
		},
	}
}

func migrate(ctx context.Context, p program) (err error) {
	config, err := loadConfig(p.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if config.Production {
		if err := config.require("this subcommand needs it", "DATABASE_URL"); err != nil {
			return err
		}
	}
	started := &parts{log: newLogger(p.stderr, config)}
	defer func() { err = errors.Join(err, started.stop()) }()
	dsn, _, err := openDatabase(ctx, config, started)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, dsn); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "The schema is up to date.")
	return err
}
