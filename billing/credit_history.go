package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
)

// CreditHistory is how the balance of the credits changed, and how long it lasts at the present
// rate.
type CreditHistory struct {
	Since, Until time.Time // what a chart shows; Until is in the future
	Now          time.Time // when it was read
	// Entries are the ledger from Since on, oldest first, with the last entry before it. Of the
	// consumptions of a day (UTC) only the last one is listed.
	Entries []CreditEntry
	CreditRate
}

// CreditRate is how fast credits are used. The rate is what was consumed within the last 30 days,
// divided by the time since the credits began or by 30 days if that is less, and by a day at least:
// a busy first hour says nothing about a month.
type CreditRate struct {
	PerDay float64
	// LastUntil is when the balance is used up at that rate; zero: nothing is used, or nothing is
	// left.
	LastUntil time.Time
	// Outlast means that they last until new credits come or the plan's expire, or for longer than
	// a year.
	Outlast bool
}

const (
	creditRateWindow = 30 * 24 * time.Hour
	creditRateLeast  = 24 * time.Hour
	creditRateLimit  = 365 * 24 * time.Hour
)

// creditRate is a pure function. began is when the ledger begins; resets is when the month's
// credits are replaced, zero if they are not.
func creditRate(balance, consumed int, began, now, resets time.Time) CreditRate {
	elapsed := max(creditRateLeast, min(creditRateWindow, now.Sub(began)))
	rate := CreditRate{PerDay: float64(consumed) * float64(24*time.Hour) / float64(elapsed)}
	if consumed <= 0 || balance <= 0 {
		return rate
	}
	days := float64(balance) / rate.PerDay
	if limit := creditRateLimit.Hours() / 24; days >= limit {
		rate.Outlast = true
		return rate
	}
	rate.LastUntil = now.Add(time.Duration(days * float64(24*time.Hour)))
	rate.Outlast = !resets.IsZero() && !rate.LastUntil.Before(resets)
	return rate
}

// LeftAt returns how many of a balance are left at a time in the future, at this rate.
func (r CreditRate) LeftAt(balance int, now, at time.Time) int64 {
	return max(0, int64(float64(balance)-r.PerDay*at.Sub(now).Hours()/24))
}

// Rate reads how fast the organization's credits are used; o is its overview.
func (cs *Credits) Rate(ctx context.Context, o Overview) (CreditRate, error) {
	now := cs.Now()
	since, acct := now.Add(-creditRateWindow), cs.knownAccount()
	consumed, err := cs.store.Credits().Consumed(ctx, o.Organization.ID, acct, since)
	if err != nil || consumed == 0 {
		return CreditRate{}, err
	}
	entries, err := cs.store.Credits().Levels(ctx, o.Organization.ID, acct, since)
	if err != nil || len(entries) == 0 {
		return CreditRate{}, err
	}
	return creditRate(o.Credits.Balance, consumed, entries[0].At, now, o.Credits.changesAt()), nil
}

func (c CreditsOverview) resets() time.Time {
	if c.ResetsAt == nil {
		return time.Time{}
	}
	return *c.ResetsAt
}

// changesAt returns when the month's credits are replaced or expire; zero: neither is known.
func (c CreditsOverview) changesAt() time.Time {
	if c.LapsesAt != nil {
		return *c.LapsesAt
	}
	return c.resets()
}

// History reads the ledger of the last 30 days for a chart. It ends when new credits come, when
// the last ones expire, or in 30 days.
func (cs *Credits) History(ctx context.Context, a account.Access, o Overview) (CreditHistory, error) {
	now := cs.Now()
	history := CreditHistory{Since: now.Add(-creditRateWindow), Until: now.Add(creditRateWindow), Now: now}
	if resets := o.Credits.changesAt(); resets.After(now) && resets.Before(history.Until) {
		history.Until = resets
	}
	var err error
	if history.Entries, err = cs.store.Credits().Levels(ctx, a.Organization.ID, cs.knownAccount(), history.Since); err != nil {
		return history, fmt.Errorf("read credit levels: %w", err)
	}
	if len(history.Entries) > 0 && history.Entries[0].At.After(history.Since) {
		history.Since = history.Entries[0].At
	}
	history.CreditRate, err = cs.Rate(ctx, o)
	return history, err
}
