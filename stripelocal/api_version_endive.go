package stripelocal

import "usher/stripelocal/wire"

// endiveSteps are the changes of 2026-09-30.endive and its monthly successors. Sources:
// https://docs.stripe.com/changelog/endive, of which comments give the page, the changelog of
// stripe-node 23 and its types.
func endiveSteps() []versionStep {
	allowedTypes := []paramChange{unknownParams("payment_method_types"), movedParam("allowed_payment_method_types", "payment_method_types")}
	noPause := wire.Object{"enabled": false, "duration": wire.Object{"type": "indefinite", "interval_options": []any{}}}
	return []versionStep{{
		version: "2026-09-30.endive",
		objects: map[string][]objectChange{
			"invoiceitem":      {withProrationDetails},
			"charge":           {inside("payment_method_details.card", withNull("electronic_commerce_indicator"))},
			"checkout.session": {withNull("allowed_payment_method_types")},
			"payment_intent":   {withNull("payment_record")},
			"product":          {withNull("tax_details")},
			"subscription": {
				inside("trial_settings.end_behavior", withNull("billing_cycle_anchor")),
				inside("pending_update", withNull("cancel_at_period_end")),
			},
			"subscription_item":     {withNull("current_trial")},
			"subscription_schedule": {withValue("pause_schedules", emptyList)},

			"tax.calculation_line_item": {withNull("performance_location")},
			"tax_code":                  {withNull("requirements")},
		},
		params: map[string][]paramChange{
			"POST /v1/checkout/sessions":            allowedTypes,
			"POST /v1/payment_intents":              allowedTypes,
			"POST /v1/payment_intents/{id}":         allowedTypes,
			"POST /v1/payment_intents/{id}/confirm": allowedTypes,
			"POST /v1/setup_intents":                allowedTypes,

			// polymorphic-billing-cycle-anchor
			"POST /v1/subscriptions/{id}":                      {typedParam("billing_cycle_anchor")},
			"POST /v1/customers/{customer}/subscriptions/{id}": {typedParam("billing_cycle_anchor")},
			"POST /v1/subscriptions/{id}/resume":               {typedParam("billing_cycle_anchor")},
			"POST /v1/invoices/create_preview":                 {typedParam("subscription_details[billing_cycle_anchor]")},
		},
	}, {
		version: "2026-10-28.endive",
		objects: map[string][]objectChange{
			"billing_portal.configuration": {inside("features", withObject("subscription_pause", noPause))},
			"billing_portal.session":       {inside("flow", withNull("subscription_pause"))},
			"payment_link":                 {inside("subscription_data.invoice_settings", withNull("account_tax_ids", "custom_fields", "description", "footer"))},
			"dispute":                      {inside("evidence_details", withValue("submission_method", submissionMethod)), withNull("intended_submission_method")},
		},
	}}
}

func submissionMethod(_ *request, details wire.Object) any {
	if has, _ := details["has_evidence"].(bool); has {
		return "manual"
	}
	return "not_submitted"
}

// withProrationDetails adds what a proration in the classic billing mode credits
// (invoice-items-proration-details). Its amount is net of discounts.
func withProrationDetails(r *request, item wire.Object) {
	if proration, _ := item["proration"].(bool); !proration {
		return
	}
	details := wire.Object{"credited_items": nil, "discount_amounts": []any{}}
	if i, ok := r.store.InvoiceItems.get(idOf(item)); ok && i.CreditedInvoice != "" {
		details["credited_items"] = wire.Object{"type": "invoice_line_items", "invoice_line_item_details": wire.Object{
			"invoice": i.CreditedInvoice, "invoice_line_items": i.CreditedLines,
		}}
	}
	item["proration_details"] = details
}
