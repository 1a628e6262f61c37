package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

// The grace period starts when the oldest open invoice was finalized, or else with the billing
// period.
func TestGraceEnd(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	current := Subscription{CurrentPeriodStart: start}
	week, finalized := &catalog.Plan{GraceDays: 7}, start.AddDate(0, 0, 10)
	at := func(days int) *time.Time { end := start.AddDate(0, 0, days); return &end }
	for name, test := range map[string]struct {
		plan *catalog.Plan
		open *Invoice
		want *time.Time
	}{
		"proration within the period":         {week, &Invoice{FinalizedAt: &finalized}, at(17)},
		"unknown invoice":                     {week, nil, at(7)},
		"invoice without a finalization time": {week, &Invoice{}, at(7)},
		"plan without grace days":             {&catalog.Plan{}, &Invoice{FinalizedAt: &finalized}, nil},
		"unknown plan":                        {nil, &Invoice{FinalizedAt: &finalized}, nil},
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
		{StatusIncompleteExpired, nil, false}, {StatusCanceled, nil, false}, {"unknown", nil, false},
		{StatusPastDue, nil, true}, {StatusPastDue, &after, true}, {StatusPastDue, &before, false}, {StatusPastDue, &now, false},
	} {
		if got := hasAccess(test.status, test.grace, now); got != test.want {
			t.Errorf("%s, grace until %v: access %v", test.status, test.grace, got)
		}
	}
}
