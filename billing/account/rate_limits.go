package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
)

// Limit bounds the number of actions in a window.
type Limit struct {
	Name string // of the action
	Max  int    // actions per window
	Per  time.Duration
}

// maxWindow is at least the window of every limit: older counts are deleted.
const maxWindow = 24 * time.Hour

// Allow counts one action and returns CodeRateLimited beyond the limit. Windows are fixed, so up to
// twice the limit can pass around a window boundary. If counting fails, the action is allowed:
// sign-in must not depend on the counter.
func (rl *RateLimits) Allow(ctx context.Context, l Limit, who string) error {
	window := rl.Wall().Truncate(l.Per)
	hits, err := rl.store.RateLimits().Count(ctx, l.Name+" "+limitKey(who), window)
	if err != nil {
		rl.Log.WarnContext(ctx, "rate limit count failed", "limit", l.Name, "err", err)
		return nil
	}
	if hits <= l.Max {
		return nil
	}
	left := window.Add(l.Per).Sub(rl.Wall())
	refused := apperr.Errorf(apperr.CodeRateLimited, "That was tried often in a short time. Please try again in %s.",
		minutes(max(left, time.Minute).Round(time.Minute)))
	refused.RetryAfter = max(left, time.Second)
	return refused
}

// limitKey returns a text that the database can store: what is counted may be input of any length,
// with bytes that are no text, and a count that fails would allow the action.
func limitKey(who string) string {
	printable := func(r rune) bool { return r < ' ' || r > '~' }
	if len(who) <= maxLimitKey && strings.IndexFunc(who, printable) < 0 {
		return who
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(who)))
}

const maxLimitKey = 128

func minutes(d time.Duration) string {
	if d <= time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", int(d/time.Minute))
}

// Prune deletes counts of windows that ended.
func (rl *RateLimits) Prune(ctx context.Context) error {
	return rl.store.RateLimits().Prune(ctx, rl.Wall().Add(-maxWindow))
}
