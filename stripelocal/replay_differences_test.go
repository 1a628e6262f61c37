package stripelocal_test

import (
	"slices"
	"strings"
)

// knownDifference is a difference between recorded responses and the server's that stays. where is
// a field, or one with all fields inside it if it ends with a star.
type knownDifference struct {
	where    string
	versions string // of recordings: older or newer than 2024-06-20, or all
	reason   string
}

const (
	older = "older"
	newer = "newer"
	all   = "all"
)

// Reasons that several fields share.
const (
	addedBy       = "version 2024-06-20 has the field, the recorded version did not"
	addedLater    = "added after version 2024-06-20"
	ofBasil       = "fields of 2025-03-31.basil, which Stripe showed to acacia too when this was recorded, days before"
	accountMethod = "a setting of the account: this one takes cards only"
	oldWording    = "the wording before 2022-11-15"
	stripeJS      = "read by Stripe.js alone; here it is the page that stands in for the bank's"
)

// knownDifferences is the whole list. docs/local-stripe.md shows it; a test compares both.
func knownDifferences() []knownDifference {
	return slices.Concat(behaviorDifferences(), fieldsOf2024(), newerFields(), methodDifferences())
}

// behaviorDifferences are differences in values.
func behaviorDifferences() []knownDifference {
	return []knownDifference{
		{"status", older, "the recorded decline is that of a card whose story is not recorded"},
		{"error.message", older, oldWording},
		{"error.param", older, oldWording},
		{"data", older, "the endpoints of the recorded account"},
		{"customer.created", older, "the call was replayed from its idempotency key"},
		{"price.created", all, "Stripe reused the price of an earlier invoice item, from before the recording"},
		{"charge.receipt_url", all, "a payment without an invoice has no receipt page here"},
		{"charge.balance_transaction", older, "before version 2024-04-10 capture was not asynchronous"},
		{"charge.payment_method_details.card.checks.cvc_check", older, "test ids had no security code before 2023-10"},
		{"payment_method.card.checks.cvc_check", older, "test ids had no security code before 2023-10"},
		{"invoice.webhooks_delivered_at", older, "the recorded account had an endpoint"},
		{"payment_intent.capture_method", older, "the default before version 2024-04-10"},
		{"payment_intent.automatic_payment_methods", older, "the default before version 2023-08-16"},
		{"payment_intent.next_action.use_stripe_sdk.*", all, stripeJS},
		{"charge.radar_options", all, "shown to accounts with Radar sessions"},
	}
}

// fieldsOf2024 are fields that were added by version 2024-06-20.
func fieldsOf2024() []knownDifference {
	fields := words(`
		charge.payment_method_details.card.amount_authorized charge.payment_method_details.card.authorization_code
		charge.payment_method_details.card.capture_before charge.payment_method_details.card.extended_authorization
		charge.payment_method_details.card.incremental_authorization charge.payment_method_details.card.multicapture
		charge.payment_method_details.card.network_token charge.payment_method_details.card.overcapture
		invoice.amount_shipping invoice.automatic_tax.liability invoice.automatically_finalizes_at invoice.effective_at invoice.issuer
		invoice.rendering invoice.shipping_cost invoice.shipping_details invoice.subscription_details line_item.invoice
		payment_intent.payment_method_configuration_details payment_method.allow_redisplay payment_method.card.display_brand plan.meter
		price.recurring.meter refund.destination_details setup_intent.payment_method_configuration_details
		subscription.automatic_tax.liability subscription.billing_cycle_anchor_config subscription.cancellation_details
		subscription.discounts subscription.invoice_settings subscription.trial_settings subscription_item.discounts
		test_helpers.test_clock.status_details
	`)
	out := withReason(fields, older, addedBy)
	removed := words(`
		customer.account_balance customer.default_currency customer.sources customer.subscriptions customer.tax_ids customer.tax_info
		customer.tax_info_verification invoice.rendering_options
	`)
	out = append(out, withReason(removed, older, "removed by version 2024-06-20, or shown only where it is expanded")...)
	return append(out, withReason(words("invoice.rendering.template invoice.rendering.template_version"), all, "added to version 2024-06-20 after the recording")...)
}

// newerFields are fields that Stripe shows to versions before the one that brought them, or that
// were added to all versions later.
func newerFields() []knownDifference {
	fields := words(`
		credit_note.refunds credit_note.total_taxes credit_note_line_item.taxes invoice.amount_overpaid invoice.parent invoice.total_taxes
		invoiceitem.parent invoiceitem.pricing line_item.parent line_item.pricing line_item.taxes
		subscription_item.current_period_end subscription_item.current_period_start
	`)
	everywhere := words(`
		customer.customer_account payment_intent.customer_account payment_intent.excluded_payment_method_types payment_intent.managed_payments
		payment_intent.shared_payment_granted_token payment_method.billing_details.tax_id payment_method.card.regulated_status
		payment_method.customer_account payment_method.shared_payment_granted_token
	`)
	out := withReason(fields, newer, ofBasil)
	out = append(out, knownDifference{"error.advice_code", newer, "advice about declines, which were not recorded before March 2025"})
	return append(out, withReason(everywhere, all, addedLater+", and shown for every version since")...)
}

// methodDifferences follow from the payment methods that the recorded accounts take.
func methodDifferences() []knownDifference {
	fields := words("payment_intent.payment_method_types setup_intent.payment_method_types setup_intent.payment_method_options.us_bank_account")
	for _, kind := range words("acss_debit afterpay_clearpay alipay cashapp klarna link us_bank_account wechat_pay") {
		fields = append(fields, "payment_intent.payment_method_options."+kind)
	}
	return withReason(fields, all, accountMethod)
}

func withReason(fields []string, versions, reason string) []knownDifference {
	var out []knownDifference
	for _, field := range fields {
		out = append(out, knownDifference{field, versions, reason})
	}
	return out
}

// covers reports whether a difference of a recording is known.
func (k knownDifference) covers(where, version string) bool {
	if prefix, all := strings.CutSuffix(k.where, "*"); where != k.where && !(all && strings.HasPrefix(where, prefix)) {
		return false
	}
	switch k.versions {
	case older:
		return version < "2024-06-20"
	case newer:
		return version > "2024-06-20" // an unknown version is one of the SDK's of that day
	}
	return true
}

// madeUpFields are fields whose values Stripe makes up, or that tell about the account: they need a
// value, any value.
var madeUpFields = words(`
	.fingerprint .client_secret .receipt_url .hosted_invoice_url .invoice_pdf .invoice_prefix .number .url .pdf .secret
	.authorization_code .network_transaction_id .transaction_id .account_name .account_country .risk_score
	.calculated_statement_descriptor .doc_url .stripe_js .balance_transaction .times_redeemed .reference .customer_name
	.customer_email .email .name .payment_method_configuration_details.id
`)

func madeUp(where string) bool {
	return slices.ContainsFunc(madeUpFields, func(suffix string) bool { return strings.HasSuffix(where, suffix) })
}

func ignoredField(where string) bool { return strings.HasSuffix(where, ".request_log_url") }

func words(text string) []string { return strings.Fields(text) }
