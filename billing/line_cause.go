package billing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"usher/billing/account"
)

// appliedLater reports whether an attempt is of an upgrade that waited for its payment.
func (s LineSources) appliedLater(a SeatAttempt) bool {
	return slices.ContainsFunc(s.PlanChanges, func(c PlanChange) bool {
		return c.Kind == PlanUpgrade && c.Status == PlanChangeApplied && c.update().IdempotencyKey == a.Key
	})
}

// whoLeft reports for each ledger line about a person whether they ceased to be billed. If the
// number of seats stayed the same, because of the plan's minimum, the lines about them are counted:
// they alternate. earlier counts the lines before the changes.
func whoLeft(changes []SeatChange, earlier map[string]int) map[int64]bool {
	left, lines := map[int64]bool{}, map[string]int{}
	maps.Copy(lines, earlier)
	for _, change := range changes {
		lines[change.SubjectUserID]++
		left[change.ID] = change.To < change.From || change.To == change.From && lines[change.SubjectUserID]%2 == 0
	}
	return left
}

// The times within which Stripe's time of a change and ours are the same. AcknowledgedAt is
// Stripe's time to the second, minus the duration of the call.
const (
	changeBeforeAcknowledgement = time.Second
	changeAfterAcknowledgement  = 3 * time.Second
	// changeUnanswered bounds how long after it was sent an update without an answer was made.
	changeUnanswered = 2 * time.Minute
)

// attemptsAt returns the quantity updates that made the change at a time: those with a quantity
// that is charged.
func (x lineExplainer) attemptsAt(at time.Time, lines []InvoiceLine) []SeatAttempt {
	var made []SeatAttempt
	for _, attempt := range x.Attempts {
		charged := func(l InvoiceLine) bool {
			return !l.Credit && l.Quantity == attempt.Quantity && l.SubscriptionID == attempt.SubscriptionID
		}
		if attempt.madeAt(at) && slices.ContainsFunc(lines, charged) {
			made = append(made, attempt)
		}
	}
	return made
}

// isPurchase reports whether it is the quantity that a subscription was bought with.
func (a SeatAttempt) isPurchase() bool { return a.RequestID == a.SubscriptionID && a.RequestID != "" }

// madeAt reports whether Stripe may have made the update at a time.
func (a SeatAttempt) madeAt(at time.Time) bool {
	switch {
	case a.isPurchase(), a.Accepted != nil && !*a.Accepted:
		return false
	case a.ProratedAt != nil: // a confirmed change is prorated from its preview on
		return at.Equal(*a.ProratedAt)
	case a.answeredLate() && !at.Before(a.At.Add(-changeAfterAcknowledgement)) && at.Before(a.At.Add(changeUnanswered)):
		return true
	case a.AcknowledgedAt == nil:
		return false
	}
	return !at.Before(a.AcknowledgedAt.Add(-changeBeforeAcknowledgement)) && !at.After(a.AcknowledgedAt.Add(changeAfterAcknowledgement))
}

// answeredLate reports whether the answer came long after the update was first sent, or never.
// Stripe may have made it at the first call: a call with the same idempotency key gets the first
// answer again (https://docs.stripe.com/api/idempotent_requests). A subscription on a test clock
// has another time than Stripe's answers, too.
func (a SeatAttempt) answeredLate() bool {
	return a.AcknowledgedAt == nil || a.AcknowledgedAt.After(a.At.Add(changeUnanswered))
}

// changesOf returns the ledger's lines that the updates sent to Stripe: those after the version of
// the update before. before is the quantity that was replaced: an update without an answer was made
// if it had that quantity.
func (x lineExplainer) changesOf(attempts []SeatAttempt, before int) []SeatChange {
	var changes []SeatChange
	for _, attempt := range attempts {
		changes = append(changes, sinceRestored(x.changesBetween(x.sentBefore(attempt, before), attempt.Version), before)...)
	}
	return changes
}

// sentBefore returns the version of the update before another; see [lineExplainer.changesOf].
func (x lineExplainer) sentBefore(attempt SeatAttempt, before int) (version int64) {
	for _, earlier := range x.Attempts {
		if earlier.Version < attempt.Version && (earlier.Accepted != nil || earlier.Quantity == before) {
			version = max(version, earlier.Version)
		}
	}
	return version
}

// changesBetween returns the ledger's lines after one version, up to and with another.
func (x lineExplainer) changesBetween(since, until int64) []SeatChange {
	var changes []SeatChange
	for _, change := range x.SeatChanges {
		if change.Version > since && change.Version <= until && change.Reason != ReasonBought {
			changes = append(changes, change)
		}
	}
	return changes
}

// sinceRestored leaves out changes that cost nothing: somebody took over the seat of somebody else,
// so that the number was again the one that Stripe had, and nothing was sent. Changes that were
// sent together are kept.
func sinceRestored(changes []SeatChange, before int) []SeatChange {
	for i := len(changes) - 1; i > 0; i-- {
		if changes[i-1].To == before && changes[i].At.Sub(changes[i-1].At) > DebounceLimit {
			return changes[i:]
		}
	}
	return changes
}

// people returns the people whose seats changed. Somebody who was added and removed again within
// the changes is not among them.
func (x lineExplainer) people(changes []SeatChange) []LinePerson {
	var people []LinePerson
	for _, change := range changes {
		if change.SubjectUserID == "" {
			continue
		}
		same := func(p LinePerson) bool { return p.UserID == change.SubjectUserID }
		if i := slices.IndexFunc(people, same); i >= 0 {
			people = slices.Delete(people, i, i+1)
			continue
		}
		people = append(people, x.person(change))
	}
	return people
}

func (x lineExplainer) person(change SeatChange) LinePerson {
	return LinePerson{
		UserID: change.SubjectUserID, Name: cmp.Or(change.SubjectName, account.DeletedName), Left: x.left[change.ID],
		At: change.At, Reason: change.Reason, By: change.ActorName,
	}
}

// billedAt returns the people who were billed at a version of the desired seats, by name. Whoever
// was billed before the ledger had a line about them ceases to be with their first one.
func (x lineExplainer) billedAt(version int64) []LinePerson {
	billed, known := map[string]LinePerson{}, map[string]bool{}
	for _, person := range x.Unrecorded {
		billed[person.UserID] = person
	}
	for _, change := range x.SeatChanges {
		id, left := change.SubjectUserID, x.left[change.ID]
		switch {
		case id == "":
			continue
		case change.Version > version:
			if !known[id] && left {
				billed[id] = LinePerson{UserID: id, Name: cmp.Or(change.SubjectName, account.DeletedName)}
			}
		case left:
			delete(billed, id)
		default:
			billed[id] = x.person(change)
		}
		known[id] = true
	}
	return slices.SortedFunc(maps.Values(billed), byPersonName)
}

func byPersonName(a, b LinePerson) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UserID, b.UserID))
}

// versionAt returns the version of the desired seats at a time.
func (x lineExplainer) versionAt(at time.Time) int64 {
	var version int64
	for _, change := range x.SeatChanges {
		if !change.At.After(at) {
			version = max(version, change.Version)
		}
	}
	return version
}

// attemptBefore returns the last update before a period began; of two within the same seconds, the
// one with the period's quantity.
func (x lineExplainer) attemptBefore(line InvoiceLine) (last SeatAttempt, found bool) {
	for _, attempt := range x.Attempts {
		at := attempt.At
		if !attempt.answeredLate() {
			at = *attempt.AcknowledgedAt
		}
		if attempt.SubscriptionID != line.SubscriptionID || at.After(line.PeriodStart.Add(changeAfterAcknowledgement)) {
			continue
		}
		if attempt.Accepted == nil && attempt.Quantity != line.Quantity {
			continue // without an answer, and not made
		}
		atOnce := found && !at.Before(line.PeriodStart.Add(-changeAfterAcknowledgement))
		if atOnce && last.Quantity == line.Quantity && attempt.Quantity != line.Quantity {
			continue
		}
		last, found = attempt, true
	}
	return last, found
}

// planChangeAt finds the upgrade that made the change.
func (x lineExplainer) planChangeAt(e *ExplainedLine) (PlanChange, bool) {
	i := slices.IndexFunc(x.PlanChanges, func(c PlanChange) bool {
		return c.confirmed() && c.SubscriptionID == e.Lines[0].SubscriptionID && c.ProratedAt != nil && sameTime(*c.ProratedAt, e.Start) &&
			slices.ContainsFunc(e.Lines, func(l InvoiceLine) bool { return l.PriceID == c.FromPriceID || l.PriceID == c.PriceID })
	})
	if i < 0 {
		return PlanChange{}, false
	}
	return x.PlanChanges[i], true
}

// changeBeginning finds the change with which a period began: a downgrade, or a change of the
// interval.
func (x lineExplainer) changeBeginning(line InvoiceLine) (PlanChange, bool) {
	i := slices.IndexFunc(x.PlanChanges, func(c PlanChange) bool {
		begins := c.PeriodEnd
		if c.Kind == PlanUpgrade && c.ProratedAt != nil {
			begins = *c.ProratedAt
		}
		distance := line.PeriodStart.Sub(begins)
		return c.confirmed() && c.SubscriptionID == line.SubscriptionID && c.PriceID == line.PriceID && distance > -time.Minute && distance < time.Hour
	})
	if i < 0 {
		return PlanChange{}, false
	}
	return x.PlanChanges[i], true
}

// confirmed reports whether the change was confirmed and not refused or withdrawn.
func (c PlanChange) confirmed() bool { return c.running() || c.Status == PlanChangeApplied }
