package billing

import (
	"cmp"
	"slices"
	"time"

	"usher/billing/catalog"
)

// timeline is the pure part of a forecast: on which days invoices are created, and what of. It
// calls nothing; the amounts come with [timeline.invoices].
type timeline struct {
	facts     forecastFacts
	catalog   catalog.Catalog
	next      UpcomingInvoice
	terms     []forecastTerms // oldest first; the first ones are those of now
	steps     []forecastStep
	startedAt time.Time // of the period that runs at the beginning
	endsAt    time.Time // of that period
	anchor    time.Time
	own       bool // that period is the subscription's own, not one that a change begins
}

// forecastTerms are price and quantity from a time on.
type forecastTerms struct {
	from     time.Time
	plan     catalog.Plan
	price    catalog.Price
	quantity int
}

// forecastStep is a part of an invoice. Its amount is fixed, or of a preview with key.
type forecastStep struct {
	at    time.Time
	part  ForecastPart
	key   forecastKey
	fixed bool
}

// forecastKey identifies an amount of Stripe's: of a renewal, or, with from and to, of the rest of
// a period for a quantity instead of the one before.
type forecastKey struct {
	priceID  string
	quantity int
	// discounts is the day whose discounts count.
	discounts time.Time
	before    int
	from, to  time.Time
	whole     time.Duration // the length of the period that ends at to
	current   bool          // the period is the subscription's present one
}

// allDiscounts is the day of the next invoice: all discounts of the subscription count.
var allDiscounts time.Time

func (k forecastKey) prorates() bool { return !k.from.IsZero() }

// forecastAmounts are Stripe's amounts in the minor unit of the currency.
type forecastAmounts map[forecastKey]int64

// newTimeline lays out the coming invoices. change is a change of plan that is made now; nil: none.
func newTimeline(facts forecastFacts, plans catalog.Catalog, next UpcomingInvoice, change *forecastChange, q ForecastQuestion) *timeline {
	t := &timeline{
		facts: facts, catalog: plans, next: next, own: true,
		startedAt: facts.current.CurrentPeriodStart, endsAt: facts.current.CurrentPeriodEnd, anchor: facts.current.CurrentPeriodEnd,
		terms: []forecastTerms{{plan: facts.plan, price: facts.price, quantity: facts.current.Quantity}},
	}
	if anchor := facts.current.BillingCycleAnchor; anchor != nil {
		t.anchor = anchor.UTC()
	}
	t.addScheduled()
	if !t.endsAt.After(facts.now) { // the event of the renewal is late
		t.startedAt, t.endsAt = t.periodAt(facts.now)
	}
	if change == nil || !t.applyChange(*change) {
		t.addPending()
	}
	if q.People != 0 {
		t.addPeople(q)
	}
	t.addRenewals()
	return t
}

// addScheduled adds the terms of a change that is scheduled already.
func (t *timeline) addScheduled() {
	at := t.facts.current.ScheduledAt
	plan, price, known := t.catalog.ByPrice(t.facts.current.ScheduledPriceID)
	if at != nil && known {
		t.terms = append(t.terms, forecastTerms{from: at.UTC(), plan: plan, price: price, quantity: t.facts.current.ScheduledQuantity})
	}
}

// applyChange adds a change of plan. It reports whether the change's own invoice has what is
// pending now.
func (t *timeline) applyChange(change forecastChange) bool {
	terms := forecastTerms{from: t.facts.now, plan: change.to.Plan, price: change.to.Price, quantity: change.Quantity}
	if change.Kind == PlanDowngrade {
		terms.from = change.PeriodEnd
	}
	t.terms = append(t.terms, terms)
	if change.Kind != PlanUpgrade {
		return false
	}
	at := t.facts.now
	if change.ProratedAt != nil {
		at = *change.ProratedAt
	}
	t.add(forecastStep{at: at, fixed: true, part: terms.part(ForecastChange, change.invoice.Total)})
	t.own = false
	if change.to.Price.Interval != t.facts.price.Interval {
		t.startedAt, t.anchor = at, at
		t.endsAt = nextRenewal(at, change.to.Price.Interval, at)
	}
	return true
}

// addPending adds what is pending now: on an invoice of its own, or on the next one.
func (t *timeline) addPending() {
	if t.next.None {
		return
	}
	amount := t.next.Total
	if t.next.RenewsAt == nil {
		amount.Minor -= t.next.wholePeriods()
	}
	if amount.Minor != 0 {
		t.add(forecastStep{at: t.next.At, fixed: true, part: ForecastPart{Kind: ForecastPending, Amount: amount}})
	}
}

// addPeople adds the people who join or leave, with the invoice of the rest of their first period.
func (t *timeline) addPeople(q ForecastQuestion) {
	from := q.From
	if from.Before(t.facts.now) { // today
		from = t.facts.now
	}
	later := t.termsFrom(from)
	before := later[0]
	for _, terms := range later {
		terms.from = latest(terms.from, from)
		terms.quantity = changeQuantity(terms.plan, t.facts.state, t.facts.billed+q.People)
		t.terms = append(t.terms, terms)
	}
	slices.SortStableFunc(t.terms, func(a, b forecastTerms) int { return a.from.Compare(b.from) })
	start, end := t.periodAt(from)
	if after := t.termsAt(from); after.quantity != before.quantity && t.prorates(before, after, from) && !from.Equal(end) && !from.Equal(start) {
		key := forecastKey{
			priceID: after.price.ID, quantity: after.quantity, before: before.quantity, from: from, to: end,
			whole:   periodLength(t.anchor, after.price.Interval, end),
			current: t.own && end.Equal(t.facts.current.CurrentPeriodEnd) && after.price.ID == t.facts.current.PriceID,
		}
		part := after.part(ForecastPeople, catalog.Money{})
		part.From = &from
		t.add(forecastStep{at: t.invoicedAt(before, after, from, end), key: key, part: part})
	}
}

// prorates reports whether a change of quantity within a period is charged or credited.
func (t *timeline) prorates(before, after forecastTerms, at time.Time) bool {
	trial := t.facts.current.TrialEnd
	if trial != nil && t.facts.current.Status == StatusTrialing && at.Before(*trial) {
		return false
	}
	if after.quantity < before.quantity && t.facts.current.Status == StatusPastDue {
		return false
	}
	return prorationOf(before, after) != catalog.ProrationNone
}

func prorationOf(before, after forecastTerms) catalog.Proration {
	policy := after.plan.SeatPolicy(after.price.ID)
	if after.quantity < before.quantity {
		return policy.OnDecrease
	}
	return policy.OnIncrease
}

// invoicedAt returns when Stripe invoices a proration: at once, with the next monthly invoice of
// pending items, or with the renewal.
func (t *timeline) invoicedAt(before, after forecastTerms, at, periodEnd time.Time) time.Time {
	if prorationOf(before, after) == catalog.ProrationAlwaysInvoice {
		return at
	}
	if interval := after.plan.SeatPolicy(after.price.ID).PendingInvoiceInterval; interval != "" {
		periodEnd = earliest(periodEnd, nextRenewal(t.anchor, interval, at))
	}
	if end := t.facts.endsAt; end != nil {
		periodEnd = earliest(periodEnd, *end)
	}
	return periodEnd
}

// addRenewals adds the renewals until the end of the plan or of the forecast. A first renewal that
// is later is still listed.
func (t *timeline) addRenewals() {
	for at, n := t.endsAt, 0; n == 0 || at.Before(t.facts.until()); n++ {
		if end := t.facts.endsAt; end != nil && !at.Before(*end) {
			return
		}
		terms := t.termsAt(at)
		key := forecastKey{priceID: terms.price.ID, quantity: terms.quantity}
		if n > 0 || !t.own || t.next.RenewsAt != nil { // an earlier invoice may use up a discount for one invoice
			key.discounts = t.next.discountDay(at)
		}
		t.add(forecastStep{at: at, key: key, part: terms.part(ForecastRenewal, catalog.Money{})})
		_, at = t.periodAt(at)
	}
}

// periodAt returns the period that a time is in.
func (t *timeline) periodAt(at time.Time) (start, end time.Time) {
	start, end = t.startedAt, t.endsAt
	for !at.Before(end) {
		start, end = end, nextRenewal(t.anchor, t.termsAt(end).price.Interval, end)
	}
	return start, end
}

func (t *timeline) termsAt(at time.Time) forecastTerms {
	found := t.terms[0]
	for _, terms := range t.terms {
		if !terms.from.After(at) {
			found = terms
		}
	}
	return found
}

// termsFrom returns the terms at a time, and those that follow.
func (t *timeline) termsFrom(at time.Time) []forecastTerms {
	found := []forecastTerms{t.termsAt(at)}
	for _, terms := range t.terms {
		if terms.from.After(at) {
			found = append(found, terms)
		}
	}
	return found
}

func (t *timeline) lastSeats() int { return t.terms[len(t.terms)-1].quantity }

// checkSeats returns CodeConflict if a plan has no room for the people.
func (t *timeline) checkSeats() error {
	for _, terms := range t.terms {
		if err := terms.plan.RequireSeats(terms.quantity); err != nil {
			return err
		}
	}
	return nil
}

func (t *timeline) add(step forecastStep) { t.steps = append(t.steps, step) }

func (x forecastTerms) part(kind ForecastPartKind, amount catalog.Money) ForecastPart {
	return ForecastPart{Kind: kind, Amount: amount, PlanID: x.plan.ID, Interval: x.price.Interval, Seats: x.quantity}
}

// keys returns the amounts that the timeline needs.
func (t *timeline) keys() []forecastKey {
	var keys []forecastKey
	for _, step := range t.steps {
		if !step.fixed {
			keys = append(keys, step.key)
		}
	}
	return keys
}

// invoices returns the invoices with their amounts, oldest first. The customer's balance pays the
// first ones, as far as it lasts.
func (t *timeline) invoices(amounts forecastAmounts) []ForecastInvoice {
	currency := t.facts.price.Amount.Currency
	invoices := []ForecastInvoice{}
	slices.SortStableFunc(t.steps, func(a, b forecastStep) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(b.part.Kind, a.part.Kind))
	})
	for _, step := range t.steps {
		if !step.fixed {
			step.part.Amount = catalog.Money{Minor: amounts[step.key], Currency: currency}
		}
		last := len(invoices) - 1
		if last < 0 || !invoices[last].At.Equal(step.at) {
			invoices = append(invoices, ForecastInvoice{At: step.at, Total: catalog.Money{Currency: currency}})
			last++
		}
		invoices[last].Total.Minor += step.part.Amount.Minor
		invoices[last].Parts = append(invoices[last].Parts, step.part)
	}
	balance := t.next.EndingBalance.Minor + t.next.BalanceUsed.Minor
	for i := range invoices {
		due := invoices[i].Total.Minor + balance
		invoices[i].Due = catalog.Money{Minor: max(0, due), Currency: currency}
		balance = min(0, due)
	}
	return invoices
}

// nextRenewal returns the first end of a period after a time, counted from the billing cycle
// anchor. In a month without the anchor's day it is the last one.
func nextRenewal(anchor time.Time, interval catalog.Interval, after time.Time) time.Time {
	months := interval.Months()
	for n := monthsBetween(anchor, after)/months*months - months; ; n += months {
		if at := monthsAfter(anchor, anchor.Day(), n); at.After(after) {
			return at
		}
	}
}

// periodLength returns how long a whole period is that ends at a time.
func periodLength(anchor time.Time, interval catalog.Interval, end time.Time) time.Duration {
	n := monthsBetween(anchor, end)
	return monthsAfter(anchor, anchor.Day(), n).Sub(monthsAfter(anchor, anchor.Day(), n-interval.Months()))
}

// monthsBetween returns the number of months from that of one time to that of another.
func monthsBetween(from, to time.Time) int {
	return (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
}

// previewable returns the key's part of a period, or a later one that Stripe charges the same for:
// as long, of a period that is as long. A preview knows only the day on which the first period
// ends. It is refused for the last days before a short month, whose natural period ends earlier,
// and takes another length for a period whose anchor is on a day that the month doesn't have. A
// period from the first of a month has neither.
func (k forecastKey) previewable(interval catalog.Interval) (from, to time.Time) {
	months := interval.Months()
	if !monthsAfter(k.from, k.from.Day(), months).Before(k.to) && periodLength(k.to, interval, k.to) == k.whole {
		return k.from, k.to
	}
	first := time.Date(k.from.Year(), k.from.Month(), 1, 0, 0, 0, 0, time.UTC)
	for ; ; first = first.AddDate(0, 1, 0) {
		to = first.AddDate(0, months, 0)
		if from = to.Add(k.from.Sub(k.to)); to.Sub(first) == k.whole && !from.Before(k.from) {
			return from, to
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// wholePeriods returns the sum of the lines of whole periods, after discounts and with tax. Usage
// is left out: that of coming periods is not known.
func (p InvoicePreview) wholePeriods() int64 {
	var sum int64
	for _, line := range p.Lines {
		if line.Subscription && !line.Proration && !line.Metered {
			sum += line.Net.Minor
		}
	}
	return sum
}

// proratedFrom returns the sum of the prorations of a change at a time.
func (p InvoicePreview) proratedFrom(at time.Time) int64 {
	var sum int64
	for _, line := range p.Lines {
		if line.Proration && line.PeriodStart.Equal(at) {
			sum += line.Net.Minor
		}
	}
	return sum
}

// sumOf returns the sum of the lines of a price.
func (p InvoicePreview) sumOf(priceID string) int64 {
	var sum int64
	for _, line := range p.Lines {
		if line.PriceID == priceID && line.Subscription {
			sum += line.Net.Minor
		}
	}
	return sum
}

// lasts reports whether a discount counts on invoices of a day after the next invoice.
func (d PreviewDiscount) lasts(at time.Time) bool {
	return !d.Once && (d.EndsAt == nil || at.Before(*d.EndsAt))
}

// discountDay returns a day on which the same discounts count as on a later one, so that renewals
// with the same discounts share an amount.
func (p InvoicePreview) discountDay(at time.Time) time.Time {
	all := !slices.ContainsFunc(p.Discounts, func(d PreviewDiscount) bool { return !d.lasts(at) })
	if all {
		return allDiscounts
	}
	var day time.Time
	for _, d := range p.Discounts {
		if d.EndsAt != nil && !at.Before(*d.EndsAt) {
			day = latest(day, *d.EndsAt)
		}
	}
	return latest(day, p.At)
}

// discountsAt returns the discounts (di_…) that count on a day.
func (p InvoicePreview) discountsAt(at time.Time) []string {
	ids := []string{}
	for _, d := range p.Discounts {
		if d.lasts(at) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// couponsAt returns the coupons of the discounts that count on a day.
func (p InvoicePreview) couponsAt(at time.Time) []string {
	var ids []string
	for _, d := range p.Discounts {
		if d.lasts(at) {
			ids = append(ids, d.CouponID)
		}
	}
	return ids
}
