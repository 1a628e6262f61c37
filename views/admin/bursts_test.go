package admin

import (
	"testing"
	"time"

	"usher/billing"
)

func TestBursts(t *testing.T) {
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	event := func(kind, organization, failure string, secondsAgo int) billing.StoredEvent {
		return billing.StoredEvent{
			Event: billing.Event{Type: kind}, OrganizationID: organization, Error: failure, ReceivedAt: noon.Add(-time.Duration(secondsAgo) * time.Second),
		}
	}
	got := bursts([]billing.StoredEvent{
		event("invoice.paid", "org_1", "", 0), event("invoice.paid", "org_1", "", 60), event("invoice.paid", "org_1", "", 119), // one burst
		event("invoice.paid", "org_1", "", 180),                                              // too long ago
		event("invoice.paid", "org_2", "", 180),                                              // of another organization
		event("invoice.sent", "org_2", "", 180),                                              // of another type
		event("invoice.sent", "org_2", "no", 181), event("invoice.sent", "org_2", "no", 182), // failed
	})
	want := []int{3, 1, 1, 1, 1, 1}
	if len(got) != len(want) {
		t.Fatalf("%d groups, want %d", len(got), len(want))
	}
	for i, group := range got {
		if len(group) != want[i] {
			t.Errorf("group %d has %d events, want %d", i, len(group), want[i])
		}
	}
}
