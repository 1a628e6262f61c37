package db

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"

	"usher/billing"
	"usher/billing/apperr"
	"usher/db/dbtest"
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

// The connections that a crash has ended do not make the end of a process an error.
func TestCloseAfterCrash(t *testing.T) {
	t.Parallel()
	dsn := dbtest.New(t, Migrate)
	store, err := Open(t.Context(), dsn)
	must(t, err)
	other, err := Open(t.Context(), dsn)
	must(t, err)
	defer other.Close()
	_, err = other.DB().Exec(`select pg_terminate_backend(pid, 10000) from pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid()`) // with the timeout, it waits for the end
	must(t, err)
	if err := store.Close(); err != nil {
		t.Errorf("close after the end of its connections: %v", err)
	}
}

// A DSN may name several servers, in both forms; the one that accepts writes is used.
func TestSeveralHosts(t *testing.T) {
	t.Parallel()
	dsn := dbtest.New(t, Migrate)
	config, err := pq.NewConfig(dsn)
	must(t, err)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	down := closed.Addr().(*net.TCPAddr).Port
	must(t, closed.Close())
	user := url.UserPassword(config.User, config.Password)
	for form, dsn := range map[string]string{
		"keys": fmt.Sprintf("host='127.0.0.1,%s' port=%d,%d user=%s password='%s' dbname=%s sslmode=disable target_session_attrs=read-write",
			config.Host, down, config.Port, config.User, config.Password, config.Database),
		"url": fmt.Sprintf("postgres://%s@/%s?host=127.0.0.1,%s&port=%d,%d&sslmode=disable&target_session_attrs=read-write",
			user, config.Database, url.QueryEscape(config.Host), down, config.Port),
	} {
		store, err := Open(t.Context(), dsn)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		must(t, store.Ready(t.Context()))
		must(t, store.Close())
	}
}

// Several hosts in the form of libpq, with the ports beside them.
func TestSeveralHostsBesideTheirPorts(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://usher:p%2Fw@one.internal:5433,two.internal/usher?sslmode=disable": "one.internal:5433 two.internal:5432 usher p/w usher",
		"postgresql://usher@[2001:db8::1]:5433,[2001:db8::2]/usher":                   "2001:db8::1:5433 2001:db8::2:5432 usher  usher",
		"postgres://usher:a,b@one.internal:5433/usher":                                "one.internal:5433 usher a,b usher",
		"host=one.internal,two.internal port=5433,5434 user=usher dbname=usher":       "one.internal:5433 two.internal:5434 usher  usher",
	} {
		s, err := parseDSN(dsn)
		must(t, err)
		got := fmt.Sprintf("%s:%d ", s.config.Host, s.config.Port)
		for _, more := range s.config.Multi {
			got += fmt.Sprintf("%s:%d ", more.Host, more.Port)
		}
		if got += s.config.User + " " + s.config.Password + " " + s.config.Database; got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}

// After a failover a connection may lead to a server that only reads. It is not used again.
func TestConnectionToAStandbyIsClosed(t *testing.T) {
	t.Parallel()
	store, err := OpenPool(t.Context(), dbtest.New(t, Migrate), 1)
	must(t, err)
	defer store.Close()
	must(t, store.exec(t.Context(), "become a standby", `set default_transaction_read_only = on`))
	remove := func() error {
		return store.exec(t.Context(), "delete", `delete from rate_limits where key = $1`, "none")
	}
	if err := remove(); apperr.CodeOf(err) != apperr.CodeUnavailable {
		t.Fatalf("on a standby: %v", err)
	}
	if err := remove(); err != nil {
		t.Errorf("on the next connection: %v", err)
	}
}

// A server that hangs in the middle of a statement does not keep the caller waiting.
func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	server, err := pq.NewConfig(dbtest.New(t, Migrate))
	must(t, err)
	proxy, hang := newHangingProxy(t, server)
	s, err := parseDSN(fmt.Sprintf("host=127.0.0.1 port=%d user=%s password='%s' dbname=%s sslmode=disable", proxy, server.User, server.Password, server.Database))
	must(t, err)
	s = s.withTimeouts()
	if s.answer != answerTimeout {
		t.Errorf("the server may be silent for %s", s.answer)
	}
	s.answer = time.Second
	pool, err := connect(t.Context(), s, DefaultConnections)
	must(t, err)
	defer pool.Close()
	store, err := newStore(pool)
	must(t, err)
	hang()
	if _, err := store.Users().Get(t.Context(), "usr_1"); apperr.CodeOf(err) != apperr.CodeUnavailable {
		t.Errorf("code %s: %v", apperr.CodeOf(err), err)
	}
}

// newHangingProxy returns the port of a proxy of a server, and what makes it forward nothing more
// from the server.
func newHangingProxy(t *testing.T, server pq.Config) (port int, hang func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	network, address := "tcp", net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port)))
	if strings.HasPrefix(server.Host, "/") {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", server.Host, server.Port)
	}
	var hanging atomic.Bool
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			t.Cleanup(func() { _, _ = client.Close(), backend.Close() })
			go func() { _, _ = io.Copy(backend, client) }()
			go func() {
				buffer := make([]byte, 64<<10)
				for {
					n, err := backend.Read(buffer)
					if err != nil {
						return
					}
					if !hanging.Load() {
						_, _ = client.Write(buffer[:n])
					}
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() { hanging.Store(true) }
}
