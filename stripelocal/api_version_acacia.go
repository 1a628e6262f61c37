package stripelocal

import (
	"fmt"
	"hash/fnv"

	"usher/stripelocal/wire"
)

// acaciaSteps are the changes of 2024-09-30.acacia, and the fields that its monthly successors
// added. Sources: https://docs.stripe.com/changelog/acacia and the changelog of stripe-node 17.
func acaciaSteps() []versionStep {
	noReason := inside("automatic_tax", withNull("disabled_reason"))
	unregulated := with("regulated_status", "unregulated")
	return []versionStep{
		{
			version: "2024-09-30.acacia",
			objects: map[string][]objectChange{"billing.alert": {withFiltersOfThreshold}},
			params: map[string][]paramChange{
				"POST /v1/billing/alerts": {
					unknownParams("filter", "usage_threshold_config"), oneFilterOfThreshold, movedParam("usage_threshold", "usage_threshold_config"),
				},
				"POST /v1/billing_portal/configurations": {optionalOffersOfDisabledUpdates},
			},
		},
		{
			version: "2024-10-28.acacia",
			events:  []string{"refund.created", "refund.updated", "refund.failed"},
			params: map[string][]paramChange{
				"POST /v1/billing_portal/configurations": {optionalBusinessProfile},
			},
			objects: map[string][]objectChange{
				"dispute": {
					withValue("enhanced_eligibility_types", emptyList),
					inside("evidence", withObject("enhanced_evidence", wire.Object{})),
					inside("evidence_details", withObject("enhanced_eligibility", wire.Object{})),
				},
				"tax_rate":                     {withNull("flat_amount", "rate_type")},
				"payment_method_domain":        {withObject("amazon_pay", wire.Object{"status": "active"})},
				"billing_portal.configuration": {inside("features.subscription_update", withObject("schedule_at_period_end", wire.Object{"conditions": []any{}}))},
				"invoice":                      {withValue("total_pretax_credit_amounts", emptyList)},
				"line_item":                    {withValue("pretax_credit_amounts", emptyList)},
				"credit_note":                  {withValue("pretax_credit_amounts", emptyList)},
				"credit_note_line_item":        {withValue("pretax_credit_amounts", emptyList)},
				"tax.calculation":              {inside("tax_breakdown.tax_rate_details", withNull("flat_amount"), withValue("rate_type", rateType))},
			},
		},
		{
			version: "2024-11-20.acacia",
			objects: map[string][]objectChange{
				"checkout.session":      {withNull("adaptive_pricing")},
				"payout":                {withNull("trace_id")},
				"invoice":               {noReason}, // recorded by pay-rails/pay, as are the fields of charges below
				"subscription":          {noReason},
				"subscription_schedule": {inside("default_settings", noReason), inside("phases", noReason)},
			},
		},
		{
			version: "2024-12-18.acacia",
			objects: map[string][]objectChange{
				"charge":             {networkTransaction, inside("payment_method_details.card", unregulated)},
				"payment_method":     {inside("card", unregulated)},
				"card":               {withNull("allow_redisplay"), unregulated},
				"confirmation_token": {inside("payment_method_preview.card", unregulated)},
			},
		},
		{
			version: "2025-01-27.acacia",
			objects: map[string][]objectChange{
				"charge":           {inside("outcome", withNull("advice_code", "network_advice_code", "network_decline_code"))},
				"checkout.session": {withValue("discounts", discountsOfSession)},
			},
		},
		{
			version: "2025-02-24.acacia",
			objects: map[string][]objectChange{"checkout.session": {withNull("collected_information")}},
		},
	}
}

// networkTransaction gives a card payment the number that its network knows it by, made of its id.
func networkTransaction(r *request, charge wire.Object) {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(idOf(charge)))
	number := fmt.Sprintf("%015d", sum.Sum64()%1e15)
	inside("payment_method_details.card", with("network_transaction_id", number))(r, charge)
}

// optionalBusinessProfile stands for a portal without one (changelog of stripe-node 17.3.0).
func optionalBusinessProfile(form *wire.Value) *wire.Error {
	if form.Lookup("business_profile") != nil {
		return nil
	}
	return optionalParam("business_profile[headline]")(form)
}

// optionalOffersOfDisabledUpdates needs to know what the portal offers only if it offers updates
// (https://docs.stripe.com/changelog/acacia/2024-09-30/billing-portal-updates-optional).
func optionalOffersOfDisabledUpdates(form *wire.Value) *wire.Error {
	const update = "features[subscription_update]"
	if enabled := form.Lookup(update + "[enabled]"); enabled == nil || enabled.Text() != "false" {
		return nil
	}
	_ = optionalParam(update + "[default_allowed_updates]")(form)
	return optionalParam(update + "[products]")(form)
}

// withFiltersOfThreshold moves the filter of a billing alert into its threshold.
func withFiltersOfThreshold(_ *request, alert wire.Object) {
	threshold, ok := alert["usage_threshold_config"].(wire.Object)
	if !ok {
		return
	}
	filters := []any{}
	if filter, ok := alert["filter"].(wire.Object); ok {
		filters = append(filters, wire.Object{"customer": filter["customer"], "type": "customer"})
	}
	delete(alert, "filter")
	delete(alert, "usage_threshold_config")
	threshold["filters"] = filters
	alert["usage_threshold"] = threshold
}

// oneFilterOfThreshold moves the customer of the only filter to its older place.
func oneFilterOfThreshold(form *wire.Value) *wire.Error {
	filters := form.Take("usage_threshold[filters]")
	if filters == nil {
		return nil
	}
	if len(filters.Elements()) != 1 {
		return wire.Invalid("", filters.SentName(), "You may specify at most one filter.")
	}
	filter := filters.Elements()[0]
	kind := filter.Lookup("type")
	if kind == nil {
		return wire.MissingParam(filter.SentName() + "[type]")
	}
	if kind.Text() != "customer" {
		return wire.Invalid("", kind.SentName(), "Invalid "+kind.SentName()+": must be customer")
	}
	if customer := filter.Lookup("customer"); customer != nil {
		form.Put("filter[customer]", customer)
	}
	return nil
}

func discountsOfSession(r *request, session wire.Object) any {
	cs, ok := r.store.CheckoutSessions.get(idOf(session))
	if !ok || cs.Discount == nil {
		return nil
	}
	return []any{wire.Object{"coupon": wire.Ref("coupon", cs.Discount.Coupon.ID), "promotion_code": wire.Ref("promotion_code", cs.Discount.PromotionCode)}}
}

// rateType is null where nothing is taxed.
func rateType(_ *request, details wire.Object) any {
	if details["tax_type"] == nil {
		return nil
	}
	return "percentage"
}

func emptyList(*request, wire.Object) any { return []any{} }
