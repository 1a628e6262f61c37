package stripelocal

import (
	"fmt"
	"math/big"
	"time"
)

// prorations are the items for a change in the middle of a period: what is
// given back of the old, and what the new costs for the rest. Where a new
// period begins at once, everything old is given back and the new is billed in
// full. A trial costs nothing, so there is nothing to prorate in it.
func (a *act) prorations(sub *Subscription, ch change, p plan) []*InvoiceItem {
	switch {
	case sub.Status == "trialing":
		return nil
	case p.moved:
		return a.unused(sub, p.date)
	}
	var out []*InvoiceItem
	created := a.newItemIDs(sub, p.items)
	for _, c := range ch.items {
		if !c.changesBilling() {
			continue
		}
		id := ""
		if c.item != nil {
			id = c.item.ID
			out = a.appendCredit(out, sub, c.item, p.date)
		} else {
			id, created = created[0], created[1:]
		}
		if c.price != nil && c.quantity != 0 {
			amount := share(sub, p.date, c.price.amount(c.quantity))
			out = append(out, a.proration(sub, c.price, c.quantity, id, p.date, amount, "Remaining time on"))
		}
	}
	return out
}

// newItemIDs are the ids of the planned items that do not exist yet.
func (a *act) newItemIDs(sub *Subscription, items []plannedItem) []string {
	var out []string
	for _, i := range items {
		if _, exists := a.state.Items.get(i.ID); !exists {
			out = append(out, i.ID)
		}
	}
	return out
}

// unused gives back the rest of the period of every item.
func (a *act) unused(sub *Subscription, date int64) []*InvoiceItem {
	var out []*InvoiceItem
	for _, item := range a.items(sub) {
		out = a.appendCredit(out, sub, item, date)
	}
	return out
}

func (a *act) appendCredit(out []*InvoiceItem, sub *Subscription, item *SubscriptionItem, date int64) []*InvoiceItem {
	price, ok := a.state.Prices.get(item.Price)
	if !ok || item.Quantity == 0 || sub.Status == "trialing" {
		return out
	}
	amount := -share(sub, date, price.amount(item.Quantity))
	credit := a.proration(sub, price, item.Quantity, item.ID, date, amount, "Unused time on")
	credit.CreditedInvoice, credit.CreditedLines = a.debitOf(sub, item)
	return append(out, credit)
}

// debitOf finds the invoice line that last charged for an item: what a credit
// of it gives back.
func (a *act) debitOf(sub *Subscription, item *SubscriptionItem) (string, []string) {
	invoices := a.state.Invoices.by("subscription", sub.ID)
	for i := len(invoices) - 1; i >= 0; i-- {
		for _, l := range invoices[i].Lines {
			if l.SubscriptionItem == item.ID && l.Amount > 0 && l.PeriodEnd == sub.CurrentPeriodEnd {
				return invoices[i].ID, []string{l.ID}
			}
		}
	}
	return "", nil
}

// share is the part of a period's amount that belongs to the time after a
// moment, by the second, rounded to the minor unit.
func share(sub *Subscription, date, amount int64) int64 {
	return shareOf(amount, sub.CurrentPeriodEnd-date, sub.CurrentPeriodEnd-sub.CurrentPeriodStart)
}

func shareOf(amount, left, length int64) int64 {
	if length <= 0 {
		return 0
	}
	part := new(big.Rat).SetFrac64(left, length)
	return roundRat(part.Mul(part, new(big.Rat).SetInt64(amount)))
}

// proration is an item, not stored yet, for the rest of the period.
func (a *act) proration(sub *Subscription, p *Price, quantity int64, item string, date, amount int64, words string) *InvoiceItem {
	return &InvoiceItem{
		Amount: amount, Currency: sub.Currency, Customer: sub.Customer, PeriodStart: date, PeriodEnd: sub.CurrentPeriodEnd,
		Price: p.ID, Proration: true, Quantity: quantity, Subscription: sub.ID, SubscriptionItem: item,
		Description: fmt.Sprintf("%s %s after %s", words, a.counted(p, quantity), time.Unix(date, 0).UTC().Format("02 Jan 2006")),
	}
}

// extraItem is a one-time price on a subscription's next invoice.
func (a *act) extraItem(sub *Subscription, e newItem, now int64) *InvoiceItem {
	return &InvoiceItem{
		Amount: e.price.amount(e.quantity), Currency: sub.Currency, Customer: sub.Customer, PeriodStart: now, PeriodEnd: now,
		Price: e.price.ID, Quantity: e.quantity, Subscription: sub.ID, Description: a.productName(e.price),
	}
}

// counted words a quantity of a price: 5 × Pro.
func (a *act) counted(p *Price, quantity int64) string {
	if quantity == 1 {
		return a.productName(p)
	}
	return fmt.Sprintf("%d × %s", quantity, a.productName(p))
}
