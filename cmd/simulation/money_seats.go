package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"usher/billing"
)

// behavior says how a confirmed change is charged.
func (s shownSeats) behavior() string {
	if !s.costs() {
		return "none"
	}
	return s.Proration
}

// confirmedAt returns the confirmed change that an event carries out: its update was sent for that
// version of the seats, in the period from which it is prorated. A preview includes what is not
// sent yet, so the last one that was confirmed for a version is what the person has seen.
func (o *moneyOracle) confirmedAt(h *history, past *subscriptionPast, n int) (confirmedSeats, bool) {
	e, before := past.events[n], past.events[n-1].Data.Object
	is, _ := e.Data.Object.seatItem()
	version := seatVersion(e.Request.IdempotencyKey)
	for i := len(h.seats) - 1; i >= 0; i-- {
		s := h.seats[i].shown
		if version > 0 && s.Version == version && s.Subscription == past.ID && s.Item == is.ID && s.To == is.Quantity &&
			s.proratesWithin(before) && s.Known && s.Proration != "" && s.Kind != billing.SeatInvitation {
			return h.seats[i], true
		}
	}
	return confirmedSeats{}, false
}

// proratesWithin reports whether a change can be prorated as it was shown. The period that was
// shown is an older one if Usher did not know yet that somebody else had changed the plan.
func (s shownSeats) proratesWithin(current recordedSubscription) bool {
	return s.PeriodEnd == current.PeriodEnd || s.ProratedAt != 0 && s.ProratedAt >= current.PeriodStart
}

// seatVersion reads the version of the seats from the key of their update:
// seats:item:version:attempt:time.
func seatVersion(key string) int64 {
	parts := strings.Split(key, ":")
	if len(parts) != 5 || parts[0] != "seats" {
		return 0
	}
	version, _ := strconv.ParseInt(parts[2], 10, 64)
	return version
}

// datesOf lists the dates from which a change may be prorated: that of the preview which confirmed
// it, or else that of its event. If others changed the subscription meanwhile, it may be either.
func (o *moneyOracle) datesOf(h *history, c itemChange) []int64 {
	made, known := o.confirmedAt(h, c.past, c.n)
	switch {
	case !known || made.shown.ProratedAt == 0:
		return []int64{c.event.Created}
	case o.undisturbed(c.past, c.n, made):
		return []int64{made.shown.ProratedAt}
	}
	return []int64{made.shown.ProratedAt, c.event.Created}
}

// undisturbed reports whether nobody else changed the subscription, and nothing was invoiced,
// between a preview and the event that carried it out: the change must be charged as confirmed.
func (o *moneyOracle) undisturbed(past *subscriptionPast, n int, made confirmedSeats) bool {
	e, since := past.events[n], made.at-clockError
	before := past.events[n-1].Data.Object
	was, _ := before.seatItem()
	if was.Quantity != made.shown.From || was.Price.ID != made.shown.Price || before.PeriodEnd != made.shown.PeriodEnd ||
		past.events[n-1].Created >= since || before.Discount != nil && !before.Discount.counts(e.Created) {
		return false
	}
	return !slices.ContainsFunc(o.invoices, func(i recordedInvoice) bool {
		return i.Subscription == past.ID && i.Created >= since && i.Created < e.Created
	})
}

// verifySeats checks that confirmed changes of seats were charged as they were confirmed.
func (o *moneyOracle) verifySeats(ctx context.Context, h *history) error {
	if err := o.readVersions(ctx, h); err != nil {
		return err
	}
	sent := map[string]bool{}
	for _, past := range o.of(h.organizationID) {
		for n := 1; n < len(past.events); n++ {
			c, changed := past.changeAt(n)
			if made, known := o.confirmedAt(h, past, n); changed && known {
				sent[made.shown.ID] = true
				o.verifyCharged(h, c, made)
			}
		}
	}
	for _, made := range h.seats {
		if made.shown.costs() && made.shown.Kind != billing.SeatInvitation && !sent[made.shown.ID] {
			o.results.countMoney("seats confirmed and changed again before they were sent", "", 0, 1)
		}
	}
	return nil
}

// verifyCharged compares what Stripe charged for a change with what was confirmed.
func (o *moneyOracle) verifyCharged(h *history, c itemChange, made confirmedSeats) {
	if !o.undisturbed(c.past, c.n, made) {
		o.results.countMoney("seats confirmed before another change", "", 0, 1)
		return
	}
	lines, total, invoiced := o.chargedFor(c, made.shown)
	o.results.countMoney("seats charged as confirmed", made.shown.Currency, lines, 1)
	if made.shown.costs() && lines != made.shown.Sum || !made.shown.costs() && lines != 0 {
		h.diverged("%s: prorations of %d were confirmed and %d were charged (%+v)", c.past.ID, made.shown.Sum, lines, made.shown)
	}
	if atOnce := made.shown.costs() && made.shown.atOnce(); atOnce && (!invoiced || total != made.shown.Total) {
		h.diverged("%s: an invoice of %d was confirmed, and that of the change is %d (%v, %+v)", c.past.ID, made.shown.Total, total, invoiced, made.shown)
	}
}

// chargedFor sums the lines from the date of a preview, and finds the invoice that was made with
// the change.
func (o *moneyOracle) chargedFor(c itemChange, shown shownSeats) (lines, total int64, invoiced bool) {
	for _, line := range c.past.lines {
		if line.Proration && line.Price.plan() != "" && shown.ProratedAt != 0 && line.Period.Start == shown.ProratedAt {
			lines += line.Amount
		}
	}
	for _, invoice := range o.invoices {
		made := invoice.Subscription == c.past.ID && invoice.Created >= c.event.Created
		if made && slices.ContainsFunc(invoice.Lines.Data, func(l recordedLine) bool { return l.Proration && l.Period.Start == shown.ProratedAt }) {
			return lines, invoice.Total, true
		}
	}
	return lines, 0, false
}

// readVersions finds out which changes without an answer were confirmed. The answers of the others
// are held against the database.
func (o *moneyOracle) readVersions(ctx context.Context, h *history) error {
	var rows []struct {
		ID      string
		Version int64
	}
	err := o.env.store.DB().SelectContext(ctx, &rows, `
		select id, version from seat_previews where organization_id = $1 and confirmed_at is not null`, h.organizationID)
	if err != nil {
		return err
	}
	versions := map[string]int64{}
	for _, row := range rows {
		versions[row.ID] = row.Version
	}
	for i, made := range h.seats {
		version, stored := versions[made.shown.ID]
		if made.unknown {
			h.seats[i].shown.Version = version
		} else if !o.isDeleted(h.organizationID) && made.shown.Subscription != "" && made.shown.ID != "" && (!stored || version != made.shown.Version) {
			h.diverged("a change of seats was confirmed with version %d, stored is %d (%v)", made.shown.Version, version, stored)
		}
	}
	return nil
}
