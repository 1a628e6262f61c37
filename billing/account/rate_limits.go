package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Advice says what helps besides waiting; empty: nothing does.
	Advice string
}

// Limits of failed log-ins from browsers that have not logged in to the account before. The address
// that was typed counts, whether or not it has an account.
//
// From one client network, an account's password can be guessed as often as somebody mistypes it.
// All networks together are bounded too (NIST SP 800-63B, throttling): they can lock an account for
// unknown browsers, but neither for known ones nor for the one that resets the password.
var (
	FailedLogInsFromNetwork = Limit{Name: failedLogIn, Max: 10, Per: 15 * time.Minute, Advice: adviceReset}
	FailedLogIns            = Limit{Name: failedLogIn, Max: 100, Per: time.Hour, Advice: adviceReset}
)

const (
	failedLogIn = "failed log-in"
	adviceReset = "You can also choose a new password with \u201cForgot your password?\u201d on the sign-in page."
)

// LogInKey returns what [FailedLogIns] count for a typed address.
func LogInKey(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(email))))
	return hex.EncodeToString(sum[:16])
}

// failedLogInsKey is the prefix of all counts of an account's failed log-ins.
func failedLogInsKey(email string) string { return failedLogIn + " " + LogInKey(email) }

// maxWindow is at least the window of every limit: older counts are deleted.
const maxWindow = 24 * time.Hour

// Allow counts one action and returns CodeRateLimited beyond the limit. Windows are fixed, so up to
// twice the limit can pass around a window boundary. If counting fails, the action is allowed:
// sign-in must not depend on the counter.
func (rl *RateLimits) Allow(ctx context.Context, l Limit, who string) error {
	_, err := rl.Begin(ctx, l, who)
	return err
}

// Attempt is an action that was counted.
type Attempt struct {
	Count  int // of the window, this action included; 0: counting failed
	Limit  Limit
	Resets time.Duration // when the window ends, from now
	key    string
	window time.Time
}

// Begin counts one action like [RateLimits.Allow]. An action that counts only if it fails is
// counted before, so that many at once cannot pass the limit, and taken back with
// [RateLimits.TakeBack].
func (rl *RateLimits) Begin(ctx context.Context, l Limit, who string) (Attempt, error) {
	window := rl.Wall().Truncate(l.Per)
	a := Attempt{Limit: l, Resets: window.Add(l.Per).Sub(rl.Wall()), key: l.Name + " " + limitKey(who), window: window}
	count, err := rl.store.RateLimits().Count(ctx, a.key, window)
	if err != nil {
		rl.Log.WarnContext(ctx, "rate limit count failed", "limit", l.Name, "err", err)
		return a, nil
	}
	a.Count = count
	if count <= l.Max {
		return a, nil
	}
	return a, l.refuse(a.Resets)
}

// refuse returns CodeRateLimited until the window ends.
func (l Limit) refuse(left time.Duration) error {
	message := "That was tried often in a short time. Please try again in " + minutes(max(left, time.Minute).Round(time.Minute)) + "."
	if l.Advice != "" {
		message += " " + l.Advice
	}
	return &apperr.Error{Code: apperr.CodeRateLimited, Message: message, RetryAfter: max(left, time.Second)}
}

// Remaining returns how many more actions the window allows.
func (a Attempt) Remaining() int { return max(0, a.Limit.Max-a.Count) }

// TakeBack takes back actions that did not fail, even if their request was canceled.
func (rl *RateLimits) TakeBack(ctx context.Context, attempts []Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	for _, a := range attempts {
		if a.Count == 0 {
			continue
		}
		if err := rl.store.RateLimits().Uncount(ctx, a.key, a.window); err != nil {
			rl.Log.WarnContext(ctx, "rate limit count not taken back", "err", err)
		}
	}
}

const takeBackTimeout = 5 * time.Second

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
