package stripelocal

import "usher/stripelocal/wire"

// forInvoice reads the discounts of an invoice that the API creates or updates. A new invoice
// without the parameter inherits the customer's, also if it is for a subscription; an empty value
// is none (API reference: create an invoice, discounts).
func (h discounts) forInvoice(inv *Invoice, p wire.Params) ([]Discount, bool, error) {
	if !p.Has("discounts") {
		return h.ofCustomer(inv.Customer, inv.Currency, inv.Created), false, nil
	}
	list, _, err := h.listFromParams(&Subscription{Customer: inv.Customer, Currency: inv.Currency, TestClock: h.clockOf(inv), Discounts: h.reusable(inv)}, p)
	return list, true, err
}

func (h discounts) clockOf(inv *Invoice) string {
	if c, ok := h.store.Customers.get(inv.Customer); ok {
		return c.TestClock
	}
	return accountClock
}

// reusable are the discounts that discounts[][discount] may name: those of the invoice, its
// subscription and its customer (API reference: "of the object or one of its ancestors").
func (h discounts) reusable(inv *Invoice) []Discount {
	out := append(inv.discounts(), h.ofCustomer(inv.Customer, inv.Currency, inv.Created)...)
	if sub, ok := h.store.Subscriptions.get(inv.Subscription); ok {
		out = append(out, sub.Discounts...)
	}
	return out
}

// setOnInvoice sets the discounts of a draft and its taxes. It redeems those that are new, which
// belong to the invoice alone.
func (h discounts) setOnInvoice(inv *Invoice, list []Discount) {
	known := h.reusable(inv)
	for i, d := range list {
		if !containsDiscount(known, d.ID) {
			list[i].Invoice = inv.ID
			h.redeem(d)
		}
	}
	inv.Discounts = h.apply(list, inv.Lines)
	h.taxes.applyToInvoice(inv)
}
