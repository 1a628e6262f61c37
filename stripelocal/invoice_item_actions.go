package stripelocal

import "usher/stripelocal/wire"

const itemAmountParams = "amount:int description metadata:map? period{end:time! start:time!} price quantity:int unit_amount:int " +
	"discountable:bool "

func (h invoiceItems) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	now := h.timeFor(c)
	i := &InvoiceItem{
		Currency: in.String("currency"), Customer: c.ID, Subscription: in.String("subscription"), Quantity: 1,
		PeriodStart: now, PeriodEnd: now, Metadata: in.Metadata(),
	}
	if err := h.validateTarget(i, in); err != nil {
		return nil, err
	}
	if !in.Has("amount") && !in.Has("unit_amount") && !in.Has("price") {
		return nil, wire.MissingParam("amount")
	}
	if err := h.setFields(i, in.Params); err != nil {
		return nil, err
	}
	if i.Currency == "" {
		return nil, wire.MissingParam("currency")
	}
	if err := h.customers.checkCurrency(c.ID, i.Currency); err != nil {
		return nil, err
	}
	h.insert(i)
	if inv, ok := h.store.Invoices.get(in.String("invoice")); ok {
		h.addToInvoice(i, inv)
	}
	return h.render(i), nil
}

// validateTarget checks the subscription and the draft invoice that the item is for.
func (h invoiceItems) validateTarget(i *InvoiceItem, in *input) error {
	if sub, ok := h.store.Subscriptions.get(i.Subscription); in.Has("subscription") && (!ok || sub.Customer != i.Customer) {
		return wire.NoSuch("subscription", i.Subscription, "subscription")
	}
	inv, ok := h.store.Invoices.get(in.String("invoice"))
	switch {
	case !in.Has("invoice"):
		return nil
	case !ok || inv.Customer != i.Customer:
		return wire.NoSuch("invoice", in.String("invoice"), "invoice")
	case inv.Status != "draft":
		return wire.Invalid("invoice_not_editable", "invoice", "You can only add invoice items to draft invoices.")
	}
	if i.Currency == "" {
		i.Currency = inv.Currency
	}
	return nil
}

func (h invoiceItems) setFields(i *InvoiceItem, p wire.Params) error {
	i.NotDiscountable = !p.BoolOr("discountable", !i.NotDiscountable)
	p.SetInt("quantity", &i.Quantity)
	p.SetString("description", &i.Description)
	p.SetMetadata(&i.Metadata)
	p.At("period").SetInt("start", &i.PeriodStart)
	p.At("period").SetInt("end", &i.PeriodEnd)
	price, ok := h.prices.inCurrency(p.String("price"), i.Currency)
	switch {
	case p.Has("price") && !ok:
		return wire.NoSuch("price", p.String("price"), "price")
	case ok && price.Interval != "":
		return wire.Invalid("", "price", "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
	case ok:
		i.Price, i.Currency, i.Amount = price.ID, price.Currency, price.amount(i.Quantity)
		if i.Description == "" {
			i.Description = h.prices.productName(price)
		}
	case p.Has("unit_amount"), p.Has("amount"):
		h.setAmount(i, p)
	case p.Has("quantity"):
		if price, ok := h.prices.inCurrency(i.Price, i.Currency); ok {
			i.Amount = price.amount(i.Quantity)
		}
	}
	return nil
}

// addToInvoice adds the item to a draft.
func (h invoiceItems) addToInvoice(i *InvoiceItem, inv *Invoice) {
	before := h.invoices.render(inv)
	l := i.line()
	h.invoicing.assignLine(inv, &l)
	inv.Lines = append(inv.Lines[:len(inv.Lines):len(inv.Lines)], l)
	h.discounts.reapply(inv)
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
}

// findEditable returns an item that is pending or on a draft.
func (h invoiceItems) findEditable(in *input) (*InvoiceItem, error) {
	i, ok := h.store.InvoiceItems.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("invoiceitem", in.pathValue("id"), "invoiceitem")
	}
	if inv, ok := h.store.Invoices.get(i.Invoice); ok && inv.Status != "draft" {
		return nil, wire.Invalid("invoice_not_editable", "", "Invoice items attached to a finalized invoice can't be changed or deleted.")
	}
	return i, nil
}

func (h invoiceItems) update(in *input) (any, error) {
	i, err := h.findEditable(in)
	if err != nil {
		return nil, err
	}
	if i.Proration && (in.Has("amount") || in.Has("unit_amount") || in.Has("price") || in.Has("quantity")) {
		return nil, wire.Invalid("", "", "You cannot change the amount of a proration.")
	}
	if err := h.setFields(i, in.Params); err != nil {
		return nil, err
	}
	h.replaceOnDraft(i, []InvoiceLine{i.line()})
	return h.render(i), nil
}

func (h invoiceItems) delete(in *input) (any, error) {
	i, err := h.findEditable(in)
	if err != nil {
		return nil, err
	}
	h.replaceOnDraft(i, nil)
	rendered := h.render(i)
	h.store.InvoiceItems.remove(i.ID)
	h.emit("invoiceitem.deleted", rendered)
	return wire.Object{"id": i.ID, "object": "invoiceitem", "deleted": true}, nil
}

// replaceOnDraft replaces the item's line on a draft. It builds a new list, because earlier events
// may refer to the old one.
func (h invoiceItems) replaceOnDraft(i *InvoiceItem, with []InvoiceLine) {
	inv, ok := h.store.Invoices.get(i.Invoice)
	if !ok {
		return
	}
	before := h.invoices.render(inv)
	var lines []InvoiceLine
	for _, l := range inv.Lines {
		if l.InvoiceItem != i.ID {
			lines = append(lines, l)
			continue
		}
		for _, w := range with {
			w.ID = l.ID
			lines = append(lines, w)
		}
	}
	inv.Lines = lines
	h.discounts.reapply(inv)
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
}
