package billing

import (
	"context"
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
