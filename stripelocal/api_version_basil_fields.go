package stripelocal

import (
	"cmp"
	"strings"

	"usher/stripelocal/wire"
)

// The fields that basil moved or replaced, made of those of APIVersion.

// periodsToItems sets the subscription's period on its items, as of the rendering of the
// subscription, which may be an event's.
func periodsToItems(r *request, sub wire.Object) {
	for _, name := range []string{"current_period_start", "current_period_end"} {
		at, there := sub[name]
		delete(sub, name)
		if there {
			inside("items.data", func(_ *request, item wire.Object) { item[name] = at })(r, sub)
		}
	}
}

func periodOfSubscription(r *request, item wire.Object) {
	if sub, ok := r.store.Subscriptions.get(idOf(item["subscription"])); ok {
		item["current_period_start"], item["current_period_end"] = sub.CurrentPeriodStart, sub.CurrentPeriodEnd
	}
}

// previewID gives a preview an id (public issue threads: adrienverge/localstripe pull request 249):
// that of the subscription or the customer, so that an event has the same one in every delivery.
func previewID(_ *request, inv wire.Object) {
	if _, there := inv["id"]; there {
		return
	}
	of := cmp.Or(idOf(inv["subscription"]), idOf(inv["customer"]))
	inv["id"] = "upcoming_in_" + of[strings.LastIndex(of, "_")+1:]
	if lines, ok := inv["lines"].(wire.Object); ok {
		lines["url"] = "/v1/invoices/" + idOf(inv) + "/lines"
	}
}

// invoicePaymentFields adds the fields that a call must expand. A draft has no confirmation secret.
func invoicePaymentFields(r *request, inv wire.Object) {
	id, payment := idOf(inv), idOf(inv["payment_intent"])
	inv["payments"] = wire.Expandable(func() any { return r.invoicePayments.ofInvoice(id) })
	inv["confirmation_secret"] = wire.Expandable(func() any {
		pi, ok := r.store.PaymentIntents.get(payment)
		if !ok {
			return nil
		}
		return wire.Object{"client_secret": pi.ClientSecret, "type": "payment_intent"}
	})
}

func parentOfInvoice(_ *request, inv wire.Object) any {
	if quote := idOf(inv["quote"]); quote != "" && idOf(inv["subscription"]) == "" {
		return wire.Object{"type": "quote_details", "quote_details": wire.Object{"quote": quote}, "subscription_details": nil}
	}
	details, ok := inv["subscription_details"].(wire.Object)
	if !ok || idOf(inv["subscription"]) == "" {
		return nil
	}
	of := wire.Object{"metadata": details["metadata"], "subscription": inv["subscription"]}
	if at, there := inv["subscription_proration_date"]; there {
		of["subscription_proration_date"] = at
	}
	return wire.Object{"type": "subscription_details", "quote_details": nil, "subscription_details": of}
}

// parentOfLine tells the lines of subscription items, prorations included, from those of invoice
// items (types of stripe-node 18.5.0: subscription_item_details has the proration's invoice item).
func parentOfLine(_ *request, line wire.Object) any {
	details := wire.Object{
		"proration": line["proration"], "proration_details": line["proration_details"],
		"subscription": asID(line["subscription"]), "invoice_item": asID(line["invoice_item"]),
	}
	parent := wire.Object{"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": nil}
	if item := idOf(line["subscription_item"]); item != "" {
		details["subscription_item"] = item
		parent = wire.Object{"type": "subscription_item_details", "invoice_item_details": nil, "subscription_item_details": details}
	}
	return parent
}

func parentOfItem(_ *request, item wire.Object) any {
	if idOf(item["subscription"]) == "" {
		return nil
	}
	details := wire.Object{"subscription": asID(item["subscription"])}
	if id := idOf(item["subscription_item"]); id != "" {
		details["subscription_item"] = id
	}
	return wire.Object{"type": "subscription_details", "subscription_details": details}
}

// asID returns the id of a reference that can no longer be expanded.
func asID(v any) any { return wire.StringOrNull(idOf(v)) }

func pricingOf(_ *request, price any) any {
	o, ok := price.(wire.Object)
	if !ok {
		return nil
	}
	return wire.Object{
		"type": "price_details", "unit_amount_decimal": o["unit_amount_decimal"],
		"price_details": wire.Object{"price": idOf(o), "product": idOf(o["product"])},
	}
}

func taxesOf(_ *request, amounts any) any {
	taxes := []any{}
	for _, o := range objectsOf(amounts) {
		behavior := "exclusive"
		if inclusive, _ := o["inclusive"].(bool); inclusive {
			behavior = "inclusive"
		}
		taxes = append(taxes, wire.Object{
			"amount": o["amount"], "tax_behavior": behavior, "taxable_amount": o["taxable_amount"], "type": "tax_rate_details",
			"tax_rate_details": wire.Object{"tax_rate": idOf(o["tax_rate"])}, "taxability_reason": taxabilityReason(o["taxability_reason"]),
		})
	}
	return taxes
}

// taxabilityReason is never null in taxes (types of stripe-node 18.5.0).
func taxabilityReason(reason any) any {
	if reason == nil {
		return "not_available"
	}
	return reason
}

func refundsOfCreditNote(r *request, note wire.Object) any {
	refund, ok := r.store.Refunds.get(idOf(note["refund"]))
	if !ok {
		return []any{}
	}
	amount := refund.Amount
	if n, ok := r.store.CreditNotes.get(idOf(note)); ok {
		amount = n.RefundAmount
	}
	return []any{wire.Object{"amount_refunded": amount, "refund": note["refund"]}}
}

// oneRefund accepts refunds with a single refund.
func oneRefund(form *wire.Value) *wire.Error {
	list := form.Lookup("refunds")
	if list == nil {
		return nil
	}
	elements := list.Elements()
	if len(elements) != 1 || elements[0].Lookup("refund") == nil {
		return wire.Invalid("", "refunds", "This local Stripe supports one refund of a credit note: refunds[0][refund].")
	}
	amount := elements[0].Lookup("amount_refunded")
	form.Put("refund", elements[0].Lookup("refund"))
	if amount != nil {
		form.Put("refund_amount", amount)
	}
	form.Take("refunds")
	return nil
}

func creditNoteAmount(kind string) func(*request, wire.Object) any {
	return func(_ *request, note wire.Object) any {
		if note["type"] == kind {
			return note["amount"]
		}
		return 0
	}
}

func taxProvider(_ *request, tax wire.Object) any {
	if enabled, _ := tax["enabled"].(bool); enabled {
		return "stripe"
	}
	return nil
}

// meteredByMeter rejects a metered price without a meter, at a place or at the top level.
func meteredByMeter(at string) paramChange {
	return func(form *wire.Value) *wire.Error {
		if at != "" {
			form = form.Lookup(at)
		}
		if form == nil {
			return nil
		}
		if usage := form.Lookup("usage_type"); usage != nil && usage.Text() == "metered" && form.Lookup("meter") == nil {
			return wire.Invalid("", usage.SentName(), "A price with `usage_type=metered` must have a `meter`.")
		}
		return nil
	}
}
