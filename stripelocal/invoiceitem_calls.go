package stripelocal

const itemAmountParams = "amount:int description metadata:map? period{end:time! start:time!} price quantity:int unit_amount:int " +
	"discountable:bool "

func (a *act) createInvoiceItem(in *input) (any, error) {
	c, err := a.customerOf(in.params, "customer")
	if err != nil {
		return nil, err
	}
	now := a.nowFor(c)
	i := &InvoiceItem{
		Currency: in.str("currency"), Customer: c.ID, Subscription: in.str("subscription"), Quantity: 1,
		PeriodStart: now, PeriodEnd: now, Metadata: in.metadata(),
	}
	if err := a.checkItemTarget(i, in); err != nil {
		return nil, err
	}
	if !in.has("amount") && !in.has("unit_amount") && !in.has("price") {
		return nil, missing("amount")
	}
	if err := a.takeInvoiceItem(i, in.params); err != nil {
		return nil, err
	}
	if i.Currency == "" {
		return nil, missing("currency")
	}
	a.addInvoiceItem(i)
	if inv, ok := a.state.Invoices.get(in.str("invoice")); ok {
		a.putOnInvoice(i, inv)
	}
	return a.renderInvoiceItem(i), nil
}

// checkItemTarget looks at what the item is for: a draft, a subscription.
func (a *act) checkItemTarget(i *InvoiceItem, in *input) error {
	if sub, ok := a.state.Subscriptions.get(i.Subscription); in.has("subscription") && (!ok || sub.Customer != i.Customer) {
		return noSuch("subscription", i.Subscription, "subscription")
	}
	inv, ok := a.state.Invoices.get(in.str("invoice"))
	switch {
	case !in.has("invoice"):
		return nil
	case !ok || inv.Customer != i.Customer:
		return noSuch("invoice", in.str("invoice"), "invoice")
	case inv.Status != "draft":
		return invalid("invoice_not_editable", "invoice", "You can only add invoice items to draft invoices.")
	}
	if i.Currency == "" {
		i.Currency = inv.Currency
	}
	return nil
}

func (a *act) takeInvoiceItem(i *InvoiceItem, p params) error {
	i.Undiscountable = !p.flagOr("discountable", !i.Undiscountable)
	p.setNum("quantity", &i.Quantity)
	p.setStr("description", &i.Description)
	p.setMetadata(&i.Metadata)
	p.at("period").setNum("start", &i.PeriodStart)
	p.at("period").setNum("end", &i.PeriodEnd)
	price, ok := a.state.Prices.get(p.str("price"))
	switch {
	case p.has("price") && !ok:
		return noSuch("price", p.str("price"), "price")
	case ok && price.Interval != "":
		return invalid("", "price", "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
	case ok:
		i.Price, i.Currency, i.Amount = price.ID, price.Currency, price.amount(i.Quantity)
		if i.Description == "" {
			i.Description = a.productName(price)
		}
	case p.has("unit_amount"):
		i.Amount = p.num("unit_amount") * i.Quantity
	case p.has("amount"):
		i.Amount = p.num("amount")
	case p.has("quantity"):
		if price, ok := a.state.Prices.get(i.Price); ok {
			i.Amount = price.amount(i.Quantity)
		}
	}
	return nil
}

// putOnInvoice makes the item a line of a draft.
func (a *act) putOnInvoice(i *InvoiceItem, inv *Invoice) {
	before := a.renderInvoice(inv)
	l := i.line()
	a.adoptLine(inv, &l)
	inv.Lines = append(inv.Lines[:len(inv.Lines):len(inv.Lines)], l)
	a.discountAgain(inv)
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
}

// editableItem finds an item that waits, or that stands on a draft.
func (a *act) editableItem(in *input) (*InvoiceItem, error) {
	i, ok := a.state.InvoiceItems.get(in.path("id"))
	if !ok {
		return nil, notFound("invoiceitem", in.path("id"), "invoiceitem")
	}
	if inv, ok := a.state.Invoices.get(i.Invoice); ok && inv.Status != "draft" {
		return nil, invalid("invoice_not_editable", "", "Invoice items attached to a finalized invoice can't be changed or deleted.")
	}
	return i, nil
}

func (a *act) updateInvoiceItem(in *input) (any, error) {
	i, err := a.editableItem(in)
	if err != nil {
		return nil, err
	}
	if i.Proration && (in.has("amount") || in.has("unit_amount") || in.has("price") || in.has("quantity")) {
		return nil, invalid("", "", "You cannot change the amount of a proration.")
	}
	if err := a.takeInvoiceItem(i, in.params); err != nil {
		return nil, err
	}
	a.replaceLine(i, []InvoiceLine{i.line()})
	return a.renderInvoiceItem(i), nil
}

func (a *act) deleteInvoiceItem(in *input) (any, error) {
	i, err := a.editableItem(in)
	if err != nil {
		return nil, err
	}
	a.replaceLine(i, nil)
	whole := a.renderInvoiceItem(i)
	a.state.InvoiceItems.remove(i.ID)
	a.emit("invoiceitem.deleted", whole)
	return object{"id": i.ID, "object": "invoiceitem", "deleted": true}, nil
}

// replaceLine puts others in the place of the line that an item is on a draft.
// The list is made anew: events may still show the old one.
func (a *act) replaceLine(i *InvoiceItem, with []InvoiceLine) {
	inv, ok := a.state.Invoices.get(i.Invoice)
	if !ok {
		return
	}
	before := a.renderInvoice(inv)
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
	a.discountAgain(inv)
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
}

// discountAgain works the discounts out anew for a draft whose lines changed.
func (a *act) discountAgain(inv *Invoice) {
	if len(inv.Discounts) == 0 {
		return
	}
	var discounts []Discount
	for _, d := range inv.Discounts {
		discounts = append(discounts, d.Discount)
	}
	inv.Discounts = a.takeOff(discounts, inv.Lines, inv.Created)
}
