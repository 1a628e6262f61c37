package account

import (
	"context"
	"fmt"
	"time"

	"usher/billing/apperr"
)

// Limit bounds how often somebody may do a thing.
type Limit struct {
	Name string // of the thing
	Max  int    // times
	Per  time.Duration
}

// maxWindow is more than any limit's window: what is older counts for nothing.
const maxWindow = 24 * time.Hour

// Allow counts one and tells whether it is still within the limit. Windows are fixed: at the turn of one, up to twice as many pass. Error:
// CodeRateLimited. A count that fails limits nobody: who signs in must not depend on it.
func (rl *RateLimits) Allow(ctx context.Context, l Limit, who string) error {
	window := rl.Wall().Truncate(l.Per)
	hits, err := rl.store.RateLimits().Count(ctx, l.Name+" "+who, window)
	if err != nil {
		rl.Log.WarnContext(ctx, "count for a limit", "limit", l.Name, "error", err)
		return nil
	}
	if hits <= l.Max {
		return nil
	}
	wait := max(window.Add(l.Per).Sub(rl.Wall()), time.Minute).Round(time.Minute)
	return apperr.Errorf(apperr.CodeRateLimited, "That was tried often in a short time. Please try again in %s.", minutes(wait))
}

func minutes(d time.Duration) string {
	if d <= time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", int(d/time.Minute))
}

// pruneRateLimits keeps the counts of the limits small.
func (rl *RateLimits) Prune(ctx context.Context) error {
	return rl.store.RateLimits().Prune(ctx, rl.Wall().Add(-maxWindow))
}
