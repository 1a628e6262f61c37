package stripelocal

import (
	"cmp"
	"strings"

	"usher/stripelocal/wire"
)

// basilSteps are the changes of 2025-03-31.basil and its monthly successors. Sources:
// https://docs.stripe.com/changelog/basil, of which comments give the page, the changelog of
// stripe-node 18 and its types.
func basilSteps() []versionStep {
	return []versionStep{
		{
			version: "2025-03-31.basil",
			objects: basilObjects(),
			params:  basilParams(),
			added:   []string{"GET /v1/invoice_payments", "GET /v1/invoice_payments/{id}"},
			removed: []string{"GET /v1/invoices/upcoming", "GET /v1/invoices/upcoming/lines"},
		},
		{
			version: "2025-04-30.basil",
			objects: map[string][]objectChange{
				"charge":           {inside("billing_details", withNull("tax_id"))},
				"payment_method":   {inside("billing_details", withNull("tax_id"))},
				"invoice":          {inside("automatic_tax", withValue("provider", taxProvider))},
				"checkout.session": {inside("automatic_tax", withValue("provider", taxProvider)), withNull("wallet_options")},
			},
		},
		{
			version: "2025-05-28.basil",
			objects: map[string][]objectChange{
				"balance_transaction":   {with("balance_type", "payments")},
				"subscription":          {withNull("billing_thresholds")},
				"subscription_item":     {withNull("billing_thresholds")},
				"subscription_schedule": {inside("default_settings", withNull("billing_thresholds")), inside("phases", withNull("billing_thresholds"), inside("items", withNull("billing_thresholds")))},
				"credit_note":           {withValue("pre_payment_amount", creditNoteAmount("pre_payment")), withValue("post_payment_amount", creditNoteAmount("post_payment"))},
			},
		},
		{
			version: "2025-06-30.basil",
			objects: map[string][]objectChange{
				"subscription":          {withObject("billing_mode", classicMode)},
				"subscription_schedule": {withObject("billing_mode", classicMode)},
			},
			params: map[string][]paramChange{
				"POST /v1/subscriptions":                      {onlyClassic("billing_mode[type]")},
				"POST /v1/customers/{customer}/subscriptions": {onlyClassic("billing_mode[type]")},
				"POST /v1/subscription_schedules":             {onlyClassic("billing_mode[type]")},
				"POST /v1/checkout/sessions":                  {onlyClassic("subscription_data[billing_mode][type]")},
				"POST /v1/invoices/create_preview":            {onlyClassic("subscription_details[billing_mode][type]")},
			},
		},
		{
			version: "2025-07-30.basil",
			objects: map[string][]objectChange{
				"checkout.session":             {withNull("origin_context")},
				"billing_portal.configuration": {inside("features.subscription_update.products", withObject("adjustable_quantity", wire.Object{"enabled": false, "maximum": nil, "minimum": 1}))},
			},
		},
		{
			version: "2025-08-27.basil",
			objects: map[string][]objectChange{
				"payment_intent":               {withNull("excluded_payment_method_types")},
				"billing_portal.configuration": {withNull("name")},
			},
		},
	}
}

func basilObjects() map[string][]objectChange {
	return map[string][]objectChange{
		"list": {without("total_count")},

		// deprecate-subscription-current-period-start-and-end: the period moved to the items.
		"subscription": {
			periodsToItems,
			without("billing_thresholds", "discount"),
		},
		"subscription_item": {periodOfSubscription, without("billing_thresholds")},
		"subscription_schedule": {
			inside("default_settings", without("billing_thresholds")),
			inside("phases", without("billing_thresholds", "coupon"), inside("items", without("billing_thresholds"))),
		},

		// adds-new-parent-field-to-invoicing-objects, invoice-pricing-configurations,
		// invoice-tax-configurations: what an invoice and its lines belong to moved to parent,
		// their price to pricing and their taxes to taxes.
		// add-support-for-multiple-partial-payments-on-invoices: the payment of an invoice moved
		// to payments, and a credit note can have several refunds.
		"invoice": {
			previewID,
			invoicePaymentFields,
			withValue("parent", parentOfInvoice),
			replaced("total_tax_amounts", "total_taxes", taxesOf),
			with("amount_overpaid", 0),
			without("application_fee_amount", "charge", "discount", "paid", "paid_out_of_band", "payment_intent", "quote",
				"subscription", "subscription_details", "subscription_proration_date", "tax", "transfer_data"),
		},
		"line_item": {
			withValue("parent", parentOfLine),
			replaced("price", "pricing", pricingOf),
			replaced("tax_amounts", "taxes", taxesOf),
			without("amount_excluding_tax", "invoice_item", "plan", "proration", "proration_details", "subscription_item",
				"tax_rates", "type", "unit_amount_excluding_tax"),
		},
		"invoiceitem": {
			withValue("parent", parentOfItem),
			replaced("price", "pricing", pricingOf),
			without("plan", "subscription", "subscription_item", "unit_amount", "unit_amount_decimal"),
		},
		"payment_intent": {without("invoice")},
		"charge":         {without("invoice")},
		"credit_note": {
			withValue("refunds", refundsOfCreditNote),
			replaced("tax_amounts", "total_taxes", taxesOf),
			without("refund"),
		},
		"credit_note_line_item": {
			replaced("tax_amounts", "taxes", taxesOf),
			without("amount_excluding_tax", "unit_amount_excluding_tax"),
		},

		"checkout.session": {
			without("shipping_details"),
			withNull("optional_items", "permissions"),
		},
		"customer_balance_transaction": {withNull("checkout_session")},
		"plan":                         {without("aggregate_usage")},
		"price":                        {inside("recurring", without("aggregate_usage"))},
	}
}

// basilParams refuses what the version removed in favor of discounts, pricing and refunds
// (deprecate-singular-coupon-promotion-code and the pages above).
func basilParams() map[string][]paramChange {
	noCoupon := []paramChange{unknownParams("coupon", "promotion_code")}
	creditNote := []paramChange{unknownParams("refund"), oneRefund}
	item := []paramChange{unknownParams("price", "unit_amount"), movedParam("pricing[price]", "price"), movedParam("unit_amount_decimal", "unit_amount")}
	return map[string][]paramChange{
		"POST /v1/subscriptions":                           noCoupon,
		"POST /v1/subscriptions/{id}":                      noCoupon,
		"POST /v1/customers/{customer}/subscriptions":      noCoupon,
		"POST /v1/customers/{customer}/subscriptions/{id}": noCoupon,
		"POST /v1/invoiceitems":                            item,
		"POST /v1/invoiceitems/{id}":                       item,
		"POST /v1/credit_notes":                            creditNote,
		"GET /v1/credit_notes/preview":                     creditNote,
	}
}

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

// classicMode is the billing mode of every subscription here.
var classicMode = wire.Object{"type": "classic"}

func onlyClassic(name string) paramChange {
	return onlyChoice(name, "classic", "Its prorations and cancellations are those of the classic billing mode.")
}

func taxProvider(_ *request, tax wire.Object) any {
	if enabled, _ := tax["enabled"].(bool); enabled {
		return "stripe"
	}
	return nil
}
