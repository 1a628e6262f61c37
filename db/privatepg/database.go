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

// errServerExited is the error for a server that exited before its database accepted connections.
var errServerExited = errors.New("postgres exited during startup")

// connectTimeout is long: no other server could be tried, and a busy machine may need many seconds
// to start a server process. A server that is not there refuses connections at once.
const connectTimeout = time.Minute

func dsn(socketDir, database string) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return fmt.Sprintf("host='%s' port=%s user=%s dbname='%s' sslmode=disable connect_timeout=%d",
		quote.Replace(socketDir), port, superuser, quote.Replace(database), int(connectTimeout.Seconds()))
}

// waitForDatabase returns when the program's database accepts connections. It creates the database
// if it is missing. Crash recovery may take as long as ctx allows.
func (c *cluster) waitForDatabase(ctx context.Context, socketDir string, process *supervisedProcess) error {
	for !c.isReady(process.cmd.Process.Pid) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-process.done:
			return errServerExited
		case <-time.After(pollInterval):
		}
	}
	if err := openDatabase(ctx, socketDir); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// isReady reads the postmaster's state from line 8 of the pid file, as pg_ctl does (miscadmin.h,
// LOCK_FILE_LINE_PM_STATUS). Polling the socket would fill the log and slow the start.
func (c *cluster) isReady(pid int) bool {
	text, err := os.ReadFile(c.pidFile())
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > 7 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func openDatabase(ctx context.Context, socketDir string) error {
	err := execute(ctx, dsn(socketDir, databaseName), "SELECT 1")
	if pq.As(err, pqerror.InvalidCatalogName) == nil {
		return err
	}
	if err := execute(ctx, dsn(socketDir, "postgres"), "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return execute(ctx, dsn(socketDir, databaseName), "SELECT 1")
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
