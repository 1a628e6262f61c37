package billing

import (
	"testing"
	"time"
)

// Only a subscription that was sold here, and beside one that grants access, is a duplicate.
func TestIsDuplicate(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	kept := Subscription{ID: "sub_1", OrganizationID: "org_1", MetadataOrgID: "org_1", Status: StatusActive, CreatedAt: first}
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
		"the same subscription":                  {func(_, o *Subscription) { o.ID = "sub_1" }, false},
		"created manually":                       {func(_, o *Subscription) { o.MetadataOrgID = "" }, false},
		"sold to another organization":           {func(_, o *Subscription) { o.MetadataOrgID = "org_2" }, false},
		"the kept subscription grants no access": {func(k, _ *Subscription) { k.Status = StatusUnpaid }, false},
		"older and unpaid":                       {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusUnpaid, first.AddDate(-1, 0, 0) }, false},
		"older and paused":                       {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusPaused, first.AddDate(-1, 0, 0) }, false},
	} {
		current, other := kept, kept
		other.ID, other.CreatedAt = "sub_2", first.Add(time.Minute)
		test.change(&current, &other)
		if got := isDuplicate(current, other); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
