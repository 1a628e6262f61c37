package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// dahliaSteps are the changes of 2026-03-25.dahlia and its monthly successors. Sources:
// https://docs.stripe.com/changelog/dahlia, of which comments give the page, the changelogs of
// stripe-node 21 and 22 and their types.
func dahliaSteps() []versionStep {
	disabled := wire.Object{"enabled": false}
	invoiceTexts := inside("invoice_settings", withNull("custom_fields", "description", "footer"))
	return []versionStep{
		{
			version: "2026-03-25.dahlia",
			objects: map[string][]objectChange{
				// updates-available-checkout-session-ui-modes
				"checkout.session":      {renamedValues("ui_mode", map[string]string{"hosted": "hosted_page", "embedded": "embedded_page"}), withNull("integration_identifier")},
				"credit_note_line_item": {withValue("metadata", func(*request, wire.Object) any { return map[string]string{} })},
				"invoiceitem":           {withValue("quantity_decimal", quantityDecimal)},
				"line_item":             {withValue("quantity_decimal", quantityDecimal)},
			},
			params: map[string][]paramChange{
				"POST /v1/checkout/sessions": {renamedChoices("ui_mode", map[string]string{"hosted_page": "hosted", "embedded_page": "embedded"})},
			},
		},
		{
			version: "2026-04-22.dahlia",
			objects: map[string][]objectChange{
				"checkout.session": {withNull("managed_payments")},
				"payment_intent":   {withNull("managed_payments")},
				"payment_link":     {withNull("managed_payments")},
				"setup_intent":     {withNull("managed_payments")},
				"subscription":     {withNull("managed_payments")},
			},
		},
		{
			version: "2026-05-27.dahlia",
			objects: map[string][]objectChange{
				"invoice":      {withValue("amount_paid_off_stripe", paidOffStripe)},
				"payment_link": {withNull("payment_method_options")},
				"subscription": {withValue("billing_schedules", emptyList), inside("pending_update", withNull("discount", "discounts", "metadata"))},
			},
		},
		{
			version: "2026-06-24.dahlia",
			objects: map[string][]objectChange{
				"charge":                {inside("payment_method_details.card", withNull("transaction_link_id"))},
				"subscription":          {invoiceTexts},
				"subscription_schedule": {inside("default_settings", invoiceTexts), inside("phases", invoiceTexts)},
			},
		},
		{
			version: "2026-07-29.dahlia",
			objects: map[string][]objectChange{
				"dispute":        {inside("payment_method_details.card", withValue("network", brandOf))},
				"payment_intent": {withNull("allowed_payment_method_types")},
				"setup_intent":   {withNull("allowed_payment_method_types")},
				"quote":          {invoiceTexts},
				"topup":          {with("initiated_by", "user"), withNull("payment_method", "payment_method_options")},
				"refund":         {withValue("customer", customerOfRefund), withValue("payment_method", methodOfRefund), withNull("customer_account")},
			},
		},
		{
			version: "2026-08-26.dahlia",
			objects: map[string][]objectChange{
				"subscription":                 {inside("cancellation_details", withNull("feedback_option"))},
				"billing_portal.configuration": {inside("features.subscription_cancel.cancellation_reason", withNull("feedback_options"))},
				"billing_portal.session":       {inside("flow", withNull("customer_update"))},
				"confirmation_token":           {withNull("metadata")},
				"customer_session":             {inside("components", withObject("active_entitlements", disabled), withObject("customer_portal", disabled))},
			},
		},
	}
}

func quantityDecimal(_ *request, o wire.Object) any {
	if o["quantity"] == nil {
		return nil
	}
	return fmt.Sprint(o["quantity"])
}

// paidOffStripe is what was paid out of band.
func paidOffStripe(r *request, o wire.Object) any {
	if inv, ok := r.store.Invoices.get(idOf(o)); ok && inv.PaidOutOfBand {
		return o["amount_paid"]
	}
	return 0
}

// brandOf is the network of a card, which here is that of its brand.
func brandOf(_ *request, card wire.Object) any { return card["brand"] }

func customerOfRefund(r *request, refund wire.Object) any {
	ch, ok := r.store.Charges.get(idOf(refund["charge"]))
	if !ok {
		return nil
	}
	return wire.Ref("customer", ch.Customer)
}

func methodOfRefund(r *request, refund wire.Object) any {
	ch, ok := r.store.Charges.get(idOf(refund["charge"]))
	if !ok {
		return nil
	}
	return wire.Ref("payment_method", ch.PaymentMethod)
}
