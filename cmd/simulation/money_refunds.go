package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// refundEvent is an event that says how much was refunded or credited, and who did it.
type refundEvent struct {
	Type    string
	Request struct {
		IdempotencyKey string `json:"idempotency_key"`
	}
	Data struct {
		Object struct {
			ID, Invoice    string
			AmountRefunded int64 `json:"amount_refunded"`
			Amount         int64
			Refund         string
		}
		Previous struct {
			AmountRefunded int64 `json:"amount_refunded"`
		} `json:"previous_attributes"`
	}
}

// returnedMoney is what was returned of an invoice or, without one, of a charge.
type returnedMoney struct{ byUsher, byHistory int64 }

// readReturned sums the events of refunds and credit notes by invoice or charge.
func (o *moneyOracle) readReturned() map[string]*returnedMoney {
	sums := map[string]*returnedMoney{}
	for _, received := range o.env.webhookProxy.received() {
		kind := parseEvent(received.payload).Type
		if kind != "charge.refunded" && kind != "credit_note.created" {
			continue
		}
		var e refundEvent
		if json.Unmarshal(received.payload, &e) != nil {
			continue
		}
		amount, of := e.Data.Object.Amount, e.Data.Object.Invoice
		if kind == "charge.refunded" {
			amount = e.Data.Object.AmountRefunded - e.Data.Previous.AmountRefunded
		} else {
			amount -= o.refundAmount(e.Data.Object.Refund)
		}
		if of == "" {
			of = e.Data.Object.ID
		}
		if sums[of] == nil {
			sums[of] = &returnedMoney{}
		}
		if strings.HasPrefix(e.Request.IdempotencyKey, "simulation:") {
			sums[of].byHistory += amount
		} else {
			sums[of].byUsher += amount
		}
	}
	return sums
}

func (o *moneyOracle) refundAmount(id string) int64 {
	i := slices.IndexFunc(o.refunds, func(r recordedRefund) bool { return r.ID == id && id != "" })
	if i < 0 {
		return 0
	}
	return o.refunds[i].Amount
}

// verifyRefunds checks that Usher returned what was paid for duplicates, whole and once, and
// nothing else.
func (o *moneyOracle) verifyRefunds(h *history) {
	if o.returnedSums == nil {
		o.returnedSums = o.readReturned()
	}
	for _, charge := range o.charges {
		if charge.Invoice != "" || o.organizations[charge.Customer] != h.organizationID {
			continue
		}
		if sum := o.returnedSums[charge.ID]; sum != nil {
			o.results.countMoney("refunded by histories", charge.Currency, sum.byHistory, 1)
			if sum.byUsher != 0 {
				h.diverged("Usher returned %d of the charge %s", sum.byUsher, charge.ID)
			}
		}
	}
	for _, past := range o.of(h.organizationID) {
		o.verifyEnd(h, past)
		o.verifyScheduled(h, past)
		for i := range o.invoices {
			if o.invoices[i].Subscription == past.ID {
				o.verifyDiscount(h, past, &o.invoices[i])
				o.verifyReturned(h, past, &o.invoices[i])
			}
		}
	}
}

// verifyReturned checks an invoice.
func (o *moneyOracle) verifyReturned(h *history, past *subscriptionPast, invoice *recordedInvoice) {
	sum := returnedMoney{}
	if found := o.returnedSums[invoice.ID]; found != nil {
		sum = *found
		o.results.countMoney("refunded by histories", invoice.Currency, sum.byHistory, 1)
	}
	if invoice.Status == "paid" {
		o.results.countMoney("paid", invoice.Currency, invoice.Total, 1)
	}
	if o.isDeleted(h.organizationID) {
		o.verifyDeletionRefund(h, past, invoice, sum)
		return
	}
	switch duplicate := o.endedByUsher(h, past) || o.endedWhileCanceling(h, past); {
	case sum.byUsher+sum.byHistory != o.returned(invoice.ID):
		h.diverged("%s: %d were returned, by the events %d and %d", invoice.ID, o.returned(invoice.ID), sum.byUsher, sum.byHistory)
	case !duplicate && sum.byUsher != 0:
		h.diverged("%s: Usher returned %d of a subscription that it did not end", invoice.ID, sum.byUsher)
	case duplicate && invoice.Status == "paid" && invoice.Total > 0:
		o.results.countMoney("refunded as duplicates", invoice.Currency, sum.byUsher, 1)
		if sum.byUsher+sum.byHistory != invoice.Total {
			h.diverged("%s of %s: a duplicate was paid with %d and %d were returned (%s), beside %s",
				invoice.ID, past.ID, invoice.Total, sum.byUsher+sum.byHistory, o.duplicateRow(past.ID), o.summary(h.organizationID))
		}
	case duplicate && invoice.Status == "open" && invoice.Total > 0:
		h.diverged("%s: the invoice of a duplicate is still open", invoice.ID)
	}
}

// requestTime is how much later Usher may have stored the request of a deletion, or the deletion,
// in seconds, and clockError how much its clock may be behind Stripe's.
const (
	requestTime = 60
	clockError  = 2
)

// verifyDeletionRefund checks that the deletion of an organization returned what was paid for
// periods of our subscriptions that began after the request, and nothing else.
func (o *moneyOracle) verifyDeletionRefund(h *history, past *subscriptionPast, invoice *recordedInvoice, sum returnedMoney) {
	var least, most int64
	for _, line := range invoice.Lines.Data {
		since := func(delay int64) bool {
			return past.ours() && slices.ContainsFunc(h.deletions, func(at int64) bool { return line.Period.Start >= at+delay })
		}
		if line.Type == "subscription" && since(-clockError) {
			most += line.Amount - sumOff(line.AmountsOff)
		}
		if line.Type == "subscription" && len(h.deletions) == 1 && since(requestTime) {
			least += line.Amount - sumOff(line.AmountsOff)
		}
	}
	if o.isDuplicate(h, past) { // it may have been ended and refunded before the deletion
		most = max(most, invoice.Total)
	}
	o.results.countMoney("refunded for deletions", invoice.Currency, sum.byUsher, 1)
	if past.Created > o.deleted[h.organizationID]-requestTime { // sold at Stripe after the deletion
		least = 0
	}
	if missing := invoice.Status == "paid" && sum.byHistory == 0 && sum.byUsher < min(least, invoice.Total); missing || sum.byUsher > most {
		h.diverged("%s: the deletion owes %d to %d and returned %d", invoice.ID, least, most, sum.byUsher)
	}
}

// endedByUsher reports whether neither the history nor Stripe itself ended a subscription. Stripe
// does so after unpaid invoices, and on the date of a cancellation. An event of that may have the
// request of any call that Stripe received at the time.
func (o *moneyOracle) endedByUsher(h *history, past *subscriptionPast) bool {
	if past.Status != "canceled" || h.ended[past.ID] || h.ended[past.Customer] || past.Cancellation.Reason == "payment_failed" {
		return false
	}
	return slices.ContainsFunc(past.events, func(e subscriptionEvent) bool {
		onDate := past.CancelAt != 0 && e.Created >= past.CancelAt
		return e.Type == "customer.subscription.deleted" && e.Request.ID != "" && !onDate
	})
}

// endedWhileCanceling reports whether a history ended a duplicate after Usher had begun to cancel
// it. Usher cannot tell whether its own call, which may have failed, ended it: it refunds it.
func (o *moneyOracle) endedWhileCanceling(h *history, past *subscriptionPast) bool {
	if past.Status != "canceled" || !h.ended[past.ID] && !h.ended[past.Customer] {
		return false
	}
	var begun []int64
	err := o.env.store.DB().Select(&begun, `
		select extract(epoch from canceling_at)::bigint from duplicate_subscriptions where subscription_id = $1 and canceling_at is not null`, past.ID)
	if err != nil {
		h.diverged("read duplicate: %s", err)
		return false
	}
	end := past.events[len(past.events)-1].Created
	return len(begun) == 1 && begun[0] <= end+clockError && o.isDuplicate(h, past)
}

// verifyEnd checks that Usher ended only a subscription that a Checkout page of Usher has sold
// beside an older one that another has sold.
func (o *moneyOracle) verifyEnd(h *history, past *subscriptionPast) {
	if !o.endedByUsher(h, past) || o.isDeleted(h.organizationID) && past.ours() {
		return
	}
	o.results.countMoney("duplicates", "", 0, 1)
	if !o.isDuplicate(h, past) {
		h.diverged("Usher ended %s (ours: %v, sold by Usher: %v), to be ended at %d because of %q, beside %s",
			past.ID, past.ours(), o.soldByUsher(past.ID), past.CancelAt, past.Cancellation.Reason, o.summary(h.organizationID))
	}
}

// isDuplicate reports whether a Checkout page of Usher has sold a subscription beside an older one
// that another has sold, and that gave access when this one ended.
func (o *moneyOracle) isDuplicate(h *history, past *subscriptionPast) bool {
	at := past.events[len(past.events)-1].Created
	return past.ours() && o.soldByUsher(past.ID) && slices.ContainsFunc(o.of(h.organizationID), func(other *subscriptionPast) bool {
		return other != past && other.ours() && o.soldByUsher(other.ID) && other.Created <= past.Created && other.gaveAccessAt(at)
	})
}

// summary describes an organization's subscriptions.
func (o *moneyOracle) summary(organizationID string) string {
	var lines []string
	for _, past := range o.of(organizationID) {
		line := fmt.Sprintf("%s %s, created at %d, sold by Usher: %v", past.ID, past.Status, past.Created, o.soldByUsher(past.ID))
		for _, e := range past.events {
			item, _ := e.Data.Object.seatItem()
			line += fmt.Sprintf(" [%s %s × %d at %d by %q]", strings.TrimPrefix(e.Type, "customer.subscription."), e.Data.Object.Status,
				item.Quantity, e.Created, e.Request.IdempotencyKey)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// duplicateRow describes what Usher knows of a duplicate, for a divergence.
func (o *moneyOracle) duplicateRow(id string) string {
	row := "not known"
	err := o.env.store.DB().Get(&row, `
		select concat_ws(', ', status, 'attempt ' || attempts, error, 'canceling at ' || canceling_at, 'done at ' || done_at)
		from duplicate_subscriptions where subscription_id = $1`, id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err.Error()
	}
	return row
}

func (o *moneyOracle) soldByUsher(id string) bool {
	return slices.ContainsFunc(o.sessions, func(s recordedSession) bool { return s.Subscription == id && s.Reference != "" })
}

func (s *subscriptionPast) gaveAccessAt(at int64) bool {
	gave := false
	for _, e := range s.events {
		if e.Created <= at {
			gave = e.Data.Object.givesAccess() || e.Created == at && gave
		}
	}
	return gave
}

// changesTerms reports whether an event changed the items or the end of a subscription. Stripe does
// neither on its own.
func (e subscriptionEvent) changesTerms() bool {
	var previous struct {
		Items             json.RawMessage
		CancelAtPeriodEnd json.RawMessage `json:"cancel_at_period_end"`
	}
	return json.Unmarshal(e.Data.Previous, &previous) == nil && (previous.Items != nil || previous.CancelAtPeriodEnd != nil)
}

// verifyForeign checks that foreign subscriptions are as the history left them, and that Usher sent
// no change of them.
func (o *moneyOracle) verifyForeign(h *history) {
	for _, past := range o.of(h.organizationID) {
		if past.ours() {
			continue
		}
		o.results.countMoney("foreign subscriptions", "", 0, 1)
		for _, e := range past.events {
			if e.Type == "customer.subscription.updated" && e.changesTerms() && !strings.HasPrefix(e.Request.IdempotencyKey, "simulation:") {
				h.diverged("Usher changed the foreign subscription %s: %s", past.ID, e.Data.Previous)
			}
		}
		made, known := h.foreign[past.ID]
		if !known {
			continue // made under a key whose answer was lost
		}
		if len(past.Items.Data) != 1 || past.Items.Data[0].Quantity != made || past.CancelAtPeriodEnd {
			h.diverged("the foreign subscription %s was made with quantity %d and is %+v", past.ID, made, past.recordedSubscription)
		}
	}
}
