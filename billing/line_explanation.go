package billing

import (
	"cmp"
	"slices"
	"time"

	"usher/billing/catalog"
	"usher/billing/phrase"
)

// LineReason is why an amount is on an invoice.
type LineReason string

// The reasons of [ExplainedLine].
const (
	LinePlanBegan    LineReason = "plan_began"    // the first period, or the trial
	LineRenewal      LineReason = "renewal"       // a further period
	LinePlanChanged  LineReason = "plan_changed"  // another plan or interval within a period
	LinePlanEnded    LineReason = "plan_ended"    // unused time that a cancellation gave back
	LineSeatsAdded   LineReason = "seats_added"   // for the rest of a period
	LineSeatsRemoved LineReason = "seats_removed" // for the rest of a period
	LinePack         LineReason = "pack"
	LineUsage        LineReason = "usage"
	LineDiscount     LineReason = "discount"
	LineTax          LineReason = "tax"
	LineOther        LineReason = "other" // not from Usher
)

// ExplainedLine ties one or several of Stripe's lines to their cause. A change of the quantity has
// two lines at Stripe, for the unused time of the former quantity and for the remaining time of the
// new one; they are one ExplainedLine
// (https://docs.stripe.com/billing/subscriptions/prorations#how-prorations-work).
type ExplainedLine struct {
	Reason LineReason
	Text   phrase.Phrase // such as "Bo, from 26 Nov"
	Item   string        // the name of a pack or of an item that is not from Usher; empty: not known
	Amount catalog.Money // the sum of the amounts of Lines
	Trial  bool          // it is the line of a free trial, without an amount
	// Explained means that the cause is known. Otherwise Text names what is charged.
	Explained bool
	People    []LinePerson // whose seats it charges or gives back
	Start     time.Time    // of the time that is charged
	End       time.Time
	// The cause: a plan change, or the quantity update that Stripe accepted. Empty: another one.
	PlanChangeID string
	SeatVersion  int64  // the SyncVersion of the quantity update
	RequestID    string // Stripe's, of the quantity update
	Lines        []InvoiceLine
}

// LinePerson is a person whose seat a line is about.
type LinePerson struct {
	UserID string
	Name   string // as the seat ledger shows it
	Left   bool   // their seat was given back
	At     time.Time
	Reason string // the seat ledger's, such as "joined"
	By     string // who did it; empty: the system
}

// LineSources are the causes that lines are tied to, all of one organization, in any order.
type LineSources struct {
	Currency      string
	Catalog       catalog.Catalog
	SeatChanges   []SeatChange  // the whole seat ledger, or the part that a brief explanation needs
	Attempts      []SeatAttempt // all quantity updates
	PlanChanges   []PlanChange
	Subscriptions []Subscription
	// Unrecorded are billed members without a line in the seat ledger, such as the founder.
	Unrecorded []LinePerson
	// Brief leaves out the people of whole periods, who may be thousands. Everything else is as in
	// a full explanation, with no more of the seat ledger than [lineExplainer.ledgerPart].
	Brief bool
	// EarlierLines counts, by user, the lines of the ledger before those in SeatChanges. It has at
	// least the users of lines that left the number of seats as it was.
	EarlierLines map[string]int
}

// InvoiceTotals are the amounts of an invoice beside its lines, in the minor unit.
type InvoiceTotals struct {
	Discount    int64 `db:"discount"`     // taken off the lines
	Tax         int64 `db:"tax"`          // added to them
	TaxIncluded int64 `db:"tax_included"` // contained in them
	Total       int64 `db:"total"`
	// Balance is what the customer's balance changes: negative if it pays a part of the total,
	// positive if a negative total is added to it.
	Balance   int64 `db:"balance"`
	AmountDue int64 `db:"amount_due"` // to be paid, before anything was
}

// Explanation is an explained invoice. The amounts of its lines add up to Total.
type Explanation struct {
	Lines []ExplainedLine
	Total catalog.Money
}

// Remainder returns the lines whose cause is not known.
func (e Explanation) Remainder() []ExplainedLine {
	var rest []ExplainedLine
	for _, line := range e.Lines {
		if !line.Explained {
			rest = append(rest, line)
		}
	}
	return rest
}

// Complete reports whether every minor unit of the invoice is explained.
func (e Explanation) Complete() bool { return len(e.Remainder()) == 0 }

// Explained returns the sum of the lines whose cause is known.
func (e Explanation) Explained() catalog.Money {
	sum := catalog.Money{Currency: e.Total.Currency}
	for _, line := range e.Lines {
		if line.Explained {
			sum.Minor += line.Amount.Minor
		}
	}
	return sum
}

// Percent returns how much of the amounts charged and given back is explained. It is 100 only if
// the explanation is complete.
func (e Explanation) Percent() int {
	var explained, all int64
	for _, line := range e.Lines {
		amount := max(line.Amount.Minor, -line.Amount.Minor)
		all += amount
		if line.Explained {
			explained += amount
		}
	}
	switch {
	case e.Complete():
		return 100
	case all == 0:
		return 0
	}
	return int(min(99, explained*100/all))
}

// explainInvoice explains the lines, discounts and tax of an invoice. It is a pure function.
func explainInvoice(lines []InvoiceLine, totals InvoiceTotals, sources LineSources) Explanation {
	money := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: sources.Currency} }
	e := Explanation{Lines: explainLines(lines, sources), Total: money(totals.Total)}
	if totals.Discount != 0 {
		e.Lines = append(e.Lines, ExplainedLine{Reason: LineDiscount, Text: phrase.Of("Discount"), Amount: money(-totals.Discount), Explained: true})
	}
	if totals.Tax != 0 {
		e.Lines = append(e.Lines, ExplainedLine{Reason: LineTax, Text: phrase.Of("Tax"), Amount: money(totals.Tax), Explained: true})
	}
	missing := totals.Total
	for _, line := range e.Lines {
		missing -= line.Amount.Minor
	}
	if missing != 0 {
		e.Lines = append(e.Lines, ExplainedLine{Reason: LineOther, Text: phrase.Of("Not itemized by Stripe"), Amount: money(missing)})
	}
	return e
}

// explainLines ties lines to their causes: periods first, then changes within a period by time,
// then everything else. It is a pure function.
func explainLines(lines []InvoiceLine, sources LineSources) []ExplainedLine {
	x := newLineExplainer(sources)
	var explained []ExplainedLine
	for _, group := range x.groupLines(lines) {
		explained = append(explained, x.explain(group))
	}
	explained = x.mergeIntervalChanges(explained)
	slices.SortStableFunc(explained, func(a, b ExplainedLine) int {
		return cmp.Or(cmp.Compare(lineOrder[a.Reason], lineOrder[b.Reason]), a.Start.Compare(b.Start))
	})
	return explained
}

var lineOrder = map[LineReason]int{
	LinePlanBegan: 0, LineRenewal: 0, LinePlanChanged: 1, LineSeatsAdded: 1, LineSeatsRemoved: 1, LinePlanEnded: 1, LinePack: 2, LineUsage: 2, LineOther: 3,
}

// lineExplainer has the sources in the order in which Stripe got them.
type lineExplainer struct {
	LineSources
	left map[int64]bool // whether a seat change is about somebody who ceased to be billed, by id
}

func newLineExplainer(sources LineSources) lineExplainer {
	sources.SeatChanges = slices.SortedStableFunc(slices.Values(sources.SeatChanges), func(a, b SeatChange) int { return cmp.Compare(a.ID, b.ID) })
	sources.Attempts = slices.DeleteFunc(slices.Clone(sources.Attempts), func(a SeatAttempt) bool {
		return a.Accepted != nil && !*a.Accepted && !sources.appliedLater(a)
	})
	slices.SortStableFunc(sources.Attempts, func(a, b SeatAttempt) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), a.At.Compare(b.At))
	})
	return lineExplainer{sources, whoLeft(sources.SeatChanges, sources.EarlierLines)}
}

// groupLines puts the lines of one change within a period together: the lines of plan prices of one
// subscription whose time starts in the same second. Every other line is its own group.
func (x lineExplainer) groupLines(lines []InvoiceLine) [][]InvoiceLine {
	type change struct {
		subscription string
		start        int64
	}
	groups := [][]InvoiceLine{}
	changes := map[change]int{}
	for _, line := range lines {
		if !x.isSeatProration(line) {
			groups = append(groups, []InvoiceLine{line})
			continue
		}
		key := change{line.SubscriptionID, line.PeriodStart.Unix()}
		i, exists := changes[key]
		if !exists {
			i = len(groups)
			changes[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], line)
	}
	return groups
}

func (x lineExplainer) isSeatProration(line InvoiceLine) bool {
	return line.Proration && x.Catalog.Recognize(line.PriceID) == catalog.PriceOfPlan
}

func (x lineExplainer) explain(group []InvoiceLine) ExplainedLine {
	line := group[0]
	explained := ExplainedLine{Start: line.PeriodStart, End: line.PeriodEnd, Lines: group, Amount: catalog.Money{Currency: x.Currency}}
	for _, l := range group {
		explained.Amount.Minor += l.Amount
	}
	recognized := x.Catalog.Recognize(line.PriceID)
	switch {
	case x.isSeatProration(line):
		x.explainChange(&explained)
	case recognized == catalog.PriceOfPlan && line.Subscription:
		x.explainPeriod(&explained)
	case recognized == catalog.PriceOfPack:
		pack, _ := x.Catalog.PackByPrice(line.PriceID)
		explained.Reason, explained.Item, explained.Explained = LinePack, pack.Name, true
		explained.Text = phrase.Verbatim(pack.Name)
	default:
		explained.Reason, explained.Item, explained.Text = LineOther, line.Description, phrase.Of("An item that is not from Usher")
		if line.Description != "" {
			explained.Text = phrase.Of("%s, not from Usher", phrase.Name(line.Description))
		}
		if line.Metered {
			explained.Reason = LineUsage
		}
	}
	return explained
}

// explainPeriod explains a line of a whole period.
func (x lineExplainer) explainPeriod(e *ExplainedLine) {
	line := e.Lines[0]
	plan, _, _ := x.Catalog.ByPrice(line.PriceID)
	subscription := x.subscription(line.SubscriptionID)
	e.Reason, e.Explained = LineRenewal, true
	if !subscription.CreatedAt.IsZero() && line.PeriodStart.Before(subscription.CreatedAt.Add(time.Minute)) {
		e.Reason = LinePlanBegan
	}
	if change, found := x.changeBeginning(line); found {
		e.PlanChangeID = change.ID
	}
	if line.Amount == 0 && subscription.TrialEnd != nil && sameTime(line.PeriodEnd, *subscription.TrialEnd) {
		e.Trial = true
		e.Text = phrase.Of("Free trial of %s until %s", phrase.Name(plan.Name), phrase.Date(line.PeriodEnd))
		return
	}
	from, to := phrase.Date(line.PeriodStart), phrase.Date(line.PeriodEnd)
	if !plan.PerSeat {
		e.Text = phrase.Of("%s, %s to %s", phrase.Name(plan.Name), from, to)
		return
	}
	if attempt, found := x.attemptBefore(line); found {
		e.SeatVersion = attempt.Version
		if !attempt.isPurchase() {
			e.RequestID = attempt.RequestID
		}
		if attempt.Quantity == line.Quantity && x.needsPeople(line, attempt) {
			e.People = x.billedAt(attempt.Version)
		}
		if attempt.Quantity != line.Quantity {
			e.People = x.billedAt(x.versionAt(line.PeriodStart))
			e.Explained = e.PlanChangeID != "" || len(e.People) == line.Quantity || plan.SeatMinimum == line.Quantity
		}
	}
	seats := peopleCount(line.Quantity)
	if !e.Explained || len(e.People) != line.Quantity && plan.SeatMinimum == line.Quantity {
		seats = seatCount(line.Quantity)
	}
	e.Text = phrase.Of("%s on %s, %s to %s", phrase.In(seats), phrase.Name(plan.Name), from, to)
	if !e.Explained {
		e.Text = phrase.Of("%s on %s, %s to %s, a number that was set at Stripe", phrase.In(seats), phrase.Name(plan.Name), from, to)
	}
}

// explainChange explains the lines of a change within a period.
func (x lineExplainer) explainChange(e *ExplainedLine) {
	credit, charge := netLines(e.Lines)
	attempts := x.attemptsAt(e.Start, e.Lines)
	changes := x.changesOf(attempts, quantityOf(credit))
	e.People = x.people(changes)
	for _, attempt := range attempts {
		e.SeatVersion, e.RequestID = attempt.Version, attempt.RequestID
	}
	planChange, changed := x.planChangeAt(e)
	switch {
	case changed:
		e.Reason, e.PlanChangeID, e.Explained = LinePlanChanged, planChange.ID, true
		e.Text = phrase.Of("%s, from %s",
			phrase.In(x.planChangeText(planChange.FromPriceID, planChange.PriceID, planChange.Quantity)), shortDate(e.Start, e.End))
	case credit != nil && charge != nil && credit.PriceID != charge.PriceID:
		e.Reason = LinePlanChanged // in Stripe's customer portal, for example
		e.Text = phrase.Of("%s, from %s, changed at Stripe",
			phrase.In(x.planChangeText(credit.PriceID, charge.PriceID, charge.Quantity)), shortDate(e.Start, e.End))
	case len(attempts) > 0:
		e.Reason, e.Explained = seatReasonOf(quantityOf(credit), quantityOf(charge)), true
		e.Text = seatText(e, changes, quantityOf(charge))
	case charge == nil && credit != nil && x.endedAt(*credit):
		plan, _, _ := x.Catalog.ByPrice(credit.PriceID)
		e.Reason, e.Explained, e.Text = LinePlanEnded, true, phrase.Of("%s, until %s", phrase.Name(plan.Name), shortDate(e.Start, e.End))
	default:
		e.Reason = seatReasonOf(quantityOf(credit), quantityOf(charge))
		e.Text = phrase.Of("From %s to %s on %s, changed at Stripe",
			phrase.In(seatCount(quantityOf(credit))), phrase.Number(quantityOf(charge)), shortDate(e.Start, e.End))
	}
}

// netLines returns the credit of what was billed before a change and the charge of what is billed
// after it. If there were several changes within one second, each but the last is charged and
// credited again. nil: none.
func netLines(lines []InvoiceLine) (credit, charge *InvoiceLine) {
	var rest []*InvoiceLine
	for i := range lines {
		line := &lines[i]
		opposite := func(l *InvoiceLine) bool {
			return l.Credit != line.Credit && l.PriceID == line.PriceID && l.Quantity == line.Quantity
		}
		if j := slices.IndexFunc(rest, opposite); j >= 0 {
			rest = slices.Delete(rest, j, j+1)
			continue
		}
		rest = append(rest, line)
	}
	for _, line := range rest {
		if line.Credit {
			credit = line
		} else {
			charge = line
		}
	}
	return credit, charge
}

func quantityOf(line *InvoiceLine) int {
	if line == nil {
		return 0
	}
	return line.Quantity
}

func seatReasonOf(before, after int) LineReason {
	if after < before {
		return LineSeatsRemoved
	}
	return LineSeatsAdded
}

// mergeIntervalChanges puts the credit of an upgrade to another interval and the new period, which
// begins at once, into one line.
func (x lineExplainer) mergeIntervalChanges(lines []ExplainedLine) []ExplainedLine {
	var merged []ExplainedLine
	for _, line := range lines {
		same := func(l ExplainedLine) bool { return line.PlanChangeID != "" && l.PlanChangeID == line.PlanChangeID }
		i := slices.IndexFunc(merged, same)
		if i < 0 {
			merged = append(merged, line)
			continue
		}
		into := &merged[i]
		if line.Reason == LinePlanChanged {
			into.Reason, into.Text = line.Reason, line.Text
		}
		into.Amount.Minor += line.Amount.Minor
		into.Lines = append(slices.Clone(into.Lines), line.Lines...)
	}
	return merged
}

// endedAt reports whether the subscription of a credit ended when the credit begins.
func (x lineExplainer) endedAt(credit InvoiceLine) bool {
	ended := x.subscription(credit.SubscriptionID).EndedAt
	return ended != nil && ended.Sub(credit.PeriodStart).Abs() <= changeAfterAcknowledgement
}

func (x lineExplainer) subscription(id string) Subscription {
	i := slices.IndexFunc(x.Subscriptions, func(s Subscription) bool { return s.ID == id })
	if i < 0 {
		return Subscription{}
	}
	return x.Subscriptions[i]
}

// sameTime compares times to the second, as Stripe has them.
func sameTime(a, b time.Time) bool { return a.Unix() == b.Unix() }
