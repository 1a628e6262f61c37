package billing

import (
	"testing"
	"time"
)

// TestIsDuplicate: only what was sold here, and sold beside a plan that runs, is ended and refunded.
func TestIsDuplicate(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	kept := Subscription{ID: "sub_1", OrganizationID: "org_1", MetadataOrgID: "org_1", Status: StatusActive, CreatedAt: first}
	for name, test := range map[string]struct {
		change func(kept, other *Subscription)
		want   bool
	}{
		"bought beside it":                 {func(_, _ *Subscription) {}, true},
		"bought in the same second":        {func(_, o *Subscription) { o.CreatedAt = first }, true},
		"its trial runs":                   {func(_, o *Subscription) { o.Status = StatusTrialing }, true},
		"past due":                         {func(_, o *Subscription) { o.Status = StatusPastDue }, true},
		"unpaid":                           {func(_, o *Subscription) { o.Status = StatusUnpaid }, true},
		"not paid for yet":                 {func(_, o *Subscription) { o.Status = StatusIncomplete }, false},
		"ended":                            {func(_, o *Subscription) { o.Status = StatusCanceled }, false},
		"itself":                           {func(_, o *Subscription) { o.ID = "sub_1" }, false},
		"made by hand":                     {func(_, o *Subscription) { o.MetadataOrgID = "" }, false},
		"sold to somebody else":            {func(_, o *Subscription) { o.MetadataOrgID = "org_2" }, false},
		"what is kept gives no access":     {func(k, _ *Subscription) { k.Status = StatusUnpaid }, false},
		"an older one that went unpaid":    {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusUnpaid, first.AddDate(-1, 0, 0) }, false},
		"an older one whose trial is over": {func(_, o *Subscription) { o.Status, o.CreatedAt = StatusPaused, first.AddDate(-1, 0, 0) }, false},
	} {
		one, other := kept, kept
		other.ID, other.CreatedAt = "sub_2", first.Add(time.Minute)
		test.change(&one, &other)
		if got := isDuplicate(one, other); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
