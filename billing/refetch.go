package billing

import (
	"context"
	"errors"
	"time"
)

// errRowChanged reports that a row was written between the read of its revision and the write of a
// fetched snapshot.
var errRowChanged = errors.New("the row changed during the refetch")

// refetchAttempts bounds how often one call refetches an object whose row keeps changing.
const refetchAttempts = 12

// refetchPause is the longest pause before the second attempt. It grows with each further one, so
// that concurrent refetches of one object spread.
const refetchPause = 40 * time.Millisecond

// retryOnRowChange calls f, at most refetchAttempts times, until it returns something other than
// errRowChanged. f reads the row's revision, fetches the object from Stripe outside any
// transaction, and writes it if the revision is the same: a fetched snapshot neither overwrites a
// newer row nor is discarded.
func (c *core) retryOnRowChange(ctx context.Context, f func() error) error {
	err := f()
	for attempt := 1; attempt < refetchAttempts && errors.Is(err, errRowChanged); attempt++ {
		timer := time.NewTimer(c.Jitter(time.Duration(attempt) * refetchPause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		err = f()
	}
	return err
}
