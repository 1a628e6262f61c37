package billing

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestChooseCurrent(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	cases := []struct {
		name string
		all  []Subscription
		want string
	}{
		{"the older of two active subscriptions", []Subscription{
			{ID: "sub_second", Status: StatusActive, CreatedAt: day(2)}, {ID: "sub_first", Status: StatusActive, CreatedAt: day(1)},
		}, "sub_first"},
		{"an incomplete subscription before a canceled one", []Subscription{
			{ID: "sub_old", Status: StatusCanceled, CreatedAt: day(1)}, {ID: "sub_new", Status: StatusIncomplete, CreatedAt: day(2)},
		}, "sub_new"},
		{"an active subscription before an older unpaid one", []Subscription{
			{ID: "sub_unpaid", Status: StatusUnpaid, CreatedAt: day(1)}, {ID: "sub_paid", Status: StatusActive, CreatedAt: day(2)},
		}, "sub_paid"},
		{"the newest of the ended subscriptions", []Subscription{
			{ID: "sub_a", Status: StatusCanceled, CreatedAt: day(1)}, {ID: "sub_b", Status: StatusIncompleteExpired, CreatedAt: day(3)},
			{ID: "sub_c", Status: StatusCanceled, CreatedAt: day(2)},
		}, "sub_b"},
		{"equal times are ordered by ID", []Subscription{
			{ID: "sub_z", Status: StatusActive, CreatedAt: day(1)}, {ID: "sub_a", Status: StatusActive, CreatedAt: day(1)},
		}, "sub_a"},
		{"an unknown status grants no access", []Subscription{
			{ID: "sub_odd", Status: "unknown", CreatedAt: day(1)}, {ID: "sub_paid", Status: StatusActive, CreatedAt: day(2)},
		}, "sub_paid"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 10 {
				rand.Shuffle(len(c.all), func(i, j int) { c.all[i], c.all[j] = c.all[j], c.all[i] })
				if got, ok := chooseCurrent(c.all); !ok || got.ID != c.want {
					t.Fatalf("got %s, want %s", got.ID, c.want)
				}
			}
		})
	}
	if _, ok := chooseCurrent(nil); ok {
		t.Error("chose a subscription from none")
	}
}

func TestSubscriptionStatusRules(t *testing.T) {
	cases := map[SubscriptionStatus]statusRule{
		"trialing":           {access: true, seatsSynced: true},
		"active":             {access: true, seatsSynced: true},
		"past_due":           {access: true, seatsSynced: true},
		"unpaid":             {},
		"paused":             {},
		"incomplete":         {},
		"incomplete_expired": {ended: true, newCheckout: true},
		"canceled":           {ended: true, newCheckout: true},
		"unknown":            {},
	}
	for status, want := range cases {
		got := statusRule{status.GrantsAccess(), status.SeatsSynced(), status.Ended(), status.AllowsCheckout()}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", status, got, want)
		}
	}
}

func TestEndsAt(t *testing.T) {
	periodEnd, other := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name string
		s    Subscription
		want time.Time
		ends bool
	}{
		{"renews", Subscription{Status: StatusActive, CurrentPeriodEnd: periodEnd}, time.Time{}, false},
		{"classic", Subscription{Status: StatusActive, CurrentPeriodEnd: periodEnd, CancelAtPeriodEnd: true}, periodEnd, true},
		{"flexible: cancel_at only", Subscription{Status: StatusActive, CurrentPeriodEnd: periodEnd, CancelAt: &other}, other, true},
		{"canceled", Subscription{Status: StatusCanceled, CancelAtPeriodEnd: true}, time.Time{}, false},
	}
	for _, c := range cases {
		got, ends := c.s.EndsAt()
		if !got.Equal(c.want) || ends != c.ends {
			t.Errorf("%s: got %v %v, want %v %v", c.name, got, ends, c.want, c.ends)
		}
	}
}
