package stripelocal

import (
	"cmp"
	"slices"

	"usher/stripelocal/wire"
)

// PaymentIntent is one payment. Amounts are minor units.
type PaymentIntent struct {
	Base
	AutomaticPaymentMethods   bool   // automatic_payment_methods[enabled]
	AllowRedirects            string // allow_redirects; empty is always
	CaptureMethod             string // empty is the API version's default
	MethodConfiguration       string `json:",omitzero"` // of automatic payment methods; empty is the default one
	ConfirmationMethod        string // empty is automatic
	StatementDescriptor       string
	StatementDescriptorSuffix string
	ReturnURL                 string
	UseStripeSDK              bool              `json:",omitzero"` // Stripe.js shows the 3-D Secure page
	AuthenticatedMethod       string            `json:",omitzero"` // passed 3-D Secure; a confirmation with the secret key is left
	TransferGroup             string            `json:",omitzero"`
	MethodOptions             map[string]string `json:",omitzero"` // setup_future_usage by payment method type, of payment_method_options
	Shipping                  *Shipping
	Amount                    int64
	AmountReceived            int64
	CanceledAt                int64
	CancellationReason        string
	Currency                  string
	Customer                  string
	Description               string
	Invoice                   string
	LatestCharge              string
	LastPaymentError          *Decline
	LastErrorMethod           string
	Metadata                  map[string]string
	Mandate                   string        `json:",omitzero"` // accepted for this payment
	DebitEndsAt               int64         `json:",omitzero"` // account time; 0 if no bank debit is pending
	BankTransfer              *BankTransfer `json:",omitzero"` // of customer_balance
	PaymentMethod             string
	PaymentMethodTypes        []string `json:",omitzero"` // empty is those of methodTypes
	ReceiptEmail              string
	ClientSecret              string
	CheckoutSession           string // the Checkout session that created it
	SetupFutureUsage          string
	Status                    string
}

// paymentIntents serves /v1/payment_intents.
type paymentIntents struct{ *request }

func paymentIntentResource() resource {
	return resource{
		objectType: "payment_intent",
		render: renderFrom(func(s *store) *table[*PaymentIntent] { return s.PaymentIntents },
			bind(paymentIntents.render)),
		scheduleTimers: func(r *request) {
			for _, pi := range r.store.PaymentIntents.all {
				r.bankDebits.scheduleEnd(pi)
			}
		},
		routes: paymentIntentRoutes(),
	}
}

// insert stores a payment intent and emits payment_intent.created.
func (h paymentIntents) insert(pi *PaymentIntent) *PaymentIntent {
	pi.Base = Base{ID: h.ids.longID("pi_3"), Created: h.now}
	pi.ClientSecret = pi.ID + "_secret_" + h.ids.token(25)
	pi.Status = "requires_payment_method"
	if pi.PaymentMethod != "" {
		pi.Status = "requires_confirmation"
	}
	if pi.Metadata == nil {
		pi.Metadata = map[string]string{}
	}
	h.store.PaymentIntents.insert(pi)
	h.emit("payment_intent.created", h.render(pi))
	return pi
}

// confirmWith attempts the payment. A card that requires 3-D Secure leaves the intent in
// requires_action until completeAuthentication.
func (h paymentIntents) confirmWith(pi *PaymentIntent, pm *PaymentMethod) (paymentOutcome, *Decline) {
	if pm.methodKind() == "customer_balance" {
		return h.bankTransfers.confirm(pi, pm), nil
	}
	result, decline := pm.chargeOutcome()
	if result == outcomeRequiresAction && pi.AuthenticatedMethod == pm.ID {
		result, decline = pm.outcomeAfterAuthentication()
	}
	pi.PaymentMethod, pi.LastPaymentError, pi.AuthenticatedMethod, pm.Verified = pm.ID, nil, "", true
	switch result {
	case outcomePaid:
		h.succeed(pi, pm)
	case outcomeDeclined:
		h.fail(pi, pm, decline)
	case outcomeProcessing:
		h.bankDebits.start(pi, pm)
	case outcomeRequiresAction:
		pi.Status = "requires_action"
		h.emit("payment_intent.requires_action", h.render(pi))
	}
	return result, decline
}

// completeAuthentication applies the result of 3-D Secure.
func (h paymentIntents) completeAuthentication(pi *PaymentIntent, passed bool) (paymentOutcome, *Decline) {
	pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod)
	if !ok || pi.Status != "requires_action" || !pm.isCard() {
		return outcomeDeclined, genericDecline()
	}
	if passed {
		pm.Authenticated = true
		return h.continueAuthenticated(pi, pm)
	}
	decline := &Decline{
		Code:    "payment_intent_authentication_failure",
		Message: "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
	}
	h.failConfirmation(pi, pm, decline)
	return outcomeDeclined, decline
}

// continueAuthenticated charges, unless the confirmation method is manual: then the secret key
// confirms once more (docs: finalize payments on the server).
func (h paymentIntents) continueAuthenticated(pi *PaymentIntent, pm *PaymentMethod) (paymentOutcome, *Decline) {
	if pi.confirmationMethod() == "manual" {
		pi.Status, pi.AuthenticatedMethod = "requires_confirmation", pm.ID
		return outcomeRequiresAction, nil
	}
	result, decline := pm.outcomeAfterAuthentication()
	if result == outcomeDeclined {
		h.fail(pi, pm, decline)
	} else {
		h.succeed(pi, pm)
	}
	return result, decline
}

func (h paymentIntents) succeed(pi *PaymentIntent, pm *PaymentMethod) {
	ch := h.charges.create(pi, pm, nil)
	if pi.captureMethod() == "manual" {
		h.authorize(pi, ch)
		return
	}
	h.markSucceeded(pi, ch)
}

// markSucceeded marks a payment as succeeded, with what follows from its test card or account.
func (h paymentIntents) markSucceeded(pi *PaymentIntent, ch *Charge) {
	pi.Status, pi.AmountReceived, pi.LatestCharge, pi.LastPaymentError = "succeeded", pi.Amount, ch.ID, nil
	h.emit("charge.succeeded", h.charges.render(ch))
	h.emit("payment_intent.succeeded", h.render(pi))
	h.balanceTransactions.announce(ch)
	h.fraudWarnings.openForTestCard(ch)
	h.reviews.openForTestCard(ch)
	h.disputes.openForTestCard(ch)
}

// authorize marks the amount as authorized until it is captured or canceled.
func (h paymentIntents) authorize(pi *PaymentIntent, ch *Charge) {
	ch.Uncaptured, ch.WasUncaptured, ch.BalancePending = true, true, false
	pi.Status, pi.LatestCharge, pi.LastPaymentError = "requires_capture", ch.ID, nil
	h.emit("charge.succeeded", h.charges.render(ch))
	h.emit("payment_intent.amount_capturable_updated", h.render(pi))
	h.reviews.openForTestCard(ch)
}

// amountCapturable is the amount that can still be captured.
func (pi *PaymentIntent) amountCapturable() int64 {
	if pi.Status != "requires_capture" {
		return 0
	}
	return pi.Amount
}

func (h paymentIntents) fail(pi *PaymentIntent, pm *PaymentMethod, decline *Decline) {
	ch := h.charges.create(pi, pm, decline)
	pi.LatestCharge = ch.ID
	h.emit("charge.failed", h.charges.render(ch))
	h.failConfirmation(pi, pm, decline)
}

// failConfirmation returns the intent to requires_payment_method.
func (h paymentIntents) failConfirmation(pi *PaymentIntent, pm *PaymentMethod, decline *Decline) {
	pi.Status, pi.PaymentMethod = "requires_payment_method", ""
	pi.LastPaymentError, pi.LastErrorMethod = decline, pm.ID
	h.emit("payment_intent.payment_failed", h.render(pi))
}

// cancelByID cancels the intent of a voided invoice or an expired session, if it is open.
func (h paymentIntents) cancelByID(id, reason string) {
	pi, ok := h.store.PaymentIntents.get(id)
	if !ok || pi.Status == "succeeded" || pi.Status == "canceled" {
		return
	}
	pi.Status, pi.CanceledAt, pi.CancellationReason = "canceled", h.now, reason
	h.bankDebits.cancel(pi)
	h.bankTransfers.giveBack(pi)
	h.emit("payment_intent.canceled", h.render(pi))
}

func (h paymentIntents) get(in *input) (any, error) {
	pi, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(pi.ClientSecret, "PaymentIntent")
	}
	if err != nil {
		return nil, err
	}
	return h.render(pi), nil
}

func (h paymentIntents) list(in *input) (any, error) {
	rows := h.store.PaymentIntents.all
	if in.Has("customer") {
		rows = h.store.PaymentIntents.by("customer", in.String("customer"))
	}
	return listing[*PaymentIntent]{
		resource: "payment_intent", table: h.store.PaymentIntents, rows: rows,
		render: h.render,
	}.page(in)
}

func (h paymentIntents) render(p *PaymentIntent) wire.Object {
	return wire.Object{
		"id": p.ID, "object": "payment_intent", "amount": p.Amount, "amount_capturable": p.amountCapturable(),
		"amount_details": wire.Object{"tip": wire.Object{}}, "amount_received": p.AmountReceived, "application": nil,
		"application_fee_amount": nil, "automatic_payment_methods": p.renderAutomatic(), "canceled_at": wire.IntOrNull(p.CanceledAt),
		"cancellation_reason": wire.StringOrNull(p.CancellationReason), "capture_method": p.captureMethod(), "client_secret": p.ClientSecret,
		"confirmation_method": p.confirmationMethod(), "created": p.Created, "currency": p.Currency,
		"customer": wire.Ref("customer", p.Customer), "description": wire.StringOrNull(p.Description),
		"invoice": wire.Ref("invoice", p.Invoice), "last_payment_error": h.renderLastError(p),
		"latest_charge": wire.Ref("charge", p.LatestCharge), "livemode": false, "metadata": p.Metadata,
		"next_action": h.renderNextAction(p), "on_behalf_of": nil,
		"payment_method":                       wire.Ref("payment_method", p.PaymentMethod),
		"payment_method_configuration_details": h.methodConfiguration(p.AutomaticPaymentMethods, p.MethodConfiguration),
		"payment_method_options":               h.methodOptions(p), "payment_method_types": h.methodTypes(p),
		"processing": nil, "receipt_email": wire.StringOrNull(p.ReceiptEmail), "review": wire.Ref("review", h.reviews.ofCharge(p.LatestCharge)),
		"setup_future_usage": wire.StringOrNull(p.SetupFutureUsage), "shipping": p.Shipping.render(), "source": nil,
		"statement_descriptor": wire.StringOrNull(p.StatementDescriptor), "statement_descriptor_suffix": wire.StringOrNull(p.StatementDescriptorSuffix), "status": p.Status,
		"transfer_data": nil, "transfer_group": wire.StringOrNull(p.TransferGroup),
	}
}

func (p *PaymentIntent) renderAutomatic() any {
	return renderAutomatic(p.AutomaticPaymentMethods, p.AllowRedirects)
}

func renderAutomatic(on bool, redirects string) any {
	switch {
	case !on:
		return nil
	case redirects == "":
		redirects = "always"
	}
	return wire.Object{"allow_redirects": redirects, "enabled": true}
}

func (p *PaymentIntent) confirmationMethod() string {
	if p.ConfirmationMethod == "" {
		return "automatic"
	}
	return p.ConfirmationMethod
}

// methodConfiguration is the configuration of payment methods that automatic payment methods use:
// the one with an id, or the default one (recorded by pay-rails/pay).
func (r *request) methodConfiguration(automatic bool, id string) any {
	if !automatic {
		return nil
	}
	return wire.Object{"id": cmp.Or(id, r.defaultConfigurationID()), "parent": nil}
}

// methodTypes are the types of payment methods that an intent takes. An intent of an invoice has
// those of the default configuration, unless the invoice names them.
func (h paymentIntents) methodTypes(p *PaymentIntent) []string {
	if len(p.PaymentMethodTypes) > 0 {
		return p.PaymentMethodTypes
	}
	return h.configuredTypes(p.AutomaticPaymentMethods || p.Invoice != "", p.MethodConfiguration, p.Currency)
}

// configuredTypes are card and the bank debits that a configuration offers in a currency; of a
// setup, which has no currency, in any.
func (r *request) configuredTypes(automatic bool, id, currency string) []string {
	types := []string{"card"}
	x, ok := r.methodConfigurations.byID(cmp.Or(id, r.defaultConfigurationID()))
	if !ok || !automatic {
		return types
	}
	for _, kind := range []string{"sepa_debit", "us_bank_account"} {
		if x.offers(kind) && (currency == "" || slices.Contains(bankKinds[kind], currency)) {
			types = append(types, kind)
		}
	}
	return types
}

// methodOptions are the payment_method_options of the types that an intent takes.
func (h paymentIntents) methodOptions(p *PaymentIntent) wire.Object {
	all := wire.Object{}
	for _, kind := range h.methodTypes(p) {
		options := wire.Object{}
		switch kind {
		case "card":
			all[kind] = p.cardOptions()
			continue
		case "us_bank_account":
			options["mandate_options"], options["verification_method"] = wire.Object{}, cmp.Or(p.MethodOptions["verification_method"], "automatic")
		case "customer_balance":
			options = p.BankTransfer.options()
		}
		if usage := p.MethodOptions[kind]; usage != "" {
			options["setup_future_usage"] = usage
		}
		all[kind] = options
	}
	return all
}

// futureUsage is the setup_future_usage for a payment method: that of its type, else that of the
// intent (API reference: create a PaymentIntent).
func (p *PaymentIntent) futureUsage(pm *PaymentMethod) string {
	if usage := cmp.Or(p.MethodOptions[pm.methodKind()], p.SetupFutureUsage); usage != "none" {
		return usage
	}
	return ""
}

func (p *PaymentIntent) cardOptions() wire.Object {
	card := wire.Object{"installments": nil, "mandate_options": nil, "network": nil, "request_three_d_secure": "automatic"}
	if usage := p.MethodOptions["card"]; usage != "" {
		card["setup_future_usage"] = usage
	}
	return card
}

func (h paymentIntents) renderLastError(p *PaymentIntent) any {
	if p.LastPaymentError == nil {
		return nil
	}
	o := h.renderDecline(p.LastPaymentError, p.LastErrorMethod)
	ch, charged := h.store.Charges.get(p.LatestCharge)
	if p.LastPaymentError.DeclineCode != "" || charged && ch.Failure != nil && ch.Failure.Code == p.LastPaymentError.Code {
		o["charge"] = p.LatestCharge
	}
	return o
}

// renderDecline renders the last error of an intent with its payment method.
func (h paymentIntents) renderDecline(d *Decline, method string) wire.Object {
	o := wire.Object{"type": "invalid_request_error", "code": d.Code, "message": d.Message, "doc_url": wire.DocURL(d.Code)}
	if d.DeclineCode != "" {
		o["type"], o["decline_code"] = "card_error", d.DeclineCode
	}
	if pm, ok := h.store.PaymentMethods.get(method); ok {
		o["payment_method"] = h.paymentMethods.render(pm)
	}
	return o
}

func (h paymentIntents) renderNextAction(p *PaymentIntent) any {
	if p.Status != "requires_action" {
		return nil
	}
	pm, ok := h.store.PaymentMethods.get(p.PaymentMethod)
	switch {
	case ok && pm.Unverified:
		return h.microdepositAction(p.ID, pm)
	case p.BankTransfer != nil:
		return p.BankTransfer.nextAction(p)
	}
	return nextAction(h.origin+"/c/authenticate/"+p.ID, p.ReturnURL, p.UseStripeSDK)
}

// nextAction is the next_action of an intent that requires 3-D Secure: a redirect only if the
// client gave a return_url, else the data for Stripe.js (recorded by pay-rails/pay). With
// use_stripe_sdk it is always the latter (API reference: confirm a PaymentIntent).
func nextAction(page, returnURL string, useStripeSDK bool) wire.Object {
	if returnURL == "" || useStripeSDK {
		return wire.Object{"type": "use_stripe_sdk", "use_stripe_sdk": wire.Object{"type": "three_d_secure_redirect", "stripe_js": page}}
	}
	return wire.Object{"type": "redirect_to_url", "redirect_to_url": wire.Object{"return_url": returnURL, "url": page}}
}
