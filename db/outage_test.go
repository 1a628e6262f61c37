package db

import (
	"context"
	"net"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
)

// What an outage or a failover causes is temporary: the response says when to try again.
func TestOutageIsTemporary(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	inTx := func(statements ...string) error {
		return store.InTx(t.Context(), func(tx billing.Tx) error {
			for _, statement := range statements {
				if err := tx.(queries).exec(t.Context(), "test", statement); err != nil {
					return err
				}
			}
			return nil
		})
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := closed.Addr().String()
	must(t, closed.Close())
	_, refused := Open(t.Context(), "postgres://usher@"+address+"/usher?sslmode=disable")
	for cause, err := range map[string]error{
		"the connection is refused": outage(refused),
		"the server ends it":        inTx(`select pg_terminate_backend(pg_backend_pid())`),
		"it has become a standby":   inTx(`set transaction read only`, `delete from roles`),
	} {
		if apperr.CodeOf(err) != apperr.CodeUnavailable || apperr.RetryAfterOf(err) != outageRetryAfter {
			t.Errorf("%s: code %s, retry after %s: %v", cause, apperr.CodeOf(err), apperr.RetryAfterOf(err), err)
		}
	}
	if err := inTx(`select 1 / 0`); apperr.CodeOf(err) != apperr.CodeInternal {
		t.Errorf("a division by zero has code %s", apperr.CodeOf(err))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if _, err := store.Users().Get(ctx, "usr_1"); apperr.CodeOf(err) != apperr.CodeInternal {
		t.Errorf("a request that gave up has code %s", apperr.CodeOf(err))
	}
}
