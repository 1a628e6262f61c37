package db

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq/pqerror"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// raise makes the transaction fail with a code.
func raise(ctx context.Context, q billing.Tx, code string) error {
	ext := q.(queries).ext.(*sqlx.Tx)
	_, err := ext.ExecContext(ctx, `do $$ begin raise exception 'x' using errcode = '`+code+`'; end $$`)
	return wrap(ctx, "raise", err)
}

func organizations(t *testing.T, store *Store) int {
	t.Helper()
	return one[int](t, store, `select count(*) from organizations`)
}

func TestInTxCommits(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		return tx.Organizations().Insert(ctx, account.Organization{ID: "org_1", CreatedAt: at(0)})
	}))
	wantEqual(t, organizations(t, store), 1)
}

func TestInTxIsReadCommitted(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "default_transaction_isolation", "serializable"), t.Context()
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Get(ctx, "org_1"); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		must(t, store.Organizations().Insert(ctx, account.Organization{ID: "org_1", CreatedAt: at(0)}))
		_, err := tx.Organizations().Get(ctx, "org_1")
		return err
	}))
}

func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	failure := errors.New("rule broken")
	for name, tc := range map[string]struct {
		end  func(cancel context.CancelFunc) error
		want error
	}{
		"on an error":      {func(context.CancelFunc) error { return failure }, failure},
		"on a panic":       {func(context.CancelFunc) error { panic(failure) }, failure},
		"when ctx is over": {func(cancel context.CancelFunc) error { cancel(); return nil }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newTestStore(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := recovered(func() error {
				return store.InTx(ctx, func(tx billing.Tx) error {
					must(t, tx.Organizations().Insert(ctx, account.Organization{ID: "org_1", CreatedAt: at(0)}))
					return tc.end(cancel)
				})
			})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			wantEqual(t, organizations(t, store), 0)
			wantEqual(t, store.db.Stats().InUse, 0)
		})
	}
}

// recovered converts a panic to an error.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = v.(error)
		}
	}()
	return f()
}

func TestInTxRecordingForgetsRolledBackRuns(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	store.pause = func(context.Context, int) error { return nil }
	changes, runs := billing.ChangeLog{Lines: []string{"an earlier transaction"}}, 0
	must(t, store.InTxRecording(t.Context(), &changes, func(tx billing.Tx) error {
		runs++
		tx.Record("run %d", runs)
		if runs == 1 {
			return raise(t.Context(), tx, "40001")
		}
		return nil
	}))
	wantEqual(t, changes.Lines, []string{"an earlier transaction", "run 2"})
}

func TestInTxRetriesAfterACollision(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	var pauses []int
	store.pause = func(_ context.Context, attempt int) error {
		pauses = append(pauses, attempt)
		return nil
	}
	for name, tc := range map[string]struct {
		code     pqerror.Code
		failures int
		runs     int
		wantErr  bool
	}{
		"one serialization failure": {"40001", 1, 2, false},
		"deadlocks":                 {"40P01", 4, 5, false},
		"for ever":                  {"40001", 1000, 5, true},
		"another error":             {"23514", 1000, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			pauses = nil
			ctx, runs := t.Context(), 0
			err := store.InTx(ctx, func(tx billing.Tx) error {
				runs++
				must(t, tx.Stripe().PutAccount(ctx, name, stripeAccount))
				if runs <= tc.failures {
					return raise(ctx, tx, string(tc.code))
				}
				return nil
			})
			wantEqual(t, runs, tc.runs)
			wantEqual(t, len(pauses), tc.runs-1)
			wantEqual(t, hasCode(err, tc.code), tc.wantErr)
			_, err = store.Stripe().Account(ctx, name)
			wantEqual(t, err == nil, !tc.wantErr)
		})
	}
}

func TestInTxStopsRetryingWhenCtxEnds(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	store.pause = func(context.Context, int) error { return context.Canceled }
	runs := 0
	err := store.InTx(t.Context(), func(tx billing.Tx) error {
		runs++
		return raise(t.Context(), tx, "40001")
	})
	wantEqual(t, runs, 1)
	wantEqual(t, hasCode(err, pqerror.TRSerializationFailure), true)
}

func TestPauseEndsWithCtx(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantEqual(t, pauseJittered(ctx, 1<<40), context.Canceled)
	must(t, pauseJittered(t.Context(), 1))
}

// Two transactions lock the same two rows in opposite order: the server aborts one, which runs
// again, and both commit.
func TestDeadlockIsRetried(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	var group, met sync.WaitGroup
	met.Add(2)
	errs := make([]error, 2)
	for i, ids := range [][2]string{{"org_1", "org_2"}, {"org_2", "org_1"}} {
		group.Go(func() {
			meet := sync.OnceFunc(func() { met.Done(); met.Wait() })
			errs[i] = store.InTx(ctx, func(tx billing.Tx) error {
				if _, err := tx.Organizations().Lock(ctx, ids[0]); err != nil {
					return err
				}
				meet()
				_, err := tx.Organizations().Lock(ctx, ids[1])
				return err
			})
		})
	}
	group.Wait()
	must(t, errors.Join(errs...))
}
