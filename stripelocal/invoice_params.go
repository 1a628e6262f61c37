package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

const invoiceParams = "auto_advance:bool automatic_tax{enabled:bool!} collection_method:charge_automatically|send_invoice " +
	"days_until_due:int default_payment_method? description:1500? due_date:time discounts[]{coupon discount promotion_code}? footer? metadata:map? number:26? " +
	"payment_settings{payment_method_types[]?} statement_descriptor:22 "

// create creates a draft invoice from the API.
func (h invoices) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	inv := &Invoice{
		Base: Base{Created: h.timeFor(c)}, BillingReason: "manual", Status: "draft", CollectionMethod: "charge_automatically",
		Currency: in.StringOr("currency", c.Currency), Customer: c.ID, Metadata: map[string]string{}, Subscription: in.String("subscription"),
		PeriodStart: h.timeFor(c), PeriodEnd: h.timeFor(c),
	}
	if inv.Currency == "" {
		inv.Currency = "usd"
	}
	inv.setCustomer(c)
	if err := h.addPendingItems(inv, c, in); err != nil {
		return nil, err
	}
	discounts, _, err := h.discounts.forInvoice(inv, in.Params)
	if err != nil {
		return nil, err
	}
	inv.ID = h.ids.longID("in_1")
	h.discounts.setOnInvoice(inv, discounts)
	inv.WebhooksDeliveredAt = h.invoicing.deliveredWithoutEndpoint(inv)
	h.store.Invoices.insert(inv)
	for i := range inv.Lines {
		h.invoicing.assignLine(inv, &inv.Lines[i])
	}
	h.emit("invoice.created", h.render(inv))
	h.discounts.endUsed(inv)
	h.invoicing.scheduleNext(inv)
	return h.render(inv), nil
}

func (h invoices) addPendingItems(inv *Invoice, c *Customer, in *input) error {
	key := c.ID
	if inv.Subscription != "" {
		sub, ok := h.store.Subscriptions.get(inv.Subscription)
		if !ok || sub.Customer != c.ID {
			return wire.NoSuch("subscription", inv.Subscription, "subscription")
		}
		key, inv.Currency, inv.SubscriptionMetadata = sub.ID, sub.Currency, sub.Metadata
		inv.PeriodStart = sub.CurrentPeriodStart
	}
	if err := h.setFields(inv, in.Params); err != nil {
		return err
	}
	if in.String("pending_invoice_items_behavior") == "include" || inv.Subscription != "" {
		for _, i := range newestFirst(h.store.InvoiceItems.by("pending", key)) {
			if i.Currency == inv.Currency {
				inv.Lines = append(inv.Lines, i.line())
			}
		}
	}
	return nil
}

// setFields copies the parameters that create and update share.
func (h invoices) setFields(inv *Invoice, p wire.Params) error {
	if id := p.String("default_payment_method"); id != "" {
		if pm, ok := h.store.PaymentMethods.get(id); !ok || pm.Customer != inv.Customer {
			return noSuchMethod(id, "default_payment_method")
		}
	}
	if err := h.checkNumberUnused(inv, p); err != nil {
		return err
	}
	if err := checkMethodTypes(p.At("payment_settings")); err != nil {
		return err
	}
	p.SetBool("auto_advance", &inv.AutoAdvance)
	p.At("automatic_tax").SetBool("enabled", &inv.AutomaticTax)
	p.At("payment_settings").SetStrings("payment_method_types", &inv.PaymentMethodTypes)
	p.SetString("statement_descriptor", &inv.StatementDescriptor)
	p.SetInt("effective_at", &inv.EffectiveAt)
	p.SetString("collection_method", &inv.CollectionMethod)
	p.SetInt("days_until_due", &inv.DaysUntilDue)
	p.SetString("default_payment_method", &inv.DefaultPaymentMethod)
	p.SetString("description", &inv.Description)
	p.SetInt("due_date", &inv.DueDate)
	p.SetString("footer", &inv.Footer)
	p.SetString("number", &inv.Number)
	p.SetMetadata(&inv.Metadata)
	if inv.CollectionMethod == "send_invoice" && inv.DueDate == 0 && inv.DaysUntilDue == 0 {
		return wire.Invalid("", "", "If invoice's collection_method is set to send_invoice, you must specify either due_date or days_until_due")
	}
	if inv.Status == "draft" && inv.CollectionMethod == "send_invoice" && inv.CustomerEmail == "" {
		return missingEmailError()
	}
	if inv.Status == "draft" && inv.AutoAdvance && inv.AutomaticallyFinalizesAt == 0 {
		inv.AutomaticallyFinalizesAt = inv.Created + draftPeriod
	}
	if inv.Status == "draft" && !inv.AutoAdvance {
		inv.AutomaticallyFinalizesAt = 0
	}
	return nil
}

// missingEmailError is the error for an invoice that would be sent to a customer without an email
// address (recorded by onetimesecret).
func missingEmailError() *wire.Error {
	return wire.Invalid("", "", "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid email.")
}

// checkNumberUnused rejects a number that another invoice has.
func (h invoices) checkNumberUnused(inv *Invoice, p wire.Params) error {
	number := p.String("number")
	for _, other := range h.store.Invoices.all {
		if number != "" && other.Number == number && other.ID != inv.ID {
			return wire.Invalid("", p.Name("number"), "The invoice number "+number+" is already in use.")
		}
	}
	return nil
}

// update changes a draft. On a finalized invoice it changes only fields that do not affect amounts.
func (h invoices) update(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	late := setOf([]string{"auto_advance", "description", "footer", "metadata", "default_payment_method", "payment_settings", "expand"})
	for _, name := range in.Names() {
		if inv.Status != "draft" && !late[name] {
			return nil, wire.Invalid("invoice_not_editable", name, "Finalized invoices can't be updated in this way. You attempted to update the following fields: "+name)
		}
	}
	if err := h.checkNotInCheckout(inv); err != nil {
		return nil, err
	}
	discounts, given, err := h.discounts.forInvoice(inv, in.Params)
	if err != nil {
		return nil, err
	}
	before := h.render(inv)
	if err := h.setFields(inv, in.Params); err != nil {
		return nil, err
	}
	if given {
		h.discounts.setOnInvoice(inv, discounts)
	}
	h.emitUpdate("invoice.updated", before, h.render(inv))
	if given {
		h.discounts.endUsed(inv)
	}
	h.invoicing.scheduleNext(inv)
	return h.render(inv), nil
}

// checkNotInCheckout rejects changes to an invoice whose first payment is in progress through
// Checkout.
func (h invoices) checkNotInCheckout(inv *Invoice) error {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if ok && sub.Status == "incomplete" && sub.CheckoutSession != "" {
		return wire.Invalid("", "", fmt.Sprintf("This invoice cannot be updated: it is being paid through the Checkout Session %s.", sub.CheckoutSession))
	}
	return nil
}

// delete deletes a draft. Its items become pending again.
func (h invoices) delete(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "draft" || inv.Subscription != "" {
		return nil, wire.Invalid("invoice_not_editable", "", "You can only delete draft invoices that no subscription made. Void the invoice instead.")
	}
	for _, l := range inv.Lines {
		if i, ok := h.store.InvoiceItems.get(l.InvoiceItem); ok {
			h.store.InvoiceItems.change(i, func() { i.Invoice = "" })
		}
	}
	rendered := h.render(inv)
	h.store.Invoices.remove(inv.ID)
	h.emit("invoice.deleted", rendered)
	return wire.Object{"id": inv.ID, "object": "invoice", "deleted": true}, nil
}

// checkFinalizable rejects a draft whose customer is deleted.
func (h invoices) checkFinalizable(inv *Invoice) error {
	c, ok := h.store.Customers.get(inv.Customer)
	if inv.Status == "draft" && (!ok || c.Deleted) {
		return wire.Invalid("", "", "This invoice can't be finalized: its customer has been deleted.")
	}
	return nil
}
