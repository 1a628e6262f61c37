package db

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/db/dbtest"
)

// testTime has microseconds and a zone other than UTC.
var testTime = time.Date(2026, 3, 4, 5, 6, 7, 891234000, time.FixedZone("", 5*3600+1800))

var stripeAccount = billing.StripeAccount{ID: "acct_1", Livemode: true}

// newTestStore opens a migrated database for the test. parameters are added to its DSN as name,
// value, …
func newTestStore(t testing.TB, parameters ...string) *Store {
	t.Helper()
	store, err := Open(t.Context(), withParameters(dbtest.New(t, Migrate), parameters...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// withParameters adds connection parameters to a DSN of either form.
func withParameters(dsn string, parameters ...string) string {
	for i := 0; i < len(parameters); i += 2 {
		pair := parameters[i] + "=" + parameters[i+1]
		switch {
		case !strings.Contains(dsn, "://"):
			dsn += " " + pair
		case strings.Contains(dsn, "?"):
			dsn += "&" + pair
		default:
			dsn += "?" + pair
		}
	}
	return dsn
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantEqual compares times including their location, so that any zone but UTC is a difference.
func wantEqual[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func wantNotFound(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, apperr.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

// wantConflict checks the error's code and field, and the violated constraint.
func wantConflict(t testing.TB, err error, constraint, field string) {
	t.Helper()
	var e *apperr.Error
	if !errors.As(err, &e) || e.Code != apperr.CodeConflict || e.Field != field || e.Message == "" {
		t.Fatalf("got %v, want a conflict of field %q", err, field)
	}
	wantConstraint(t, err, constraint)
}

func wantConstraint(t testing.TB, err error, constraint string) {
	t.Helper()
	var refusal *pq.Error
	if !errors.As(err, &refusal) || refusal.Constraint != constraint {
		t.Fatalf("got %v, want a refusal by %s", err, constraint)
	}
}

// wantFilled checks that a round trip covers every field: a new field without a value fails.
func wantFilled(t testing.TB, v any, except ...string) {
	t.Helper()
	value := reflect.ValueOf(v)
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		if value.Field(i).IsZero() && !slices.Contains(except, name) {
			t.Fatalf("%T.%s is not set: the round trip would not test that it is stored", v, name)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// at is testTime plus so many seconds in UTC, as the database returns it.
func at(seconds int) time.Time { return testTime.UTC().Add(time.Duration(seconds) * time.Second) }

func insertUserAndOrganization(t testing.TB, store *Store, userID, organizationID string) {
	t.Helper()
	ctx := t.Context()
	must(t, store.Users().Insert(ctx, account.User{ID: userID, Email: userID + "@example.com", Name: "Name of " + userID, CreatedAt: at(0)}))
	must(t, store.Organizations().Insert(ctx, account.Organization{ID: organizationID, Name: "Acme", CreatedAt: at(0)}))
}

func run(t testing.TB, store *Store, query string, args ...any) {
	t.Helper()
	_, err := store.db.ExecContext(context.Background(), query, args...)
	must(t, err)
}

func one[T any](t testing.TB, store *Store, query string, args ...any) T {
	t.Helper()
	var v T
	must(t, store.db.GetContext(context.Background(), &v, query, args...))
	return v
}

// utc returns the time in UTC, as the database returns it.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return ptr(t.UTC())
}
