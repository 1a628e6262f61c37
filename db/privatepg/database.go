package privatepg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

const databaseName = "usher"

// errEnded says that the server ended before its database answered.
var errEnded = errors.New("postgres ended while it started")

func dsn(socketFolder, database string) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return fmt.Sprintf("host='%s' port=%s user=%s dbname='%s' sslmode=disable", quote.Replace(socketFolder), port, superuser, quote.Replace(database))
}

// awaitDatabase returns when the program's database answers, making it where
// it is missing. A server that recovers from a crash is waited for as long as
// ctx allows.
func (c *cluster) awaitDatabase(ctx context.Context, socketFolder string, process *leashed) error {
	for !c.isReady(process.cmd.Process.Pid) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-process.done:
			return errEnded
		case <-time.After(pollEvery):
		}
	}
	if err := openDatabase(ctx, socketFolder); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// isReady reads the postmaster's state where pg_ctl reads it too: the eighth
// line of the pid file (miscadmin.h, LOCK_FILE_LINE_PM_STATUS). Knocking at
// the socket instead would fill the log and slow the start.
func (c *cluster) isReady(pid int) bool {
	text, err := os.ReadFile(c.pidFile())
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > 7 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func openDatabase(ctx context.Context, socketFolder string) error {
	err := execute(ctx, dsn(socketFolder, databaseName), "SELECT 1")
	if pq.As(err, pqerror.InvalidCatalogName) == nil {
		return err
	}
	if err := execute(ctx, dsn(socketFolder, "postgres"), "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return execute(ctx, dsn(socketFolder, databaseName), "SELECT 1")
}

func execute(ctx context.Context, dsn, statement string) error {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
