package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// answerTimeout is how long a page waits for an action that continues without it, so that the page
// is complete within three seconds.
const answerTimeout = 2700 * time.Millisecond

// errContinues reports that an action is not finished yet and continues.
var errContinues = errors.New("the action continues")

// await runs an action that may take up to limit, and waits for it at most s.answerTimeout. After
// that it returns errContinues, and the action continues without the request: it must not use the
// request's state.
func await[T any](ctx context.Context, s *site, limit time.Duration, action func(context.Context) (T, error)) (T, error) {
	type result struct {
		value    T
		err      error
		panicked any
	}
	done := make(chan result, 1)
	go func() {
		var r result
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		defer func() {
			if r.panicked = recover(); r.panicked != nil {
				s.log.ErrorContext(ctx, "action panicked", "panic", fmt.Sprint(r.panicked))
			}
			done <- r
		}()
		r.value, r.err = action(ctx)
	}()
	timer := time.NewTimer(s.answerTimeout)
	defer timer.Stop()
	select {
	case r := <-done:
		if r.panicked != nil {
			panic(r.panicked) // the request's own recovery responds
		}
		return r.value, r.err
	case <-timer.C:
		go func() {
			if r := <-done; r.err != nil {
				s.log.WarnContext(ctx, "action failed after its page was answered", "err", r.err)
			}
		}()
		var none T
		return none, errContinues
	}
}
