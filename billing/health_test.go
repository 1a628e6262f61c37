package billing

import (
	"testing"
	"time"
)

// A backlog is no problem while it moves, and what is for information is none at all.
func TestProblems(t *testing.T) {
	now := time.Date(2026, 12, 1, 14, 0, 0, 0, time.UTC)
	recent, old := now.Add(-time.Minute), now.Add(-time.Hour)
	healthy := Backlog{
		PendingEvents: 9, OldestPending: &recent, PendingSeats: 3, QueuedMails: 2, Drifts: map[DriftKind]int{DriftForeignSubscription: 4}, ComparedAt: &old,
	}
	if found := healthy.Problems(now); len(found) > 0 {
		t.Errorf("healthy: %+v", found)
	}
	ill := Backlog{
		PendingEvents: 9, OldestPending: &old, FailedEvents: 2, FailedSince: &recent, FailingSeats: 1, PricesNotOffered: 1, FailedMails: 5,
		FailedDuplicates: 1, SecondSubscriptions: 1, MischargedChanges: 1, MissedEvents: 3, Drifts: map[DriftKind]int{DriftInvoice: 2, DriftForeignSubscription: 4},
	}
	want := []Problem{
		{ProblemFailedEvents, 2, &recent}, {ProblemLateEvents, 9, &old}, {Kind: ProblemMissedEvents, Count: 3}, {Kind: ProblemFailingSeats, Count: 1}, {Kind: ProblemFailedDuplicates, Count: 1},
		{Kind: ProblemSecondSubscriptions, Count: 1}, {Kind: ProblemMischargedChanges, Count: 1}, {Kind: ProblemPricesNotOffered, Count: 1},
		{Kind: ProblemDrifts, Count: 2}, {Kind: ProblemFailedMails, Count: 5},
	}
	got := ill.Problems(now)
	if len(got) != len(want) {
		t.Fatalf("ill: %+v", got)
	}
	for i, problem := range got {
		if problem != want[i] {
			t.Errorf("problem %d: %+v, want %+v", i, problem, want[i])
		}
	}
}
