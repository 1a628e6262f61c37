package stripelocal

import (
	"fmt"
	"time"

	"usher/stripelocal/wire"
)

// prorations computes the invoice items of a change within a period.
type prorations struct{ *request }

// forChange returns the items of a change within a period: credits for unused time and charges for
// the remaining time. If a new period starts, everything is credited and the new period is billed
// in full. Nothing is prorated in a trial.
func (h prorations) forChange(sub *Subscription, ch subscriptionChange, p changePlan) []*InvoiceItem {
	switch {
	case sub.Status == "trialing":
		return nil
	case p.newPeriod:
		return h.unusedCredits(sub, p.prorationDate)
	}
	var out []*InvoiceItem
	created := h.newItemIDs(sub, p.items)
	was, is := h.netAmounts(sub, h.subscriptionChanges.itemsAfter(sub, nil)), h.netAmounts(sub, p.items)
	for _, c := range ch.items {
		if !c.changesBilling() {
			continue
		}
		id := ""
		if c.item != nil {
			id = c.item.ID
			out = h.appendCredit(out, sub, c.item, p.prorationDate, was)
		} else {
			id, created = created[0], created[1:]
		}
		if c.price != nil && c.quantity != 0 {
			amount := share(sub, p.prorationDate, is[id])
			out = append(out, h.build(sub, c.price, c.quantity, id, p.prorationDate, amount, "Remaining time on"))
		}
	}
	return out
}

// netAmounts are the amounts of items for a full period by item id, less the subscription's
// discounts, or the customer's: proration lines are net of them at this API version (changelog
// 2025-09-30). That the discounts of now count, also for the credit of what was billed under
// others, is inferred.
func (h prorations) netAmounts(sub *Subscription, items []plannedItem) map[string]int64 {
	lines := make([]InvoiceLine, len(items))
	for i, item := range items {
		lines[i].Price = item.Price
		if price, ok := h.prices.inCurrency(item.Price, sub.Currency); ok {
			lines[i].Amount = price.fixedAmount(item.Quantity)
		}
	}
	discounts := h.discounts.apply(h.discounts.effective(sub, h.timeOnClock(sub.TestClock)), lines)
	net := map[string]int64{}
	for i, item := range items {
		net[item.ID] = lines[i].Amount
		for _, d := range discounts {
			net[item.ID] -= d.Lines[i]
		}
	}
	return net
}

// newItemIDs are the ids of planned items that do not exist yet.
func (h prorations) newItemIDs(sub *Subscription, items []plannedItem) []string {
	var out []string
	for _, i := range items {
		if _, exists := h.store.SubscriptionItems.get(i.ID); !exists {
			out = append(out, i.ID)
		}
	}
	return out
}

// unusedCredits credits the remaining time of every item.
func (h prorations) unusedCredits(sub *Subscription, date int64) []*InvoiceItem {
	var out []*InvoiceItem
	net := h.netAmounts(sub, h.subscriptionChanges.itemsAfter(sub, nil))
	for _, item := range h.subscriptions.items(sub) {
		out = h.appendCredit(out, sub, item, date, net)
	}
	return out
}

func (h prorations) appendCredit(out []*InvoiceItem, sub *Subscription, item *SubscriptionItem, date int64, net map[string]int64) []*InvoiceItem {
	price, ok := h.prices.inCurrency(item.Price, sub.Currency)
	if !ok || price.Metered || item.Quantity == 0 || sub.Status == "trialing" {
		return out
	}
	amount := -share(sub, date, net[item.ID])
	credit := h.build(sub, price, item.Quantity, item.ID, date, amount, "Unused time on")
	credit.CreditedInvoice, credit.CreditedLines = h.creditedLines(sub, item)
	return append(out, credit)
}

// creditedLines returns the invoice and lines that last charged for an item, for proration_details.
func (h prorations) creditedLines(sub *Subscription, item *SubscriptionItem) (string, []string) {
	invoices := h.store.Invoices.by("subscription", sub.ID)
	for i := len(invoices) - 1; i >= 0; i-- {
		var lines []string
		for _, l := range invoices[i].Lines {
			if l.SubscriptionItem == item.ID && l.Amount > 0 && l.PeriodEnd == sub.CurrentPeriodEnd {
				lines = append(lines, l.ID)
			}
		}
		if len(lines) > 0 {
			return invoices[i].ID, lines
		}
	}
	return "", nil
}

// share is the part of a period's amount for the time after a date, by the second, rounded to the
// smallest amount that the currency is charged in (docs: currencies, special cases). That
// prorations are rounded to it, as the amounts of charges must be, is inferred.
func share(sub *Subscription, date, amount int64) int64 {
	unit := wire.ChargeUnit(sub.Currency)
	return unit * wire.Share(amount, sub.CurrentPeriodEnd-date, unit*(sub.CurrentPeriodEnd-sub.CurrentPeriodStart))
}

// build builds a proration item for the rest of the period, without storing it.
func (h prorations) build(sub *Subscription, p *Price, quantity int64, item string, date, amount int64, words string) *InvoiceItem {
	return &InvoiceItem{
		Amount: amount, Currency: sub.Currency, Customer: sub.Customer, PeriodStart: date, PeriodEnd: sub.CurrentPeriodEnd,
		Price: p.ID, Proration: true, Quantity: quantity, Subscription: sub.ID, SubscriptionItem: item,
		Description: fmt.Sprintf("%s %s after %s", words, h.prices.describeQuantity(p, quantity), time.Unix(date, 0).UTC().Format("02 Jan 2006")),
	}
}

// forInvoiceItem builds the item of a one-time price, without storing it.
func (h prorations) forInvoiceItem(sub *Subscription, e newItem, now int64) *InvoiceItem {
	return &InvoiceItem{
		Amount: e.price.amount(e.quantity), Currency: sub.Currency, Customer: sub.Customer, PeriodStart: now, PeriodEnd: now,
		Price: e.price.ID, Quantity: e.quantity, Subscription: sub.ID, Description: h.prices.productName(e.price),
	}
}
