package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

// TestGraceEnd: the period may have begun long before the invoice that is unpaid, or with it.
func TestGraceEnd(t *testing.T) {
	begun := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	current := Subscription{CurrentPeriodStart: begun}
	week, finalized := &catalog.Plan{GraceDays: 7}, begun.AddDate(0, 0, 10)
	at := func(days int) *time.Time { end := begun.AddDate(0, 0, days); return &end }
	for name, test := range map[string]struct {
		plan *catalog.Plan
		open *Invoice
		want *time.Time
	}{
		"a proration within the period":  {week, &Invoice{FinalizedAt: &finalized}, at(17)},
		"the invoice is not known yet":   {week, nil, at(7)},
		"an invoice without that moment": {week, &Invoice{}, at(7)},
		"the plan sets no end":           {&catalog.Plan{}, &Invoice{FinalizedAt: &finalized}, nil},
		"the plan is not known":          {nil, &Invoice{FinalizedAt: &finalized}, nil},
	} {
		got := graceEnd(current, test.plan, test.open)
		if (got == nil) != (test.want == nil) || got != nil && !got.Equal(*test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestHasAccess(t *testing.T) {
	now := time.Date(2026, 11, 8, 0, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Second), now.Add(time.Second)
	for _, test := range []struct {
		status SubscriptionStatus
		grace  *time.Time
		want   bool
	}{
		{StatusTrialing, nil, true}, {StatusActive, nil, true}, {StatusUnpaid, nil, false}, {StatusPaused, nil, false}, {StatusIncomplete, nil, false},
		{StatusIncompleteExpired, nil, false}, {StatusCanceled, nil, false}, {"of_tomorrow", nil, false},
		{StatusPastDue, nil, true}, {StatusPastDue, &after, true}, {StatusPastDue, &before, false}, {StatusPastDue, &now, false},
	} {
		if got := hasAccess(test.status, test.grace, now); got != test.want {
			t.Errorf("%s, grace until %v: %v", test.status, test.grace, got)
		}
	}
}
