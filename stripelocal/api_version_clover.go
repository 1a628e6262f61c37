package stripelocal

import "usher/stripelocal/wire"

// cloverSteps are the changes of 2025-09-30.clover and its monthly successors. Sources:
// https://docs.stripe.com/changelog/clover, of which comments give the page, the changelogs of
// stripe-node 19 and 20 and their types.
//
// The version made flexible the default billing mode; subscriptions here are classic and say so.
func cloverSteps() []versionStep {
	noFeatures := wire.Object{"enabled": false, "features": nil}
	return []versionStep{
		{version: "2025-09-30.clover", objects: cloverObjects(), params: cloverParams()},
		{
			version: "2025-10-29.clover",
			objects: map[string][]objectChange{
				"customer":     {inside("tax", with("provider", "stripe"))},
				"setup_intent": {withNull("excluded_payment_method_types")},
				"credit_note":  {inside("refunds", with("type", "refund"), withNull("payment_record_refund"))},

				"customer_session": {inside("components", withObject("customer_sheet", noFeatures), withObject("mobile_payment_element", noFeatures))},
			},
		},
		{
			version: "2025-11-17.clover",
			objects: map[string][]objectChange{"billing_portal.configuration": {inside("features.payment_method_update", withNull("payment_method_configuration"))}},
		},
		{
			version: "2025-12-15.clover",
			objects: map[string][]objectChange{
				"billing_portal.configuration": {inside("features.subscription_update", withNull("billing_cycle_anchor"))},
				"billing_portal.session":       {withNull("customer_account")},
				"cash_balance":                 {withNull("customer_account")},
				"checkout.session":             {withNull("customer_account")},
				"credit_note":                  {withNull("customer_account")},
				"confirmation_token":           {inside("payment_method_preview", withNull("customer_account"))},
				"customer":                     {withNull("customer_account")},
				"customer_balance_transaction": {withNull("customer_account")},
				"customer_session":             {withNull("customer_account")},

				"customer_cash_balance_transaction": {withNull("customer_account")},
				"discount":                          {withNull("customer_account")},
				"invoice":                           {withNull("customer_account")},
				"invoiceitem":                       {withNull("customer_account"), expandablePrice},
				"item":                              {withNull("metadata")},
				"line_item":                         {withValue("subtotal", amountOf), expandablePrice},
				"payment_intent":                    {withNull("customer_account")},
				"payment_method":                    {withNull("customer_account")},
				"promotion_code":                    {withNull("customer_account")},
				"quote":                             {withNull("customer_account")},
				"setup_attempt":                     {withNull("customer_account")},
				"setup_intent":                      {withNull("customer_account")},
				"subscription":                      {withNull("customer_account")},
				"subscription_schedule":             {withNull("customer_account")},
				"tax_id":                            {withNull("customer_account"), inside("owner", withNull("customer_account"))},
			},
		},
		{
			version: "2026-01-28.clover",
			objects: map[string][]objectChange{"item": {withNull("adjustable_quantity")}},
		},
	}
}

func cloverObjects() map[string][]objectChange {
	return map[string][]objectChange{
		// add-discount-source-property, polymorphic-coupon: the coupon is no longer expanded.
		"discount":       {replaced("coupon", "source", sourceOf)},
		"promotion_code": {replaced("coupon", "promotion", sourceOf)},

		"subscription":          {inside("billing_mode", withNull("flexible"))},
		"subscription_schedule": {inside("billing_mode", withNull("flexible"))},
		"tax.settings":          {inside("defaults", with("provider", "stripe"))},
		"invoiceitem":           {withValue("net_amount", amountOf)},
		"checkout.session": {
			inside("customer_details", withNull("business_name", "individual_name")),
			inside("collected_information", withNull("business_name", "individual_name")),
		},
		"billing_portal.configuration": {inside("features.subscription_update", with("trial_update_behavior", "end_trial"))},
	}
}

func cloverParams() map[string][]paramChange {
	return map[string][]paramChange{
		"POST /v1/promotion_codes": {
			unknownParams("coupon"),
			requiredParams("promotion", "promotion[type]", "promotion[coupon]"),
			onlyChoice("promotion[type]", "coupon", "Promotion codes are of coupons."),
			movedParam("promotion[coupon]", "coupon"),
		},
		"POST /v1/subscription_schedules":      {unknownParams("phases[][iterations]")},
		"POST /v1/subscription_schedules/{id}": {unknownParams("phases[][iterations]")},
	}
}

// expandablePrice makes the price of pricing a reference (expandable-price-details-price).
func expandablePrice(r *request, o wire.Object) {
	inside("pricing.price_details", func(_ *request, details wire.Object) {
		details["price"] = wire.Ref("price", idOf(details["price"]))
	})(r, o)
}

// sourceOf holds the coupon as a reference, which a call may expand.
func sourceOf(_ *request, coupon any) any {
	return wire.Object{"type": "coupon", "coupon": wire.Ref("coupon", idOf(coupon))}
}

func amountOf(_ *request, o wire.Object) any { return o["amount"] }
