package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

const invoiceLineParams = "amount:int description discountable:bool metadata:map? period{end:time! start:time!} price quantity:int tax_rates[]? "

// addLines adds lines to a draft: new invoice items, or ones that are pending.
func (h invoices) addLines(in *input) (any, error) {
	return h.changeLines(in, h.checkNewLine, h.addLine)
}

func (h invoices) checkNewLine(inv *Invoice, p wire.Params) error {
	i, ok := h.store.InvoiceItems.get(p.String("invoice_item"))
	switch {
	case p.Has("invoice_item") && (!ok || i.Customer != inv.Customer || i.Currency != inv.Currency):
		return wire.NoSuch("invoiceitem", p.String("invoice_item"), p.Name("invoice_item"))
	case p.Has("invoice_item") && i.Invoice != "":
		return wire.Invalid("", p.Name("invoice_item"), "The invoice item "+i.ID+" is already on the invoice "+i.Invoice+".")
	case !p.Has("invoice_item") && !p.Has("amount") && !p.Has("price"):
		return wire.MissingParam(p.Name("amount"))
	}
	return h.checkLineFields(inv, p)
}

func (h invoices) addLine(inv *Invoice, p wire.Params) error {
	i, pending := h.store.InvoiceItems.get(p.String("invoice_item"))
	if !pending {
		i = &InvoiceItem{
			Currency: inv.Currency, Customer: inv.Customer, Subscription: inv.Subscription, Quantity: 1,
			PeriodStart: inv.PeriodStart, PeriodEnd: inv.PeriodEnd, Metadata: map[string]string{},
		}
	}
	p.SetStrings("tax_rates", &i.TaxRates)
	if err := h.invoiceItems.setFields(i, p); err != nil {
		return err
	}
	if !pending {
		h.invoiceItems.insert(i)
	}
	h.invoiceItems.addToInvoice(i, inv)
	return nil
}

// checkLineFields checks what adding and updating a line have in common.
func (h invoices) checkLineFields(inv *Invoice, p wire.Params) error {
	price, ok := h.store.Prices.get(p.String("price"))
	switch {
	case p.Has("amount") && p.Has("price"):
		return wire.Invalid("", p.Name("amount"), "You may only specify one of these parameters: amount, price.")
	case p.Has("price") && !ok:
		return wire.NoSuch("price", p.String("price"), p.Name("price"))
	case ok && price.Interval != "":
		return wire.Invalid("", p.Name("price"), "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
	case ok && !price.supports(inv.Currency):
		return wire.Invalid("", p.Name("price"), "The price "+price.ID+" does not have the invoice's currency, `"+inv.Currency+"`.")
	}
	_, err := h.taxRates.fromParams(p, "tax_rates")
	return err
}

// updateLines changes lines of a draft by id.
func (h invoices) updateLines(in *input) (any, error) {
	check := func(inv *Invoice, p wire.Params) error { return h.checkLine(inv, p.String("id"), p) }
	return h.changeLines(in, check, func(inv *Invoice, p wire.Params) error { return h.updateLine(inv, p.String("id"), p) })
}

// updateSingleLine serves POST /v1/invoices/{id}/lines/{line_item}.
func (h invoices) updateSingleLine(in *input) (any, error) {
	inv, err := h.findDraft(in)
	if err != nil {
		return nil, err
	}
	id := in.pathValue("line_item")
	if inv.indexAfterLine(id) < 0 {
		return nil, wire.NotFound("line_item", id, "line_item")
	}
	if err := h.checkLine(inv, id, in.Params); err != nil {
		return nil, err
	}
	if err := h.updateLine(inv, id, in.Params); err != nil {
		return nil, err
	}
	at := inv.indexAfterLine(id)
	return h.renderLines(inv, at-1, at)[0], nil
}

func (h invoices) checkLine(inv *Invoice, id string, p wire.Params) error {
	at := inv.indexAfterLine(id) - 1
	switch {
	case at < 0:
		return wire.NoSuch("line_item", id, p.Name("id"))
	case inv.Lines[at].InvoiceItem == "" && (p.Has("price") || p.Has("quantity")):
		return wire.Invalid("", p.Name("price"), "The price and the quantity of a subscription's line cannot be changed. Change its amount.")
	}
	return h.checkLineFields(inv, p)
}

func (h invoices) updateLine(inv *Invoice, id string, p wire.Params) error {
	at := inv.indexAfterLine(id) - 1
	l := inv.Lines[at]
	if i, ok := h.store.InvoiceItems.get(l.InvoiceItem); ok {
		p.SetStrings("tax_rates", &i.TaxRates)
		if err := h.invoiceItems.setFields(i, p); err != nil {
			return err
		}
		h.invoiceItems.replaceOnDraft(i, []InvoiceLine{i.line()})
		return nil
	}
	l.setFields(p)
	h.replaceLines(inv, func(lines []InvoiceLine) []InvoiceLine {
		lines[at] = l
		return lines
	})
	return nil
}

// setFields changes a line that no invoice item made.
func (l *InvoiceLine) setFields(p wire.Params) {
	p.SetInt("amount", &l.Amount)
	p.SetString("description", &l.Description)
	p.SetMetadata(&l.Metadata)
	p.SetStrings("tax_rates", &l.TaxRates)
	p.At("period").SetInt("start", &l.PeriodStart)
	p.At("period").SetInt("end", &l.PeriodEnd)
	l.NotDiscountable = !p.BoolOr("discountable", !l.NotDiscountable)
}

// removeLines removes lines of a draft. Their invoice items are deleted, or pending again.
func (h invoices) removeLines(in *input) (any, error) {
	return h.changeLines(in, h.checkRemoval, h.removeLine)
}

func (h invoices) checkRemoval(inv *Invoice, p wire.Params) error {
	at := inv.indexAfterLine(p.String("id")) - 1
	switch {
	case at < 0:
		return wire.NoSuch("line_item", p.String("id"), p.Name("id"))
	case inv.Lines[at].InvoiceItem == "" && p.String("behavior") == "unassign":
		return wire.Invalid("", p.Name("behavior"), "The line "+p.String("id")+" has no invoice item that could be pending again.")
	}
	return nil
}

func (h invoices) removeLine(inv *Invoice, p wire.Params) error {
	at := inv.indexAfterLine(p.String("id")) - 1
	i, ok := h.store.InvoiceItems.get(inv.Lines[at].InvoiceItem)
	h.replaceLines(inv, func(lines []InvoiceLine) []InvoiceLine { return slices.Delete(lines, at, at+1) })
	switch {
	case !ok:
	case p.String("behavior") == "unassign":
		h.store.InvoiceItems.change(i, func() { i.Invoice = "" })
	default:
		rendered := h.invoiceItems.render(i)
		h.store.InvoiceItems.remove(i.ID)
		h.emit("invoiceitem.deleted", rendered)
	}
	return nil
}

// replaceLines changes a copy of a draft's lines, because earlier events may refer to the old ones.
func (h invoices) replaceLines(inv *Invoice, change func([]InvoiceLine) []InvoiceLine) {
	before := h.render(inv)
	inv.Lines = change(slices.Clone(inv.Lines))
	h.discounts.reapply(inv)
	h.emitUpdate("invoice.updated", before, h.render(inv))
}

func (h invoices) findDraft(in *input) (*Invoice, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "draft" {
		return nil, wire.Invalid("invoice_not_editable", "", "Only the lines of a draft can be changed. This invoice is "+inv.Status+".")
	}
	return inv, nil
}

// changeLines changes a draft by each entry of lines, once all are checked, and its metadata by
// invoice_metadata.
func (h invoices) changeLines(in *input, check, change func(*Invoice, wire.Params) error) (any, error) {
	inv, err := h.findDraft(in)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, p := range in.List("lines") {
		id := p.StringOr("id", p.String("invoice_item"))
		if named[id] {
			return nil, wire.Invalid("", p.Name("id"), "The same line is named twice: "+id)
		}
		named[id] = id != ""
		if err := check(inv, p); err != nil {
			return nil, err
		}
	}
	for _, p := range in.List("lines") {
		if err := change(inv, p); err != nil {
			return nil, err
		}
	}
	before := h.render(inv)
	in.WithoutPrefix("invoice_", []string{"metadata"}).SetMetadata(&inv.Metadata)
	h.emitUpdate("invoice.updated", before, h.render(inv))
	return h.render(inv), nil
}
