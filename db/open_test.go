package db

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/lib/pq/pqerror"

	"usher/billing"
)

func TestParseDSN(t *testing.T) {
	for name, tc := range map[string]struct {
		dsn    string
		binary bool
		pooler bool
	}{
		"url":                    {"postgres://u@localhost/usher", true, false},
		"url with parameters":    {"postgresql://u@localhost/usher?sslmode=disable", true, false},
		"pairs":                  {"host=localhost user=u dbname=usher", true, false},
		"url, binary said":       {"postgres://u@localhost/usher?binary_parameters=no", false, false},
		"pairs, binary said":     {"host=localhost user=u binary_parameters=no", false, false},
		"url, without the cache": {"postgres://u@localhost/usher?statement_cache=off", true, true},
		"binary said, without":   {"user=u statement_cache=off binary_parameters=no", true, true},
		"pairs, without":         {"user=u statement_cache=off", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parseDSN(tc.dsn)
			must(t, err)
			wantEqual(t, s.config.BinaryParameters, tc.binary)
			wantEqual(t, s.pooler, tc.pooler)
			wantEqual(t, len(s.config.Runtime), 0) // the server would reject Usher's own parameter
		})
	}
}

func TestServerUnverified(t *testing.T) {
	for dsn, unverified := range map[string]bool{
		"postgres://u@db.example.com/usher":                     true, // require, which looks at no certificate
		"postgres://u@db.example.com/usher?sslmode=require":     true,
		"postgres://u@db.example.com/usher?sslmode=disable":     true,
		"host=/run/postgresql,db.example.com user=u":            true,
		"host=localhost hostaddr=192.0.2.7 user=u":              true,
		"postgres://u@db.example.com/usher?sslmode=verify-full": false,
		"postgres://u@db.example.com/usher?sslmode=verify-ca":   false,
		"host=db.example.com sslmode=verify-full user=u":        false,
		"postgres://u@localhost/usher":                          false,
		"postgres://u@127.0.0.1/usher?sslmode=disable":          false,
		"postgres://u@[::1]/usher":                              false,
		"host=/run/postgresql user=u":                           false,
		"postgres://db.example.com:invalid":                     false, // Open says what is wrong
	} {
		if got := ServerUnverified(dsn); got != unverified {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}

func TestConnectionDefaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parameters []string
		want       []string
	}{
		"defaults": {nil, []string{"usher", "10s", "5s", "30s"}},
		"said": {
			[]string{"application_name", "worker", "statement_timeout", "1234ms", "lock_timeout", "2s",
				"idle_in_transaction_session_timeout", "3s"},
			[]string{"worker", "1234ms", "2s", "3s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newTestStore(t, tc.parameters...)
			var got []string
			for _, parameter := range []string{
				"application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
			} {
				got = append(got, one[string](t, store, "show "+parameter))
			}
			wantEqual(t, got, tc.want)
		})
	}
}

func TestOptionsOfTheDSNOverrideDefaults(t *testing.T) {
	s, err := parseDSN("user=u options='-c statement_timeout=99s'")
	must(t, err)
	s = s.withTimeouts()
	wantEqual(t, s.config.Runtime["statement_timeout"], "")
	wantEqual(t, s.config.Runtime["lock_timeout"], lockTimeout)
}

func TestNoErrorContainsThePassword(t *testing.T) {
	t.Parallel()
	closed := closedPort(t)
	for name, dsn := range map[string]string{
		"server down":          "postgres://u:s3cret@" + closed + "/usher?sslmode=disable",
		"bad port":             "postgres://u:s3cret@localhost:x/usher",
		"unescaped # in it":    "postgres://u:s3cret#1@localhost/usher",
		"unescaped % in it":    "postgres://u:s3cret%zz@localhost/usher",
		"unescaped @ and port": "postgres://u:s3cret:s3cret@localhost:5432/usher",
		"space in it":          "host=localhost password=my s3cret",
		"open quote":           "host=localhost password='s3cret",
		"bad sslmode":          "host=localhost password=s3cret sslmode=s3cret",
	} {
		t.Run(name, func(t *testing.T) {
			for operation, open := range map[string]func(context.Context, string) error{
				"open":    func(ctx context.Context, dsn string) error { _, err := Open(ctx, dsn); return err },
				"migrate": Migrate,
			} {
				err := open(t.Context(), dsn)
				if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), operation) {
					t.Errorf("%s: %v", operation, err)
				}
			}
		})
	}
}

func TestOpenErrorNamesTheAddress(t *testing.T) {
	t.Parallel()
	closed := closedPort(t)
	_, err := Open(t.Context(), "postgres://u@"+closed+"/usher?sslmode=disable")
	if err == nil || !strings.Contains(err.Error(), closed) {
		t.Fatalf("got %v, want an error that names %s", err, closed)
	}
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "statement_timeout", "50ms", "lock_timeout", "20ms"), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	err := store.exec(ctx, "sleep", `select pg_sleep($1)`, 60)
	wantEqual(t, hasCode(err, pqerror.QueryCanceled), true)
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil {
			return err
		}
		_, err := store.Organizations().Lock(ctx, "org_1")
		wantEqual(t, hasCode(err, pqerror.LockNotAvailable), true)
		return nil
	}))
}

// A canceled query is a server error; the caller must find its own ctx error in it.
func TestErrorWrapsCanceledCtx(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error)
	go func() { started <- store.exec(ctx, "sleep", `select pg_sleep($1)`, 60) }()
	for one[int](t, store, `select count(*) from pg_stat_activity where query like 'select pg_sleep%'
		and state = 'active' and datname = current_database()`) == 0 {
	}
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
