package db

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"usher/billing"
)

// bell counts what rings.
type bell struct {
	mu    sync.Mutex
	rung  map[billing.Job]int
	again func(a billing.Job, times int) (time.Duration, error)
}

func (b *bell) ring(_ context.Context, a billing.Job) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung[a]++
	if b.again == nil {
		return 0, nil
	}
	return b.again(a, b.rung[a])
}

func (b *bell) times(a billing.Job) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung[a]
}

// until waits for an alarm to have rung so often.
func (b *bell) until(t *testing.T, a billing.Job, times int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for b.times(a) < times {
		if time.Now().After(deadline) {
			t.Fatalf("%+v rang %d times, want %d", a, b.times(a), times)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
}

// runQueue rings alarms of the store until the test ends.
func runQueue(t *testing.T, store *Store, b *bell) {
	t.Helper()
	queue, err := NewQueue(store, slog.New(slog.DiscardHandler), b.ring)
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

func TestAlarmsRingAfterTheCommitAndOnce(t *testing.T) {
	store := newTestStore(t)
	b := &bell{rung: map[billing.Job]int{}}
	runQueue(t, store, b)
	runQueue(t, store, b)
	committed := billing.Job{Kind: billing.JobSeats, ID: "org_a", Revision: "1"}
	undone := billing.Job{Kind: billing.JobSeats, ID: "org_b", Revision: "1"}
	last := billing.Job{Kind: billing.JobEvent, ID: "evt_last"}

	errUndone := errors.New("undone")
	err := store.InTx(t.Context(), func(tx billing.Tx) error {
		return errors.Join(tx.Jobs().Enqueue(t.Context(), undone), errUndone)
	})
	if !errors.Is(err, errUndone) {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), func(tx billing.Tx) error {
		return errors.Join(tx.Jobs().Enqueue(t.Context(), committed), tx.Jobs().Enqueue(t.Context(), committed))
	})
	if err != nil {
		t.Fatal(err)
	}
	b.until(t, committed, 1)
	if err := store.Jobs().Enqueue(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	b.until(t, last, 1)
	if n := b.times(undone); n != 0 {
		t.Errorf("an alarm of a transaction that was undone rang %d times", n)
	}
	if n := b.times(committed); n != 1 {
		t.Errorf("rang %d times on two replicas, want once", n)
	}
}

func TestAnAlarmThatRingsDoesNotSwallowTheNextTurn(t *testing.T) {
	store := newTestStore(t)
	ringing, release := make(chan struct{}), make(chan struct{})
	first := billing.Job{Kind: billing.JobSeats, ID: "org_a", Revision: "1"}
	next := billing.Job{Kind: billing.JobSeats, ID: "org_a", Revision: "2"}
	b := &bell{rung: map[billing.Job]int{}}
	queue, err := NewQueue(store, slog.New(slog.DiscardHandler), func(ctx context.Context, a billing.Job) (time.Duration, error) {
		again, err := b.ring(ctx, a)
		if a == first {
			close(ringing)
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
	<-ringing
	if err := store.Jobs().Enqueue(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	b.until(t, next, 1)
	close(release)
}

func TestAlarmsRingAgain(t *testing.T) {
	store := newTestStore(t)
	failing := billing.Job{Kind: billing.JobMail, ID: "eml_a"}
	waiting := billing.Job{Kind: billing.JobSeats, ID: "org_a", Revision: "1"}
	b := &bell{rung: map[billing.Job]int{}, again: func(a billing.Job, times int) (time.Duration, error) {
		switch {
		case times > 1:
			return 0, nil
		case a == failing:
			return 0, errors.New("the database was away")
		}
		return 10 * time.Millisecond, nil
	}}
	runQueue(t, store, b)
	for _, a := range []billing.Job{failing, waiting} {
		if err := store.Jobs().Enqueue(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	b.until(t, failing, 2)
	b.until(t, waiting, 2)
}
