package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/phrase"
)

// AmountChange says why the next invoice is not the amount of the last one.
type AmountChange struct {
	Last       Invoice // the last invoice of a period of the plan
	Yearly     bool    // it was a year's
	Difference catalog.Money
	// Parts add up to Difference.
	Parts []AmountPart
}

// AmountPart is a part of a difference, with its reason in words.
type AmountPart struct {
	Text   phrase.Phrase
	Amount catalog.Money
	people []string // ids of the people in Text
}

// Reason names the reasons of the difference in one phrase: "Bo joined on 26 Nov". Zero: nothing
// changed.
func (c AmountChange) Reason() phrase.Phrase {
	var texts []phrase.Phrase
	named := map[string]bool{}
	for _, part := range c.Parts {
		unnamed := slices.ContainsFunc(part.people, func(id string) bool { return !named[id] })
		if len(part.people) > 0 && !unnamed {
			continue // the first part about these people has said it
		}
		for _, id := range part.people {
			named[id] = true
		}
		texts = append(texts, part.Text)
	}
	if len(texts) > reasonsShown {
		texts = append(texts[:reasonsShown], phrase.Of("and more"))
	}
	return phrase.Join(texts)
}

const reasonsShown = 2

// SinceLast compares the next invoice with the last one that charged a period of the same
// subscription; false if there is none, if that was a free trial, if the next one renews nothing,
// or if the lines of either are not known. It calls nothing at Stripe. Error: CodeForbidden.
func (h *Histories) SinceLast(ctx context.Context, a account.Access, next UpcomingInvoice) (AmountChange, bool, error) {
	if err := a.RequireBilling(); err != nil || next.None || next.SubscriptionID == "" {
		return AmountChange{}, false, err
	}
	last, details, found, err := h.lastPeriodInvoice(ctx, a, next.SubscriptionID)
	if err != nil || !found {
		return AmountChange{}, false, err
	}
	sources, err := h.comparedSources(ctx, a.Organization.ID, details.Lines, invoiceLines(next.SubscriptionID, next.Lines))
	if err != nil {
		return AmountChange{}, false, err
	}
	sources.Currency = last.Currency
	change, comparable := compareAmounts(next, last, details, sources)
	return change, comparable, nil
}

// lastInvoicesRead is how many of the newest invoices are searched for one that charged a period:
// between two of a yearly plan there may be one for the seats of each month.
const lastInvoicesRead = 24

// lastPeriodInvoice reads the newest invoice with a line for a period of the subscription, and its
// details.
func (h *Histories) lastPeriodInvoice(ctx context.Context, a account.Access, subscriptionID string) (Invoice, InvoiceDetails, bool, error) {
	invoices, err := h.store.Invoices().List(ctx, a.Organization.ID, h.knownAccount(), lastInvoicesRead)
	if err != nil {
		return Invoice{}, InvoiceDetails{}, false, fmt.Errorf("list invoices: %w", err)
	}
	invoices = slices.DeleteFunc(invoices, func(i Invoice) bool { return i.SubscriptionID != subscriptionID || i.Status == InvoiceVoid })
	var ids []string
	for _, invoice := range invoices {
		ids = append(ids, invoice.ID)
	}
	details, err := h.store.InvoiceDetails().List(ctx, a.Organization.ID, ids)
	if err != nil {
		return Invoice{}, InvoiceDetails{}, false, fmt.Errorf("list invoice details: %w", err)
	}
	for _, invoice := range invoices {
		i := slices.IndexFunc(details, func(d InvoiceDetails) bool { return d.InvoiceID == invoice.ID })
		if i < 0 || !details[i].current(invoice) {
			return Invoice{}, InvoiceDetails{}, false, nil // it may be the one
		}
		if _, plan, _ := h.periodLine(Invoice{Lines: details[i].Lines}); plan.ID != "" {
			return invoice, details[i], true, nil
		}
	}
	return Invoice{}, InvoiceDetails{}, false, nil
}

// compareAmounts divides the difference between two invoices into parts with a reason each. It is a
// pure function. The parts are the plan's periods, then what only one of the two charges, then
// discounts, tax and balance.
func compareAmounts(next UpcomingInvoice, last Invoice, details InvoiceDetails, sources LineSources) (AmountChange, bool) {
	after := explainLines(invoiceLines(next.SubscriptionID, next.Lines), sources)
	before := explainLines(details.Lines, sources)
	nextPeriod, ok1 := periodOf(after)
	lastPeriod, ok2 := periodOf(before)
	if !ok1 || !ok2 || lastPeriod.Trial || !strings.EqualFold(next.AmountDue.Currency, last.Currency) {
		return AmountChange{}, false
	}
	_, price, _ := sources.Catalog.ByPrice(lastPeriod.Lines[0].PriceID)
	change := AmountChange{
		Last: last, Yearly: price.Interval == catalog.Yearly,
		Difference: catalog.Money{Minor: next.AmountDue.Minor - details.AmountDue, Currency: next.AmountDue.Currency},
	}
	change.addPeriods(lastPeriod, nextPeriod, sources)
	for _, line := range after {
		if !line.isPeriod() {
			change.add(line.Text, line.Amount.Minor, line.People)
		}
	}
	for _, line := range before {
		if !line.isPeriod() {
			change.add(phrase.Of("%s, on the last invoice only", phrase.In(line.Text)), -line.Amount.Minor, line.People)
		}
	}
	change.add(phrase.Of("Discount"), details.Discount-next.Discount.Minor, nil)
	change.add(phrase.Of("Tax"), next.Tax.Minor-next.TaxIncluded.Minor-details.Tax, nil)
	change.add(phrase.Of("Balance"), next.BalanceUsed.Minor-details.Balance, nil)
	change.add(phrase.Of("Further lines"), change.Difference.Minor-change.sum(), nil)
	return change, true
}

func (e ExplainedLine) isPeriod() bool { return e.Reason == LineRenewal || e.Reason == LinePlanBegan }

// periodOf finds the line of the plan's period.
func periodOf(lines []ExplainedLine) (ExplainedLine, bool) {
	i := slices.IndexFunc(lines, ExplainedLine.isPeriod)
	if i < 0 {
		return ExplainedLine{}, false
	}
	return lines[i], true
}

func (c *AmountChange) sum() int64 {
	var sum int64
	for _, part := range c.Parts {
		sum += part.Amount.Minor
	}
	return sum
}

func (c *AmountChange) add(text phrase.Phrase, minor int64, people []LinePerson) {
	if minor == 0 {
		return
	}
	part := AmountPart{Text: text, Amount: catalog.Money{Minor: minor, Currency: c.Difference.Currency}}
	for _, person := range people {
		part.people = append(part.people, person.UserID)
	}
	c.Parts = append(c.Parts, part)
}

// addPeriods compares the plan's periods: another plan, other people, or another price.
func (c *AmountChange) addPeriods(last, next ExplainedLine, sources LineSources) {
	minor := next.Amount.Minor - last.Amount.Minor
	x := newLineExplainer(sources)
	joined, left := without(next.People, last.People), without(last.People, next.People)
	if x.Brief {
		joined, left = x.cameAndWent(last.SeatVersion, next.SeatVersion)
	}
	from, fromPrice, _ := sources.Catalog.ByPrice(last.Lines[0].PriceID)
	to, toPrice, _ := sources.Catalog.ByPrice(next.Lines[0].PriceID)
	var texts []phrase.Phrase
	if from.ID != to.ID || fromPrice.Interval != toPrice.Interval {
		texts = append(texts, x.planChangeText(last.Lines[0].PriceID, next.Lines[0].PriceID, next.Lines[0].Quantity))
	}
	if len(joined) > 0 {
		texts = append(texts, peopleText(joined, false))
	}
	if len(left) > 0 {
		texts = append(texts, peopleText(whenLeft(left, sources.SeatChanges), true))
	}
	switch before, after := last.Lines[0].Quantity, next.Lines[0].Quantity; {
	case len(texts) > 0:
	case before != after:
		texts = append(texts, phrase.Of("%s instead of %s", phrase.In(seatCount(after)), phrase.Number(before)))
	default:
		texts = append(texts, phrase.Of("Another price"))
	}
	c.add(phrase.Join(texts), minor, append(joined, left...))
}

// cameAndWent returns who is billed at a version of the desired seats and was not at an earlier
// one, and who no longer is, both by name. The ledger's lines between the two say it.
func (x lineExplainer) cameAndWent(before, after int64) (came, went []LinePerson) {
	first, last := map[string]SeatChange{}, map[string]SeatChange{}
	for _, change := range x.SeatChanges {
		id := change.SubjectUserID
		if id == "" || change.Version <= before || change.Version > after {
			continue
		}
		if _, known := first[id]; !known {
			first[id] = change
		}
		last[id] = change
	}
	for id, change := range last {
		switch was, is := x.left[first[id].ID], !x.left[change.ID]; {
		case is && !was:
			came = append(came, x.person(change))
		case was && !is:
			went = append(went, x.person(change))
		}
	}
	slices.SortFunc(came, byPersonName)
	slices.SortFunc(went, byPersonName)
	return came, went
}

// without returns the people who are not among others.
func without(people, others []LinePerson) []LinePerson {
	return slices.DeleteFunc(slices.Clone(people), func(p LinePerson) bool {
		return slices.ContainsFunc(others, func(o LinePerson) bool { return o.UserID == p.UserID })
	})
}

// whenLeft sets when and why people ceased to be billed: with the newest line of the ledger about
// them.
func whenLeft(people []LinePerson, changes []SeatChange) []LinePerson {
	for i := range people {
		people[i].At, people[i].Reason = time.Time{}, ""
		for _, change := range changes {
			if change.SubjectUserID == people[i].UserID && change.At.After(people[i].At) {
				people[i].At, people[i].Reason = change.At, change.Reason
			}
		}
	}
	return people
}

// peopleText says who came or went, and when if it was one day: "Bo joined on 26 Nov", "Bo, Cy and
// 3 more joined". Whoever stays a member and only gets or loses a seat did not join or leave.
func peopleText(people []LinePerson, left bool) phrase.Phrase {
	var names []string
	sameDay, seatOnly := !people[0].At.IsZero(), false
	for _, person := range people {
		names = append(names, person.Name)
		sameDay = sameDay && startOfDay(person.At).Equal(startOfDay(people[0].At))
		seatOnly = seatOnly || person.Reason == account.ReasonSeatGiven || person.Reason == account.ReasonSeatTaken
	}
	who, day := phrase.In(phrase.Names(names)), phrase.Day(people[0].At)
	text, dated := phrase.Of("%s joined", who), phrase.Of("%s joined on %s", who, day)
	switch {
	case left && seatOnly:
		text, dated = phrase.Of("%s gave a seat back", who), phrase.Of("%s gave a seat back on %s", who, day)
	case left:
		text, dated = phrase.Of("%s left", who), phrase.Of("%s left on %s", who, day)
	case seatOnly:
		text, dated = phrase.Of("%s got a seat", who), phrase.Of("%s got a seat on %s", who, day)
	}
	if sameDay {
		return dated
	}
	return text
}

func startOfDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
