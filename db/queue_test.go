package db

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/job"
)

// recorder counts the runs of each job.
type recorder struct {
	mu    sync.Mutex
	runs  map[job.Job]int
	again func(a job.Job, runs int) (time.Duration, error)
}

func (r *recorder) work(_ context.Context, a job.Job) (time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[a]++
	if r.again == nil {
		return 0, nil
	}
	return r.again(a, r.runs[a])
}

func (r *recorder) count(a job.Job) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[a]
}

// until returns when a job has run so often.
func (r *recorder) until(t *testing.T, a job.Job, runs int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for r.count(a) < runs {
		if time.Now().After(deadline) {
			t.Fatalf("%+v ran %d times, want %d", a, r.count(a), runs)
		}
		time.Sleep(10 * time.Millisecond) // poll interval
	}
}

// runQueue works the store's jobs until the test ends.
func runQueue(t *testing.T, store *Store, r *recorder) {
	t.Helper()
	queue, err := NewQueue(store, slog.New(slog.DiscardHandler), r.work)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Jobs that the previous release has inserted are worked too.
func TestFormerJobsAreWorked(t *testing.T) {
	store := newTestStore(t)
	r := &recorder{runs: map[job.Job]int{}}
	for _, about := range []job.Kind{"seats", "surplus"} {
		args := formerJobArgs{About: about, ID: "org_a", Turn: "1"}
		_, err := store.jobs.Insert(t.Context(), args, nil)
		must(t, err)
	}
	wantEqual(t, one[int](t, store, `select count(*) from river_job where queue = 'default' and kind = 'alarm'`), 2)
	runQueue(t, store, r)
	r.until(t, job.Job{Kind: job.KindSeats, ID: "org_a", Revision: "1"}, 1)
	r.until(t, job.Job{Kind: job.KindDuplicate, ID: "org_a", Revision: "1"}, 1)
}

// Programs of the previous release must not fetch jobs of a kind that they do not know.
func TestJobsAreNotInTheDefaultQueue(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	must(t, store.Jobs().Enqueue(t.Context(), job.Job{Kind: job.KindEvent, ID: "evt_1"}))
	wantEqual(t, one[string](t, store, `select queue || ' ' || kind from river_job`), "wakeups wakeup")
}

func TestJobsRunOnceAfterCommit(t *testing.T) {
	store := newTestStore(t)
	r := &recorder{runs: map[job.Job]int{}}
	runQueue(t, store, r)
	runQueue(t, store, r)
	committed := job.Job{Kind: job.KindSeats, ID: "org_a", Revision: "1"}
	rolledBack := job.Job{Kind: job.KindSeats, ID: "org_b", Revision: "1"}
	last := job.Job{Kind: job.KindEvent, ID: "evt_last"}

	errRolledBack := errors.New("rolled back")
	err := store.InTx(t.Context(), func(q billing.Tx) error {
		return errors.Join(q.Jobs().Enqueue(t.Context(), rolledBack), errRolledBack)
	})
	if !errors.Is(err, errRolledBack) {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), func(tx billing.Tx) error {
		return errors.Join(tx.Jobs().Enqueue(t.Context(), committed), tx.Jobs().Enqueue(t.Context(), committed))
	})
	if err != nil {
		t.Fatal(err)
	}
	r.until(t, committed, 1)
	if err := store.Jobs().Enqueue(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	r.until(t, last, 1)
	if n := r.count(rolledBack); n != 0 {
		t.Errorf("a job of a transaction that was rolled back ran %d times", n)
	}
	if n := r.count(committed); n != 1 {
		t.Errorf("ran %d times on two replicas, want once", n)
	}
}

func TestRunningJobDoesNotBlockTheNextVersion(t *testing.T) {
	store := newTestStore(t)
	running, release := make(chan struct{}), make(chan struct{})
	first := job.Job{Kind: job.KindSeats, ID: "org_a", Revision: "1"}
	next := job.Job{Kind: job.KindSeats, ID: "org_a", Revision: "2"}
	r := &recorder{runs: map[job.Job]int{}}
	queue, err := NewQueue(store, slog.New(slog.DiscardHandler), func(ctx context.Context, a job.Job) (time.Duration, error) {
		again, err := r.work(ctx, a)
		if a == first {
			close(running)
			<-release
		}
		return again, err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	if err := store.Jobs().Enqueue(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	<-running
	if err := store.Jobs().Enqueue(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	r.until(t, next, 1)
	close(release)
}

func TestJobsAreRetriedAndSnoozed(t *testing.T) {
	store := newTestStore(t)
	failing := job.Job{Kind: job.KindMail, ID: "eml_a"}
	snoozed := job.Job{Kind: job.KindSeats, ID: "org_a", Revision: "1"}
	r := &recorder{runs: map[job.Job]int{}, again: func(a job.Job, runs int) (time.Duration, error) {
		switch {
		case runs > 1:
			return 0, nil
		case a == failing:
			return 0, errors.New("the database is unreachable")
		}
		return 10 * time.Millisecond, nil
	}}
	runQueue(t, store, r)
	for _, a := range []job.Job{failing, snoozed} {
		if err := store.Jobs().Enqueue(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	r.until(t, failing, 2)
	r.until(t, snoozed, 2)
}
