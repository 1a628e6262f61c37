package billing

import "time"

// ProblemKind is a kind of work that needs an operator.
type ProblemKind string

// The kinds of problems, the most urgent first.
const (
	ProblemFailedEvents        ProblemKind = "failed_events"        // dead letters
	ProblemLateEvents          ProblemKind = "late_events"          // pending for longer than lateAfter
	ProblemMissedEvents        ProblemKind = "missed_events"        // no webhook delivered them, the last comparison found them
	ProblemFailingSeats        ProblemKind = "failing_seats"        // organizations whose last seat update failed
	ProblemFailedDuplicates    ProblemKind = "failed_duplicates"    // could not be canceled
	ProblemSecondSubscriptions ProblemKind = "second_subscriptions" // an operator has to decide
	ProblemMischargedChanges   ProblemKind = "mischarged_changes"   // charged another amount than was confirmed
	ProblemPricesNotOffered    ProblemKind = "prices_not_offered"   // missing or different at Stripe
	ProblemDrifts              ProblemKind = "drifts"               // found by the last comparison and not repaired
	ProblemFailedMails         ProblemKind = "failed_mails"         // given up
)

// Problem is work that does not go on without an operator.
type Problem struct {
	Kind  ProblemKind
	Count int
	Since *time.Time // nil: unknown
}

// lateAfter is how long an event may be pending before that is a problem.
const lateAfter = 5 * time.Minute

// Problems returns what is wrong, the most urgent first; none if all is well.
func (b Backlog) Problems(now time.Time) []Problem {
	late := Problem{Kind: ProblemLateEvents, Since: b.OldestPending}
	if b.OldestPending != nil && now.Sub(*b.OldestPending) > lateAfter {
		late.Count = b.PendingEvents
	}
	drifts := Problem{Kind: ProblemDrifts, Since: b.ComparedAt}
	for kind, n := range b.Drifts {
		if kind != DriftForeignSubscription { // for information
			drifts.Count += n
		}
	}
	var found []Problem
	for _, problem := range []Problem{
		{Kind: ProblemFailedEvents, Count: b.FailedEvents, Since: b.FailedSince}, late,
		{Kind: ProblemMissedEvents, Count: b.MissedEvents, Since: b.ComparedAt},
		{Kind: ProblemFailingSeats, Count: b.FailingSeats}, {Kind: ProblemFailedDuplicates, Count: b.FailedDuplicates},
		{Kind: ProblemSecondSubscriptions, Count: b.SecondSubscriptions}, {Kind: ProblemMischargedChanges, Count: b.MischargedChanges},
		{Kind: ProblemPricesNotOffered, Count: b.PricesNotOffered}, drifts, {Kind: ProblemFailedMails, Count: b.FailedMails},
	} {
		if problem.Count > 0 {
			found = append(found, problem)
		}
	}
	return found
}
