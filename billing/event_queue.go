package billing

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// Bounds of the group commit. A committer stores one event in a transaction, or several that have
// arrived meanwhile. While one waits for the disk the other works; more would leave smaller
// batches.
const (
	eventCommitters = 2
	maxEventBatch   = 32
)

// eventQueue has the events that wait for a committer.
type eventQueue struct {
	committers int // at most
	mutex      sync.Mutex
	waiting    []*queuedEvent
	busy       int // committers at work
}

type queuedEvent struct {
	event Event
	ctx   context.Context // of its request
	done  chan error      // errStoreAlone: the request has to store it
}

// errStoreAlone reports that an event was not stored with others.
var errStoreAlone = errors.New("the event has to be stored alone")

// start makes the caller a committer, or, if there are enough, returns the event in the queue.
func (q *eventQueue) start(ctx context.Context, event Event) *queuedEvent {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.busy < q.committers {
		q.busy++
		return nil
	}
	queued := &queuedEvent{event: event, ctx: ctx, done: make(chan error, 1)}
	q.waiting = append(q.waiting, queued)
	return queued
}

// next returns the batch that a committer stores next. Without one the caller is a committer no
// more.
func (q *eventQueue) next() []*queuedEvent {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	n := min(len(q.waiting), maxEventBatch)
	if n == 0 {
		q.busy--
		return nil
	}
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil // lets go of the events
	}
	return batch
}

// storeEvent stores an event, alone if no other one is being stored. Else it waits until it is
// stored in one transaction with those that wait too (group commit): a commit waits for the disk,
// and many statements cost little more than one.
func (in *Inbox) storeEvent(ctx context.Context, event Event) error {
	queued := in.queue.start(ctx, event)
	if queued == nil {
		defer in.endCommit()
		return in.storeAlone(ctx, event)
	}
	select {
	case err := <-queued.done:
		if errors.Is(err, errStoreAlone) {
			return in.storeAlone(ctx, event)
		}
		return err
	case <-ctx.Done(): // it may be stored nevertheless
		return context.Cause(ctx)
	}
}

// endCommit stores what has arrived while the caller stored its own event. The caller does not wait
// for it.
func (in *Inbox) endCommit() {
	if batch := in.queue.next(); batch != nil {
		go in.storeQueued(batch)
	}
}

// storeQueued stores batches until no event waits.
func (in *Inbox) storeQueued(batch []*queuedEvent) {
	for ; batch != nil; batch = in.queue.next() {
		in.storeBatch(batch)
	}
}

// storeBatch stores a batch and answers its requests.
func (in *Inbox) storeBatch(batch []*queuedEvent) {
	if len(batch) == 1 {
		batch[0].done <- in.recoverAlone(batch[0])
		return
	}
	stored, err := in.storeTogether(batch)
	if err != nil {
		in.Log.Debug("events are stored one by one", "events", len(batch), "err", err)
	}
	for i, queued := range batch {
		if err == nil && stored[i] {
			queued.done <- nil
		} else {
			queued.done <- errStoreAlone
		}
	}
}

// storeTogether is the transaction of a batch. After an error or a panic none is stored: each
// request stores its event alone, so that the one that fails fails alone.
func (in *Inbox) storeTogether(batch []*queuedEvent) (stored []bool, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	events := make([]Event, len(batch))
	for i, queued := range batch {
		events[i] = queued.event
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), eventLease)
	defer cancel()
	return in.store.InBatch(ctx, in.knownAccount(), events, in.decideStored)
}

// recoverAlone stores an event alone. A panic is the request's to report.
func (in *Inbox) recoverAlone(queued *queuedEvent) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			in.Log.Debug("an event is stored again", "panic", panicked, "stack", string(debug.Stack()))
			err = errStoreAlone
		}
	}()
	return in.storeAlone(queued.ctx, queued.event)
}
