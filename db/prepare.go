package db

import (
	"context"
	"database/sql/driver"
	"strings"

	"github.com/lib/pq/pqerror"
)

// maxPrepared limits the prepared statements of a connection. Package db has fewer constant
// statements; statements beyond the limit run unprepared.
const maxPrepared = 256

// unprepared begins a statement whose text depends on its conditions: it is planned each time, and
// takes no place among the prepared ones.
const unprepared = "/* varies */ "

// preparingConnector opens connections that prepare every statement with parameters at its first
// use, inside and outside of transactions. This saves parsing and planning, which cost more than
// running a short statement. The statements belong to the connection, unlike those of database/sql,
// which may need a second connection to prepare a statement for a transaction and can so deadlock
// the pool.
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
	if !ok { // works, but without prepared statements
		return inner, nil
	}
	return &preparingConn{pqConn: full, prepared: map[string]pqStmt{}}, nil
}

// pqConn lists all interfaces that database/sql uses of a lib/pq connection; a wrapper that hid one
// of them would silently lose a feature.
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

// preparingConn is used by one goroutine at a time, as database/sql guarantees.
type preparingConn struct {
	pqConn
	prepared map[string]pqStmt
	demoted  bool // the server has become a standby
}

// IsValid implements [driver.Validator]. A connection to a server that has become a standby is
// closed: the next one finds the new primary, by the DSN's hosts or by the balancer between.
func (c *preparingConn) IsValid() bool { return !c.demoted && c.pqConn.IsValid() }

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
	c.learn(query, err)
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
	c.learn(query, err)
	return rows, err
}

// statement returns the prepared statement of a query, or nil if it has to run unprepared. Without
// parameters lib/pq uses the simple protocol, which also accepts several statements at once.
func (c *preparingConn) statement(ctx context.Context, query string, args []driver.NamedValue) (pqStmt, error) {
	if stmt, ok := c.prepared[query]; ok {
		return stmt, nil
	}
	if len(args) == 0 || len(c.prepared) >= maxPrepared || strings.HasPrefix(query, unprepared) {
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

// learn notes what an error says about the connection. A statement that the server can no longer
// run, because a migration changed its result type or the session was reset, is prepared again at
// its next use.
func (c *preparingConn) learn(query string, err error) {
	if hasCode(err, pqerror.FeatureNotSupported, pqerror.InvalidSQLStatementName) {
		delete(c.prepared, query)
	}
	c.demoted = c.demoted || hasCode(err, pqerror.ReadOnlySQLTransaction)
}
