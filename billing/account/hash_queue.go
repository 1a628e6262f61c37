package account

import (
	"context"
	"slices"
	"sync"
	"time"

	"usher/billing/apperr"
)

// hashQueue admits a bounded number of concurrent password hashes, since each uses 19 MiB. While it
// is full, passwords wait in the order of the failures that their clients have had: a flood of
// wrong log-ins, from however many addresses, does not keep out those who mistype once.
type hashQueue struct {
	lock    sync.Mutex
	free    int
	waiting []*waitingHash // by failures, then by arrival
}

type waitingHash struct {
	failures int
	admitted chan bool // sent once: whether it may hash
}

// maxWaiting bounds the passwords that wait; of more, those with the most failures are refused at
// once.
const maxWaiting = 128

// hashWait is how long a password waits for admission. The answer that there is too much to do
// comes before the request ends.
const (
	hashWait       = 2 * time.Second
	hashRetryAfter = 5 * time.Second
)

func newHashQueue(concurrent int) *hashQueue { return &hashQueue{free: concurrent} }

// enter waits for admission; the caller must leave afterwards. Error: CodeUnavailable if it is not
// admitted in time.
func (q *hashQueue) enter(ctx context.Context) error {
	entry := q.join(failuresOf(ctx))
	timeout := time.NewTimer(hashWait)
	defer timeout.Stop()
	select {
	case admitted := <-entry.admitted:
		if admitted {
			return nil
		}
		return errTooManyHashes()
	case <-timeout.C:
		return q.giveUp(entry, errTooManyHashes())
	case <-ctx.Done():
		return q.giveUp(entry, ctx.Err())
	}
}

func errTooManyHashes() error {
	return &apperr.Error{
		Code: apperr.CodeUnavailable, RetryAfter: hashRetryAfter, Message: "Very many people are signing in right now. Please try again in a moment.",
	}
}

func (q *hashQueue) join(failures int) *waitingHash {
	entry := &waitingHash{failures: failures, admitted: make(chan bool, 1)}
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.free > 0 {
		q.free--
		entry.admitted <- true
		return entry
	}
	behind := func(w *waitingHash, failures int) int { return w.failures - failures }
	at, _ := slices.BinarySearchFunc(q.waiting, failures+1, behind)
	q.waiting = slices.Insert(q.waiting, at, entry)
	if last := len(q.waiting) - 1; last == maxWaiting {
		q.waiting[last].admitted <- false
		q.waiting = slices.Delete(q.waiting, last, last+1)
	}
	return entry
}

// leave admits the first that waits.
func (q *hashQueue) leave() {
	q.lock.Lock()
	defer q.lock.Unlock()
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	q.waiting[0].admitted <- true
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// giveUp removes an entry that nobody waits for any more, and passes it on if it was just admitted.
func (q *hashQueue) giveUp(entry *waitingHash, err error) error {
	q.lock.Lock()
	at := slices.Index(q.waiting, entry)
	if at >= 0 {
		q.waiting = slices.Delete(q.waiting, at, at+1)
	}
	q.lock.Unlock()
	if at < 0 && <-entry.admitted {
		q.leave()
	}
	return err
}

type failuresKey struct{}

// WithFailures returns a context for the request of a client that has failed so often, by the
// counts of [RateLimits]. Its password waits behind those of clients with fewer failures.
func WithFailures(ctx context.Context, failures int) context.Context {
	return context.WithValue(ctx, failuresKey{}, failures)
}

func failuresOf(ctx context.Context) int {
	failures, _ := ctx.Value(failuresKey{}).(int)
	return failures
}
