package stripelocal

import "usher/stripelocal/wire"

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
			events:  []string{"invoice_payment.paid"}, // add-support-for-multiple-partial-payments-on-invoices
			removed: []string{
				"GET /v1/invoices/upcoming", "GET /v1/invoices/upcoming/lines",

				// deprecate-legacy-usage-based-billing
				"POST /v1/subscription_items/{subscription_item}/usage_records",
				"GET /v1/subscription_items/{subscription_item}/usage_record_summaries",
			},
		},
		{
			version: "2025-04-30.basil",
			objects: map[string][]objectChange{
				"charge":           {inside("billing_details", withNull("tax_id"))},
				"payment_method":   {inside("billing_details", withNull("tax_id"))},
				"invoice":          {inside("automatic_tax", withValue("provider", taxProvider))},
				"checkout.session": {inside("automatic_tax", withValue("provider", taxProvider)), withNull("wallet_options")},
				"quote":            {inside("automatic_tax", withValue("provider", taxProvider))},

				"confirmation_token":    {inside("payment_method_preview.billing_details", withNull("tax_id"))},
				"payment_method_domain": {withObject("klarna", wire.Object{"status": "active"})},
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

				"tax.calculation_line_item": {withNull("metadata")},
			},
		},
		{
			version: "2025-06-30.basil",
			objects: map[string][]objectChange{
				"subscription":          {withObject("billing_mode", classicMode)},
				"subscription_schedule": {withObject("billing_mode", classicMode)},
				"quote":                 {inside("subscription_data", withObject("billing_mode", classicMode))},
			},
			params: map[string][]paramChange{
				"POST /v1/subscriptions":                      {onlyClassic("billing_mode[type]")},
				"POST /v1/customers/{customer}/subscriptions": {onlyClassic("billing_mode[type]")},
				"POST /v1/subscription_schedules":             {onlyClassic("billing_mode[type]")},
				"POST /v1/checkout/sessions":                  {onlyClassic("subscription_data[billing_mode][type]")},
				"POST /v1/invoices/create_preview":            {onlyClassic("subscription_details[billing_mode][type]")},
				"POST /v1/quotes":                             {onlyClassic("subscription_data[billing_mode][type]")},
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
				"payout":                       {withNull("payout_method")},
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
		"payment_link":                 {withNull("optional_items")},
		"plan":                         {without("aggregate_usage")},
		"price":                        {inside("recurring", without("aggregate_usage"))},
	}
}

// basilParams refuses what the version removed in favor of discounts, pricing, refunds and meters
// (deprecate-singular-coupon-promotion-code, deprecate-legacy-usage-based-billing and the pages
// above).
func basilParams() map[string][]paramChange {
	noCoupon := []paramChange{unknownParams("coupon", "promotion_code")}
	creditNote := []paramChange{unknownParams("refund"), oneRefund}
	item := []paramChange{replacedParam("price", "pricing"), unknownParams("unit_amount"), movedParam("pricing[price]", "price"), movedParam("unit_amount_decimal", "unit_amount")}
	linePrice := []paramChange{unknownParams("price"), movedParam("pricing[price]", "price")}
	return map[string][]paramChange{
		"POST /v1/subscriptions":                           noCoupon,
		"POST /v1/subscriptions/{id}":                      noCoupon,
		"POST /v1/customers":                               noCoupon,
		"POST /v1/customers/{id}":                          noCoupon,
		"POST /v1/customers/{customer}/subscriptions":      noCoupon,
		"POST /v1/customers/{customer}/subscriptions/{id}": noCoupon,
		"POST /v1/invoiceitems":                            item,
		"POST /v1/invoiceitems/{id}":                       item,
		"POST /v1/credit_notes":                            creditNote,
		"GET /v1/credit_notes/preview":                     creditNote,
		"GET /v1/credit_notes/preview/lines":               creditNote,
		"POST /v1/invoices/{id}/add_lines":                 {eachOf("lines", linePrice...)},
		"POST /v1/invoices/{id}/update_lines":              {eachOf("lines", linePrice...)},
		"POST /v1/invoices/{id}/lines/{line_item}":         linePrice,
		"POST /v1/plans":                                   {unknownParams("aggregate_usage"), meteredByMeter("")},
		"POST /v1/prices":                                  {unknownParams("recurring[aggregate_usage]"), meteredByMeter("recurring")},
	}
}

// classicMode is the billing mode of every subscription here.
var classicMode = wire.Object{"type": "classic"}

func onlyClassic(name string) paramChange {
	return onlyChoice(name, "classic", "Its prorations and cancellations are those of the classic billing mode.")
}
