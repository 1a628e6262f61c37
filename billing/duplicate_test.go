package billing

import (
	"testing"
	"time"
)

// Only a subscription that a Checkout of ours has sold, beside another such one that grants access,
// is a duplicate.
func TestFindDuplicates(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	kept := Subscription{ID: "sub_1", OrganizationID: "org_1", Status: StatusActive, CreatedAt: first}
	for name, test := range map[string]struct {
		change func(kept, other *Subscription)
		want   bool
	}{
		"bought later":                           {func(_, _ *Subscription) {}, true},
		"bought in the same second":              {func(_, o *Subscription) { o.CreatedAt = first }, true},
		"trialing":                               {func(_, o *Subscription) { o.Status = StatusTrialing }, true},
		"past due":                               {func(_, o *Subscription) { o.Status = StatusPastDue }, true},
		"unpaid":                                 {func(_, o *Subscription) { o.Status = StatusUnpaid }, true},
		"incomplete":                             {func(_, o *Subscription) { o.Status = StatusIncomplete }, false},
		"canceled":                               {func(_, o *Subscription) { o.Status = StatusCanceled }, false},
		"made elsewhere":                         {func(_, o *Subscription) { o.ID = "sub_support" }, false},
		"made elsewhere, with our metadata":      {func(_, o *Subscription) { o.ID, o.MetadataOrgID = "sub_support", "org_1" }, false},
		"beside one that was made elsewhere":     {func(k, _ *Subscription) { k.ID = "sub_support" }, false},
		"foreign":                                {func(_, o *Subscription) { o.Foreign = true }, false},
		"beside a foreign one":                   {func(k, _ *Subscription) { k.Foreign = true }, false},
		"the kept subscription grants no access": {func(k, _ *Subscription) { k.Status = StatusUnpaid }, false},
		"older and unpaid":                       {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusUnpaid, first.AddDate(-1, 0, 0) }, false},
		"older and paused":                       {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusPaused, first.AddDate(-1, 0, 0) }, false},
	} {
		current, other := kept, kept
		other.ID, other.CreatedAt = "sub_2", first.Add(time.Minute)
		test.change(&current, &other)
		for _, all := range [][]Subscription{{current, other}, {other, current}} {
			keeps, duplicates := findDuplicates(all, []string{"sub_1", "sub_2"})
			got := len(duplicates) == 1 && duplicates[0].ID == "sub_2" && keeps.ID == "sub_1"
			if got != test.want || len(duplicates) > 1 {
				t.Errorf("%s: keeps %s, duplicates %+v, want one: %v", name, keeps.ID, duplicates, test.want)
			}
		}
	}
}

// Two purchases are duplicates of each other, whatever else somebody has made at Stripe.
func TestFindDuplicatesBesideAnotherSubscription(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var all []Subscription
	for i, id := range []string{"sub_support", "sub_1", "sub_2"} {
		all = append(all, Subscription{ID: id, Status: StatusActive, CreatedAt: at.Add(time.Duration(i) * time.Minute)})
	}
	keeps, duplicates := findDuplicates(all, []string{"sub_1", "sub_2"})
	if keeps.ID != "sub_1" || len(duplicates) != 1 || duplicates[0].ID != "sub_2" {
		t.Errorf("keeps %s, duplicates %+v", keeps.ID, duplicates)
	}
}
