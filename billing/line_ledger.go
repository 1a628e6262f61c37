package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/catalog"
)

// ledgerPart is a part of the seat ledger: the lines after one version, up to and with another.
type ledgerPart struct {
	since, until int64
	whole        bool // all lines, and the members without one
}

// and returns the smallest part that contains both.
func (p ledgerPart) and(other ledgerPart) ledgerPart {
	switch {
	case p.whole || other.whole:
		return ledgerPart{whole: true}
	case p.until == 0:
		return other
	case other.until == 0:
		return p
	}
	return ledgerPart{since: min(p.since, other.since), until: max(p.until, other.until)}
}

// has reports whether a line of the ledger belongs to the part.
func (p ledgerPart) has(change SeatChange) bool {
	return p.whole || change.Version > p.since && change.Version <= p.until
}

// ledgerPart returns what the explanation of an invoice's lines needs of the seat ledger: the lines
// between two updates for a change within a period, and all of it to list who was billed.
func (x lineExplainer) ledgerPart(lines []InvoiceLine) (part ledgerPart) {
	for _, group := range x.groupLines(lines) {
		line := group[0]
		switch {
		case x.isSeatProration(line):
			credit, _ := netLines(group)
			for _, attempt := range x.attemptsAt(line.PeriodStart, group) {
				part = part.and(ledgerPart{since: x.sentBefore(attempt, quantityOf(credit)), until: attempt.Version})
			}
		case line.Subscription && x.Catalog.Recognize(line.PriceID) == catalog.PriceOfPlan:
			attempt, found := x.attemptBefore(line)
			part = part.and(ledgerPart{whole: found && x.needsPeople(line, attempt)})
		}
	}
	return part
}

// needsPeople reports whether the explanation of a whole period lists who was billed. A brief one
// does only if what it says depends on their number.
func (x lineExplainer) needsPeople(line InvoiceLine, last SeatAttempt) bool {
	plan, _, _ := x.Catalog.ByPrice(line.PriceID)
	return plan.PerSeat && (!x.Brief || last.Quantity != line.Quantity || plan.SeatMinimum == line.Quantity)
}

// lineSources reads what lines can be tied to.
func (c *core) lineSources(ctx context.Context, organizationID string) (LineSources, error) {
	sources, err := c.updateSources(ctx, organizationID)
	if err != nil {
		return LineSources{}, err
	}
	return sources, c.addLedger(ctx, organizationID, &sources, ledgerPart{whole: true})
}

// briefSources reads what the lines of some invoices can be tied to in brief.
func (c *core) briefSources(ctx context.Context, organizationID string, invoices ...[]InvoiceLine) (LineSources, error) {
	sources, err := c.updateSources(ctx, organizationID)
	if err != nil {
		return LineSources{}, err
	}
	sources.Brief = true
	x, part := newLineExplainer(sources), ledgerPart{}
	for _, lines := range invoices {
		part = part.and(x.ledgerPart(lines))
	}
	return sources, c.addLedger(ctx, organizationID, &sources, part)
}

// comparedSources reads what two invoices can be tied to, to compare them; in brief, if that is
// enough.
func (c *core) comparedSources(ctx context.Context, organizationID string, last, next []InvoiceLine) (LineSources, error) {
	sources, err := c.updateSources(ctx, organizationID)
	if err != nil {
		return LineSources{}, err
	}
	sources.Brief = true
	part := newLineExplainer(sources).comparedPart(last, next)
	sources.Brief = !part.whole
	return sources, c.addLedger(ctx, organizationID, &sources, part)
}

// comparedPart returns what a comparison of two invoices needs of the seat ledger: beside the parts
// of each, the lines between the seats of their periods.
func (x lineExplainer) comparedPart(last, next []InvoiceLine) ledgerPart {
	part := x.ledgerPart(last).and(x.ledgerPart(next))
	before, _ := periodOf(explainLines(last, x.LineSources))
	after, _ := periodOf(explainLines(next, x.LineSources))
	switch from, to := before.SeatVersion, after.SeatVersion; {
	case from > 0 && to > 0:
		return part.and(ledgerPart{since: min(from, to), until: max(from, to)})
	case from > 0 || to > 0: // one of the periods has no people, or none are known
		return ledgerPart{whole: true}
	}
	return part
}

// updateSources reads the sources except those of the seat ledger.
func (c *core) updateSources(ctx context.Context, organizationID string) (LineSources, error) {
	sources := LineSources{Catalog: c.Catalog()}
	var failed [3]error
	sources.Attempts, failed[0] = c.store.SeatAttempts().OfOrganization(ctx, organizationID)
	sources.PlanChanges, failed[1] = c.store.PlanChanges().Confirmed(ctx, organizationID)
	sources.Subscriptions, failed[2] = c.store.Subscriptions().List(ctx, organizationID, c.knownAccount())
	if err := errors.Join(failed[:]...); err != nil {
		return LineSources{}, fmt.Errorf("read what invoices charge for: %w", err)
	}
	return sources, nil
}

// addLedger reads a part of the seat ledger.
func (c *core) addLedger(ctx context.Context, organizationID string, sources *LineSources, part ledgerPart) error {
	var failed [2]error
	switch ledger := c.store.SeatLedger(); {
	case part.whole:
		sources.SeatChanges, failed[0] = ledger.History(ctx, organizationID)
		var members []account.Member
		members, failed[1] = ledger.Unrecorded(ctx, organizationID)
		for _, m := range members {
			sources.Unrecorded = append(sources.Unrecorded, LinePerson{UserID: m.UserID, Name: m.Name, At: m.JoinedAt})
		}
	case part.until > 0:
		sources.SeatChanges, failed[0] = ledger.Between(ctx, organizationID, part.since, part.until)
		sources.EarlierLines, failed[1] = ledger.CountUntil(ctx, organizationID, unchangedBy(sources.SeatChanges), part.since)
	}
	if err := errors.Join(failed[:]...); err != nil {
		return fmt.Errorf("read what invoices charge for: %w", err)
	}
	return nil
}

// unchangedBy returns the users of lines that left the number of seats as it was.
func unchangedBy(changes []SeatChange) (userIDs []string) {
	for _, change := range changes {
		if change.From == change.To && change.SubjectUserID != "" {
			userIDs = append(userIDs, change.SubjectUserID)
		}
	}
	return userIDs
}
