package billing_test

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"
)

// This file calculates by hand what a year costs. It uses nothing of the program or the local
// Stripe: only the script, and the rules as Stripe documents them
// (https://docs.stripe.com/billing/subscriptions/prorations).

const (
	handDraft   = time.Hour // how long the invoice of a renewal stays a draft
	handMinimum = 50        // the least amount that is charged, in USD and JPY; less is carried over
	handQuiet   = 3 * time.Second
	handLimit   = 30 * time.Second
)

// hand is the state of the calculation.
type hand struct {
	yearScenario
	plan       string
	billed     int // members
	quantity   int // billed at Stripe
	start, end time.Time
	pending    []yearLine
	balance    int64
	invoices   []*yearInvoice
	unpaid     *yearInvoice // the renewal that failed
	card       string
	laterPlan  string
	first, due time.Time // of a seat change that is not sent; zero: none
	todo       []handTask
	credits    handCredits
}

// handCredits is the credit account.
type handCredits struct {
	statement   []yearCredit
	balance     int
	base        int   // of the paid period's plan, after refunds
	gains       []int // of the period's upgrades, after refunds
	baseInvoice *yearInvoice
	gainInvoice *yearInvoice // of the last upgrade
	consumed    int          // this month
}

// handTask is something that happens at a time. Of one second, Stripe's own come first.
type handTask struct {
	at    time.Time
	order int
	run   func(at time.Time)
}

const (
	handOfStripe = iota
	handOfMonth
	handOfSeats
	handOfPeople
)

// calculate returns all invoices and the credit statement.
func (s yearScenario) calculate() ([]yearInvoice, []yearCredit) {
	h := &hand{yearScenario: s, plan: "starter", billed: yearSeats, quantity: yearSeats, card: goodCard, start: yearTime(yearStart)}
	h.end = h.periodEnd(h.start)
	h.invoice("subscription_create", h.start, []yearLine{h.periodLine()}, 0)
	h.add(handTask{h.end, handOfStripe, h.renew})
	for n := 1; yearAnniversary(n).Before(yearTime(yearEnd)); n++ {
		if s.interval == "year" {
			h.add(handTask{yearAnniversary(n), handOfStripe, h.invoicePending})
			h.add(handTask{yearAnniversary(n), handOfMonth, h.nextMonth})
		}
	}
	for _, step := range s.script() {
		h.add(handTask{step.at, handOfPeople, func(at time.Time) { h.take(step, at) }})
	}
	for len(h.todo) > 0 && h.todo[0].at.Before(yearTime(yearEnd)) {
		next := h.todo[0]
		h.todo = h.todo[1:]
		next.run(next.at)
	}
	var invoices []yearInvoice
	for _, invoice := range h.invoices {
		invoices = append(invoices, *invoice)
	}
	return invoices, h.credits.statement
}

func (h *hand) add(task handTask) {
	h.todo = append(h.todo, task)
	slices.SortStableFunc(h.todo, func(a, b handTask) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order)) })
}

func (h *hand) take(step yearStep, at time.Time) {
	switch {
	case step.seats != 0:
		h.changeSeats(step.seats, at)
	case step.upgrade != "":
		h.upgrade(step.upgrade, at)
	case step.later != "":
		h.laterPlan = step.later
	case step.consume != 0:
		h.credits.consumed += step.consume
		h.credits.enter(at, "consume", -step.consume)
	case step.card != "":
		h.card = step.card
	case step.refund:
		h.refund(at)
	}
}

// periodEnd returns the end of the period that begins at a time.
func (h *hand) periodEnd(begin time.Time) time.Time {
	n := 1
	for !yearAnniversary(n).After(begin) || h.interval == "year" && n%12 != 0 {
		n++
	}
	return yearAnniversary(n)
}

func (h *hand) periodLine() yearLine {
	return yearLine{h.price(), h.quantity, false, h.start, h.end, h.prices[h.price()] * int64(h.quantity)}
}

func (h *hand) price() string { return h.plan + " per " + h.interval }

// remaining is the line for the rest of the period: a charge, or with the sign -1 a credit. The
// share is counted in seconds and rounded half away from zero.
func (h *hand) remaining(sign int64, at time.Time) yearLine {
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	share := new(big.Rat).Mul(
		big.NewRat(seconds(h.end.Sub(at)), seconds(h.end.Sub(h.start))),
		new(big.Rat).SetInt64(h.prices[h.price()]*int64(h.quantity)))
	amount, ok := new(big.Int).SetString(share.FloatString(0), 10) // FloatString rounds half away from zero
	if !ok {
		panic("no number: " + share.String())
	}
	return yearLine{h.price(), h.quantity, true, at, h.end, sign * amount.Int64()}
}

// changeSeats waits for three seconds without another change, and at most thirty.
func (h *hand) changeSeats(by int, at time.Time) {
	h.billed += by
	if h.billed == h.quantity {
		h.first, h.due = time.Time{}, time.Time{}
		return
	}
	if h.first.IsZero() {
		h.first = at
	}
	h.due = at.Add(handQuiet)
	if limit := h.first.Add(handLimit); h.due.After(limit) {
		h.due = limit
	}
	h.add(handTask{h.due, handOfSeats, h.sendSeats})
}

// sendSeats prorates a changed quantity. While a renewal is unpaid, a decrease credits nothing: the
// money was not received.
func (h *hand) sendSeats(at time.Time) {
	if !at.Equal(h.due) {
		return
	}
	h.first, h.due = time.Time{}, time.Time{}
	if h.unpaid != nil && h.billed < h.quantity {
		h.quantity = h.billed
		return
	}
	h.prorate(h.plan, h.billed, at)
}

func (h *hand) prorate(plan string, quantity int, at time.Time) {
	h.pending = append(h.pending, h.remaining(-1, at))
	h.plan, h.quantity = plan, quantity
	h.pending = append(h.pending, h.remaining(+1, at))
}

// upgrade is charged at once, with the members of now and all that is pending.
func (h *hand) upgrade(plan string, at time.Time) {
	gain := max(0, yearCredits()[plan]-yearCredits()[h.plan])
	h.first, h.due = time.Time{}, time.Time{}
	h.prorate(plan, h.billed, at)
	invoice := h.invoice("subscription_update", at, h.takePending(), 0)
	invoice.confirmed = invoice.due
	h.credits.gains = append(h.credits.gains, gain)
	h.credits.gainInvoice = invoice
	h.credits.enter(at, "upgrade", gain)
}

func (h *hand) takePending() []yearLine {
	lines := h.pending
	h.pending = nil
	return lines
}

// renew begins the next period, with the smaller plan if one is scheduled.
func (h *hand) renew(at time.Time) {
	if h.laterPlan != "" {
		h.plan, h.laterPlan = h.laterPlan, ""
	}
	h.start, h.end = at, h.periodEnd(at)
	h.add(handTask{h.end, handOfStripe, h.renew})
	h.invoice("subscription_cycle", at, append(h.takePending(), h.periodLine()), handDraft)
}

// invoicePending invoices seats of a yearly plan each month.
func (h *hand) invoicePending(at time.Time) {
	if len(h.pending) > 0 && !at.Equal(h.start) {
		h.invoice("automatic_pending_invoice_item_invoice", at, h.takePending(), handDraft)
	}
}

// invoice writes an invoice, which is finalized and collected after a time.
func (h *hand) invoice(reason string, at time.Time, lines []yearLine, draft time.Duration) *yearInvoice {
	invoice := &yearInvoice{created: at, reason: reason, lines: lines}
	for _, line := range lines {
		invoice.total += line.amount
	}
	h.invoices = append(h.invoices, invoice)
	if draft == 0 {
		h.finalize(invoice, at)
		return invoice
	}
	h.add(handTask{at.Add(draft), handOfStripe, func(at time.Time) { h.finalize(invoice, at) }})
	return invoice
}

// finalize applies the customer's balance and charges the card. What is less than the minimum goes
// to the balance.
func (h *hand) finalize(invoice *yearInvoice, at time.Time) {
	if after := invoice.total + h.balance; after < handMinimum {
		h.balance = after
	} else {
		h.balance, invoice.due = 0, after
	}
	invoice.balance = h.balance
	if invoice.due == 0 {
		h.pay(invoice, at)
		return
	}
	h.charge(invoice, at)
	for _, days := range []int{1, 3, 5} { // the retries of the local Stripe; Stripe chooses the hours
		h.add(handTask{at.AddDate(0, 0, days), handOfStripe, func(at time.Time) {
			if invoice.paid.IsZero() {
				h.charge(invoice, at)
			}
		}})
	}
}

func (h *hand) charge(invoice *yearInvoice, at time.Time) {
	invoice.attempts++
	if h.card == badCard {
		h.unpaid = invoice
		return
	}
	h.unpaid = nil
	h.pay(invoice, at)
}

// pay grants the credits of a period.
func (h *hand) pay(invoice *yearInvoice, at time.Time) {
	invoice.paid = at
	period := invoice.lines[len(invoice.lines)-1]
	if period.proration {
		return
	}
	left := h.credits.left()
	plan, _, _ := strings.Cut(period.price, " ")
	h.credits.base, h.credits.gains, h.credits.baseInvoice = yearCredits()[plan], nil, invoice
	h.credits.grant(at, left)
}

// nextMonth grants the next month of a yearly plan.
func (h *hand) nextMonth(at time.Time) {
	if period := h.credits.baseInvoice.lines[len(h.credits.baseInvoice.lines)-1]; at.Before(period.to) {
		h.credits.grant(at, h.credits.left())
	}
}

// refund gives back a third of the newest paid invoice of a reason, and takes that part of its
// credits back, rounded in the customer's favor.
func (h *hand) refund(at time.Time) {
	for _, invoice := range slices.Backward(h.invoices) {
		if invoice.reason != h.refundOf || invoice.paid.IsZero() || invoice.due == 0 {
			continue
		}
		invoice.refunded = invoice.due / 3
		part := &h.credits.base
		if invoice == h.credits.gainInvoice {
			part = &h.credits.gains[len(h.credits.gains)-1]
		} else if invoice != h.credits.baseInvoice {
			panic("the refunded invoice is not of the current period")
		}
		taken := int(int64(*part) * invoice.refunded / invoice.total)
		*part -= taken
		h.credits.enter(at, "return", -taken)
		return
	}
	panic("nothing to refund")
}

func (c *handCredits) granted() int {
	sum := c.base
	for _, gain := range c.gains {
		sum += gain
	}
	return sum
}

func (c *handCredits) left() int { return max(0, c.granted()-c.consumed) }

// grant grants a month, and takes what is left of the month before.
func (c *handCredits) grant(at time.Time, left int) {
	c.consumed = 0
	c.enter(at, "grant", c.granted())
	c.enter(at, "expire", -left)
}

func (c *handCredits) enter(at time.Time, kind string, amount int) {
	if amount == 0 {
		return
	}
	c.balance += amount
	c.statement = append(c.statement, yearCredit{at, kind, amount, c.balance})
}
