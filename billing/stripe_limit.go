package billing

import (
	"context"
	"errors"
	"time"

	"usher/billing/apperr"
)

// stripeLimit bounds all calls to Stripe that a person waits for in one request, so that the page
// is complete within three seconds. stripe-go's retries count.
const stripeLimit = 2500 * time.Millisecond

// limitStripe returns a context for the calls to Stripe of one request, and the function that
// releases it.
func (c *core) limitStripe(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.stripeLimit)
}

// withinLimit runs f, whose calls to Stripe a person waits for. If the time is used up before f
// reads or writes the store, the error is a CodeStripe error too: Stripe took that time.
func withinLimit[T any](ctx context.Context, c *core, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := c.limitStripe(ctx)
	defer cancel()
	value, err := f(limited)
	if err != nil && limited.Err() != nil && apperr.CodeOf(err) == apperr.CodeInternal {
		err = apperr.StripeFailed("wait for Stripe", err)
	}
	return value, err
}

// A seat update takes a call to Stripe. Whoever confirms a change meanwhile waits this long for it.
const (
	leaseWait  = 2 * time.Second
	leasePause = 200 * time.Millisecond
)

// untilFree repeats f while it fails with errLeased, for up to leaseWait.
func untilFree(ctx context.Context, f func() error) error {
	end := time.NewTimer(leaseWait)
	defer end.Stop()
	for {
		err := f()
		if !errors.Is(err, errLeased) {
			return err
		}
		select {
		case <-time.After(leasePause):
		case <-end.C:
			return err
		case <-ctx.Done():
			return err
		}
	}
}
