package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// errPooler is for a DSN without statement_cache=off whose connections go through a pooler: a
// prepared statement could be another client's.
var errPooler = errors.New("a pooler such as PgBouncer is between Usher and PostgreSQL: add statement_cache=off to DATABASE_URL")

// poolerConnector opens connections through a pooler in transaction mode, which assigns a server
// connection to each transaction. Such a pooler refuses startup parameters that it does not track
// (https://www.pgbouncer.org/config.html, ignore_startup_parameters), and a SET of one client would
// be another client's. The timeouts are therefore set at the beginning of each transaction. Outside
// of transactions the caller's context limits a statement.
type poolerConnector struct {
	driver.Connector
	begin string // set local …; set local …
}

// Connect implements [driver.Connector].
func (c poolerConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(pqConn)
	if !ok {
		return nil, errors.Join(errors.New("lib/pq's connection lacks an interface"), inner.Close())
	}
	return &poolerConn{pqConn: full, begin: c.begin}, nil
}

type poolerConn struct {
	pqConn
	begin string
}

// BeginTx implements [driver.ConnBeginTx].
func (c *poolerConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.pqConn.BeginTx(ctx, options)
	if err != nil || c.begin == "" {
		return tx, err
	}
	if _, err := c.ExecContext(ctx, c.begin, nil); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// setLocal returns the statements that set server parameters for a transaction.
func setLocal(parameters map[string]string) string {
	var statements []string
	for name, value := range parameters {
		statements = append(statements, "set local "+pq.QuoteIdentifier(name)+" = "+pq.QuoteLiteral(value))
	}
	slices.Sort(statements)
	return strings.Join(statements, "; ")
}

// isRefusedParameter reports whether a pooler refused a startup parameter. PostgreSQL names an
// unknown one with another code.
func isRefusedParameter(err error) bool {
	return hasCode(err, pqerror.ProtocolViolation) && strings.Contains(err.Error(), "startup parameter")
}
