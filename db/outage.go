package db

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"usher/billing/apperr"
)

// outageRetryAfter is when a client may try again. A failover takes seconds to half a minute.
const outageRetryAfter = 5 * time.Second

// outage returns an error that says that the database can't be used at present, if err means that.
// Whether a transaction was committed whose connection broke is not known, so that the message does
// not promise that nothing was changed.
func outage(err error) error {
	if !isOutage(err) {
		return err
	}
	return &apperr.Error{
		Code: apperr.CodeUnavailable, RetryAfter: outageRetryAfter, Err: err,
		Message: "Usher can't reach its database right now. Please try again in a moment.",
	}
}

// isOutage reports whether the connection failed, or the server ends, starts, has no connection
// left or is a standby after a failover
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func isOutage(err error) bool {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) {
		return true
	}
	var failed *pq.Error
	return errors.As(err, &failed) && (failed.Code.Class() == "08" || hasCode(err, pqerror.AdminShutdown, pqerror.CrashShutdown,
		pqerror.CannotConnectNow, pqerror.TooManyConnections, pqerror.ReadOnlySQLTransaction))
}
