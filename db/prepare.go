package db

import (
	"context"
	"database/sql/driver"

	"github.com/lib/pq/pqerror"
)

// maxPrepared bounds the prepared statements of a connection. Package db has a few dozen constant queries; whatever comes beyond the
// bound runs unprepared.
const maxPrepared = 256

// preparingConnector opens connections that prepare every statement with parameters once and run it prepared from then on, within
// transactions and outside. It saves the server parsing and planning, which cost more than running a short statement does. The
// statements belong to the connection, unlike those of database/sql, which may need a second connection to prepare one for a
// transaction, and so can lock up a pool.
type preparingConnector struct {
	driver.Connector
}

// Connect implements [driver.Connector].
func (c preparingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(pqConn)
	if !ok { // still a connection, only slower
		return inner, nil
	}
	return &preparingConn{pqConn: full, prepared: map[string]pqStmt{}}, nil
}

// pqConn is all that database/sql may ask of a connection of lib/pq; a wrapper that hid some of it would lose features silently.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparingConn is used by one goroutine at a time, as database/sql promises.
type preparingConn struct {
	pqConn
	prepared map[string]pqStmt
}

// ExecContext implements [driver.ExecerContext].
func (c *preparingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := c.statement(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return c.pqConn.ExecContext(ctx, query, args)
	}
	result, err := stmt.ExecContext(ctx, args)
	c.forgetStale(query, err)
	return result, err
}

// QueryContext implements [driver.QueryerContext].
func (c *preparingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.statement(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return c.pqConn.QueryContext(ctx, query, args)
	}
	rows, err := stmt.QueryContext(ctx, args)
	c.forgetStale(query, err)
	return rows, err
}

// statement returns the prepared statement of a query, nil where it is to be run as it is: without parameters lib/pq has a simpler
// way, which also takes several statements at once.
func (c *preparingConn) statement(ctx context.Context, query string, args []driver.NamedValue) (pqStmt, error) {
	if stmt, ok := c.prepared[query]; ok {
		return stmt, nil
	}
	if len(args) == 0 || len(c.prepared) >= maxPrepared {
		return nil, nil
	}
	inner, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := inner.(pqStmt)
	if !ok {
		return nil, inner.Close()
	}
	c.prepared[query] = stmt
	return stmt, nil
}

// forgetStale drops a statement that the server refuses to run again: a migration changed what it returns, or the session was reset.
// The next use prepares it anew.
func (c *preparingConn) forgetStale(query string, err error) {
	if hasCode(err, pqerror.FeatureNotSupported, pqerror.InvalidSQLStatementName) {
		delete(c.prepared, query)
	}
}
