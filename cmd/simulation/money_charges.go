package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// charge identifies what a line charges or credits for a plan.
type charge struct {
	price      string
	start, end int64
	quantity   int64
	amount     int64
	proration  bool
}

func (c charge) String() string {
	kind := "period"
	if c.proration {
		kind = "proration"
	}
	return fmt.Sprintf("%s of %s × %d from %d to %d: %d", kind, c.price, c.quantity, c.start, c.end, c.amount)
}

// chargeBook compares what a subscription should have charged with what Stripe charged.
type chargeBook struct {
	past    *subscriptionPast
	charged map[charge]int // lines at Stripe that are not explained yet
	void    map[charge]int // of them, lines of invoices that are void or only begin with the payment
	missing []charge
	checked int
	total   int64
}

// verifyCharges explains each line of our subscriptions by an event, and each event by its lines.
func (o *moneyOracle) verifyCharges(h *history) {
	for _, past := range o.of(h.organizationID) {
		if !past.ours() || len(past.events) == 0 {
			continue
		}
		book := o.openChargeBook(past)
		book.explainPeriods()
		var uncertain [][][]charge
		for n := 1; n < len(past.events); n++ {
			uncertain = append(uncertain, o.explainChange(h, book, n))
		}
		book.explainUncertain(uncertain)
		o.closeBook(h, book)
	}
}

func (o *moneyOracle) openChargeBook(past *subscriptionPast) *chargeBook {
	book := &chargeBook{past: past, charged: map[charge]int{}, void: map[charge]int{}}
	for _, line := range past.lines {
		if line.Price.plan() == "" {
			continue
		}
		c := charge{line.Price.ID, line.Period.Start, line.Period.End, line.Quantity, line.Amount, line.Proration}
		book.charged[c]++
		book.total += line.Amount
		if status := o.statuses[line.Invoice]; status == "void" || status == "open" && past.PendingUpdate != nil {
			book.void[c]++
		}
	}
	return book
}

// explain takes an expected line from those at Stripe.
func (b *chargeBook) explain(c charge) {
	b.checked++
	if b.charged[c] == 0 {
		b.missing = append(b.missing, c)
		return
	}
	if b.charged[c]--; b.charged[c] == 0 {
		delete(b.charged, c)
	}
}

// has reports whether Stripe has a line that is not explained yet.
func (b *chargeBook) has(c charge) bool { return b.charged[c] > 0 }

// explainPeriods expects one full charge for each period, and nothing for a trial.
func (b *chargeBook) explainPeriods() {
	last := recordedSubscription{}
	for _, e := range b.past.events {
		s := e.Data.Object
		item, ours := s.seatItem()
		if !ours || samePeriod(s, last) {
			continue
		}
		last = s
		c := charge{item.Price.ID, s.PeriodStart, s.PeriodEnd, item.Quantity, item.Price.UnitAmount * item.Quantity, false}
		if s.Status == "trialing" {
			c.amount = 0
		}
		b.explain(c)
	}
}

// samePeriod reports whether no period began between two states of a subscription.
func samePeriod(a, b recordedSubscription) bool {
	return a.PeriodStart == b.PeriodStart && a.PeriodEnd == b.PeriodEnd
}

// explainChange expects the prorations of a change of the seat item. If the change may also have
// cost nothing, it returns the alternatives for [chargeBook.explainUncertain] instead.
func (o *moneyOracle) explainChange(h *history, b *chargeBook, n int) (uncertain [][]charge) {
	c, changed := b.past.changeAt(n)
	if !changed {
		return nil
	}
	switch behavior := o.behavior(h, b.past, n, c.was, c.is); behavior {
	case "none":
	case "either": // Usher may not have known yet that the subscription is past due
		return c.charges(o.datesOf(h, c)...)
	case "confirmed": // at the time of the preview, up to an hour earlier
		b.explainAll(b.found(c.charges(b.previewedAt(c)...)))
	default:
		b.explainAll(b.found(c.charges(o.datesOf(h, c)...)))
	}
	return nil
}

// explainUncertain takes the lines of changes that may have cost nothing. It comes last: a change
// that is made twice within a second has the same lines, and one of the two may be certain.
func (b *chargeBook) explainUncertain(changes [][][]charge) {
	for _, alternatives := range changes {
		if i := slices.IndexFunc(alternatives, b.hasAll); i >= 0 {
			b.explainAll(alternatives[i])
		}
	}
}

// found returns the first of several possible charges that Stripe has made, or the first of all.
func (b *chargeBook) found(alternatives [][]charge) []charge {
	i := slices.IndexFunc(alternatives, b.hasAll)
	return alternatives[max(0, i)]
}

// hasAll reports whether Stripe has all lines of a change.
func (b *chargeBook) hasAll(lines []charge) bool {
	return !slices.ContainsFunc(lines, func(c charge) bool { return !b.has(c) })
}

func (b *chargeBook) explainAll(lines []charge) {
	for _, c := range lines {
		b.explain(c)
	}
}

// previewedAt lists the dates from which a confirmed change may have been prorated, the latest
// first: those of the lines that give back what was there before.
func (b *chargeBook) previewedAt(c itemChange) []int64 {
	at := c.event.Created
	var dates []int64
	for line := range b.charged {
		if line.proration && line.amount <= 0 && line.price == c.was.Price.ID && line.quantity == c.was.Quantity && line.start <= at && line.start >= at-2*60*60 {
			dates = append(dates, line.start)
		}
	}
	slices.Sort(dates)
	slices.Reverse(dates)
	return append(dates, at)
}

// behavior says how a change of a seat item is charged: by the policy if Usher made it, and as they
// asked if somebody else did.
func (o *moneyOracle) behavior(h *history, past *subscriptionPast, n int, was, is recordedItem) string {
	e := past.events[n]
	switch key := e.Request.IdempotencyKey; {
	case key == "" && past.events[n-1].Data.Object.Schedule != "":
		return "none" // a phase of Usher's schedule, which support's switch has put within a period
	case strings.HasPrefix(key, "simulation:"):
		return h.behaviorOf(key)
	case strings.HasPrefix(key, "plan:"):
		return "confirmed"
	case !samePeriod(e.Data.Object, past.events[n-1].Data.Object):
		return "none" // a scheduled change at the end of the period
	case strings.HasPrefix(key, "seats:"):
		if made, known := o.confirmedAt(h, past, n); known && o.undisturbed(past, n, made) {
			return made.shown.behavior()
		}
		return o.seatBehavior(past, n, was, is)
	}
	return "create_prorations"
}

// seatBehavior is the policy of the plans: seats that are added are charged and seats that are
// removed are credited, except while an invoice is unpaid, since the money was not received. Where
// removed seats stay paid until the period ends, they cost nothing when they are added again.
//
// While Usher does not know the state of the subscription, either may happen.
func (o *moneyOracle) seatBehavior(past *subscriptionPast, n int, was, is recordedItem) string {
	terms, increase := soldPlans[is.Price.plan()], is.Quantity > was.Quantity
	switch {
	case !o.knownBefore(past, n):
		return "either"
	case !terms.perSeat:
		return "create_prorations"
	case terms.atRenewal && (!increase || is.Quantity <= past.mostSeats(n)):
		return "either"
	case !increase && past.events[n-1].Data.Object.Status == "past_due":
		return "none"
	}
	return "create_prorations"
}

// knownBefore reports whether Usher knew the status and the price before a change.
func (o *moneyOracle) knownBefore(past *subscriptionPast, n int) bool {
	is := past.events[n-1].Data.Object
	since := n - 1
	for since > 0 {
		before := past.events[since-1].Data.Object
		was, _ := before.seatItem()
		now, _ := is.seatItem()
		if before.Status != is.Status || was.Price.ID != now.Price.ID {
			break
		}
		since--
	}
	return since == 0 || o.env.webhookProxy.acknowledgedBefore(past.events[since].ID, past.events[n].ID, o.fixedAt(past.events[n]))
}

// fixedAt returns when the parameters of a seat update were stored. Every repetition under its key
// has the same ones, so that is what Usher knew of when it decided how to prorate.
func (o *moneyOracle) fixedAt(e subscriptionEvent) time.Time {
	at := time.Unix(e.Created, 0)
	_ = o.env.store.DB().Get(&at, `select at from seat_attempts where key = $1`, e.Request.IdempotencyKey)
	return at
}

// attemptsOf describes the seat updates that Usher sent, for a divergence.
func (o *moneyOracle) attemptsOf(past *subscriptionPast) string {
	var lines []string
	err := o.env.store.DB().Select(&lines, `
		select format('%s × %s, %s from %s, stored at %s: %s', key, quantity, proration, coalesce(extract(epoch from prorated_at)::bigint, 0),
			extract(epoch from at)::bigint, error)
		from seat_attempts where subscription_id = $1 order by at`, past.ID)
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "; ")
}

// mostSeats returns the largest quantity of the running period before an event.
func (s *subscriptionPast) mostSeats(n int) (most int64) {
	for _, e := range s.events[:n] {
		if item, ours := e.Data.Object.seatItem(); ours && samePeriod(e.Data.Object, s.events[n].Data.Object) {
			most = max(most, item.Quantity)
		}
	}
	return most
}

// closeBook reports what is missing and what nothing explains.
func (o *moneyOracle) closeBook(h *history, b *chargeBook) {
	o.results.countMoney("lines charged", b.past.Currency, b.total, b.checked)
	for _, c := range b.missing {
		h.diverged("%s: not charged: %v, of %s, updated by [%s]", b.past.ID, c, o.summary(h.organizationID), o.attemptsOf(b.past))
	}
	for _, c := range slices.SortedFunc(maps.Keys(b.charged), func(x, y charge) int { return strings.Compare(x.String(), y.String()) }) {
		if b.charged[c] > b.void[c] { // a change whose payment failed charges nothing
			h.diverged("%s: charged without a reason: %v, of %s", b.past.ID, c, o.summary(h.organizationID))
		}
	}
	o.verifyPendingLines(h, b.past)
}

// needsMonthlyInvoices reports whether Usher has set the seats of a yearly plan.
func (s *subscriptionPast) needsMonthlyInvoices() bool {
	item, ours := s.seatItem()
	if !ours || s.ended() || item.Price.months() != 12 || !soldPlans[item.Price.plan()].perSeat {
		return false
	}
	return slices.ContainsFunc(s.events, func(e subscriptionEvent) bool {
		then, _ := e.Data.Object.seatItem()
		return strings.HasPrefix(e.Request.IdempotencyKey, "seats:") && then.Price.ID == item.Price.ID
	})
}

// longestPending is how long seats of the current plan may stay uninvoiced, in seconds: a month,
// with a margin for the time until Usher learns of the plan.
const longestPending = 62 * 24 * 60 * 60

// verifyPendingLines checks that seats are invoiced each month, also within a yearly period.
func (o *moneyOracle) verifyPendingLines(h *history, past *subscriptionPast) {
	if past.needsMonthlyInvoices() && past.PendingInterval.Interval != "month" {
		h.diverged("%s: seats of the yearly plan are not invoiced each month", past.ID)
	}
	current, _ := o.runningSubscription(h.organizationID)
	if current != past || past.Status != "active" {
		return
	}
	for _, line := range o.pending {
		// Support's switch to a yearly plan without seats is invoiced with its renewal.
		flat := line.Price.months() == 12 && !soldPlans[line.Price.plan()].perSeat
		if line.Subscription == past.ID && line.Invoice == "" && line.Amount > 0 && !flat && line.Period.Start < o.now-longestPending {
			h.diverged("%s: %d are not invoiced since %d", past.ID, line.Amount, line.Period.Start)
		}
	}
}
