package stripelocal

import (
	"fmt"
	"maps"
	"slices"

	"usher/stripelocal/wire"
)

const (
	shippingFields = "shipping{address" + addressLines + "! carrier name! phone tracking_number}"
	shippingParams = shippingFields + " "
	intentChanges  = "customer description:1000? payment_method payment_method_types[] statement_descriptor:22? statement_descriptor_suffix:22? "
	// methodOptionParams are the options of the payment methods that exist here.
	methodOptionParams = "payment_method_options{card{setup_future_usage:none|off_session|on_session? request_three_d_secure:any|automatic|challenge}? sepa_debit{setup_future_usage:none|off_session|on_session?}? " +
		"us_bank_account{setup_future_usage:none|off_session|on_session? verification_method:automatic|instant|microdeposits}? " + bankTransferParams + "} "
	intentConfirm    = "error_on_requires_action:bool off_session:bool return_url use_stripe_sdk:bool mandate " + mandateParams + methodDataParams
	methodDataParams = "payment_method_data{type:customer_balance|sepa_debit|us_bank_account! " + bankAccountParams + billingDetailsParams + "} "
)

func paymentIntentRoutes() []route {
	return []route{
		on("POST /v1/payment_intents", "amount:int! currency:currency! automatic_payment_methods{allow_redirects:always|never enabled:bool!} confirm:bool "+
			"capture_method:automatic|automatic_async|manual confirmation_method:automatic|manual "+intentChanges+"metadata:map receipt_email setup_future_usage:off_session|on_session transfer_group confirmation_token payment_method_configuration:100 "+shippingParams+methodOptionParams+intentConfirm, paymentIntents.create),
		on("GET /v1/payment_intents", listParams+"customer", paymentIntents.list),
		on("GET /v1/payment_intents/{id}", "client_secret", paymentIntents.get),
		on("POST /v1/payment_intents/{id}", "amount:int currency:currency transfer_group "+methodOptionParams+intentChanges+"metadata:map? receipt_email? setup_future_usage:off_session|on_session? "+shippingFields+"? ", paymentIntents.update),
		on("POST /v1/payment_intents/{id}/confirm", "client_secret confirmation_token payment_method receipt_email? setup_future_usage:off_session|on_session? payment_method_types[] "+
			"capture_method:automatic|automatic_async|manual "+shippingFields+"? "+methodOptionParams+intentConfirm, paymentIntents.confirm),
		on("POST /v1/payment_intents/{id}/verify_microdeposits", microdepositParams, paymentIntents.verifyMicrodeposits),
		on("POST /v1/payment_intents/{id}/capture", "amount_to_capture:int metadata:map? statement_descriptor:22 statement_descriptor_suffix:22", paymentIntents.capture),
		on("POST /v1/payment_intents/{id}/cancel", "cancellation_reason:abandoned|duplicate|fraudulent|requested_by_customer", paymentIntents.cancel),
	}
}

func (h paymentIntents) create(in *input) (any, error) {
	if err := checkIntentAmount(in.Params); err != nil {
		return nil, err
	}
	token, err := h.paymentMethods.applyInline(in)
	if err == nil {
		err = checkConfirms(in.Params)
	}
	if err != nil {
		return nil, err
	}
	if in.Bool("confirm") && !in.Has("payment_method") {
		return nil, missingMethodError(&PaymentIntent{})
	}
	if err := h.methodConfigurations.checkForIntent(in.Params); err != nil {
		return nil, err
	}
	pm, err := h.checkReferences(in.Params, "")
	if err == nil {
		err = checkTypeCurrency(in.Params, in.String("currency"))
	}
	if err != nil {
		return nil, err
	}
	pi := &PaymentIntent{
		MethodConfiguration: in.String("payment_method_configuration"), Amount: in.Int("amount"), Currency: in.String("currency"), ConfirmationMethod: in.String("confirmation_method"),
		CaptureMethod: in.String("capture_method"), AutomaticPaymentMethods: usesAutomaticMethods(in.Params), AllowRedirects: in.At("automatic_payment_methods").String("allow_redirects"),
	}
	pi.setFields(in.Params)
	if pm != nil {
		pi.PaymentMethod = pm.ID
	}
	h.insert(pi)
	if !in.Bool("confirm") {
		return h.render(pi), nil
	}
	token.applyTo(pi, in.Params)
	return h.confirmFromAPI(pi, in.Params)
}

// checkConfirms rejects a confirmation token for an intent that the call does not confirm (the
// wording is inferred).
func checkConfirms(p wire.Params) error {
	if p.Has("confirmation_token") && !p.Bool("confirm") {
		return wire.Invalid("", "confirmation_token", "You can only provide `confirmation_token` if `confirm` is true.")
	}
	return nil
}

// usesAutomaticMethods reports whether an intent takes the payment methods of the account's
// settings: by default, unless the call names types (docs: upgrades, 2023-08-16; recorded by
// pay-rails/pay).
func usesAutomaticMethods(p wire.Params) bool {
	return p.At("automatic_payment_methods").BoolOr("enabled", !p.Has("payment_method_types"))
}

// largestCharge is the largest amount of a payment in minor units (docs: maximum charge amounts, up
// to eight digits).
const largestCharge = 99999999

func checkIntentAmount(p wire.Params) error {
	amount, currency := p.Int("amount"), p.String("currency")
	switch {
	case amount < 1: // recorded by pay-rails/pay
		return wire.Invalid("parameter_invalid_integer", "amount", "The amount must be greater than or equal to the minimum charge amount allowed for your account and the currency set (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).  If you want to save a Payment Method for future use without an immediate payment, use a Setup Intent instead: https://docs.stripe.com/payments/setup-intents")
	case amount > largestCharge:
		return wire.Invalid("amount_too_large", "amount", "Amount must be no more than "+wire.FormatAmount(largestCharge, currency))
	case amount < wire.SmallestCharge(currency):
		return wire.Invalid("amount_too_small", "amount", "Amount must be at least "+wire.FormatAmount(wire.SmallestCharge(currency), currency))
	}
	return nil
}

// checkReferences checks the referenced customer and payment method. owner is the intent's current
// customer.
func (h paymentIntents) checkReferences(p wire.Params, owner string) (*PaymentMethod, error) {
	if p.Has("customer") {
		c, err := h.customers.fromParam(p, "customer")
		if err != nil {
			return nil, err
		}
		owner = c.ID
	}
	if err := checkMethodTypes(p); err != nil {
		return nil, err
	}
	if !p.Has("payment_method") {
		return nil, nil
	}
	pm, err := h.paymentMethods.findUsable(p.String("payment_method"), "payment_method")
	if err != nil {
		return nil, err
	}
	return pm, checkMethodOwner(pm, owner)
}

// checkMethodTypes rejects the payment method types that do not exist here.
func checkMethodTypes(p wire.Params) error {
	for _, kind := range p.Strings("payment_method_types") {
		if kind != "card" && bankKinds[kind] == nil {
			return wire.Invalid("payment_intent_invalid_parameter", p.Name("payment_method_types"), "The payment method type provided: "+kind+" is invalid. The local Stripe has card, customer_balance, sepa_debit and us_bank_account only.")
		}
	}
	return nil
}

// checkTypeCurrency rejects payment method types that do not have a currency.
func checkTypeCurrency(p wire.Params, currency string) error {
	for _, kind := range p.Strings("payment_method_types") {
		if currencies := bankKinds[kind]; currencies != nil && !slices.Contains(currencies, currency) {
			return currencyError(kind, currency)
		}
	}
	return nil
}

// checkMethodOwner rejects a payment method of another customer.
func checkMethodOwner(pm *PaymentMethod, customer string) error {
	switch {
	case pm.Customer == "" || pm.Customer == customer:
		return nil
	case customer == "":
		return wire.Invalid("payment_intent_unexpected_state", "payment_method", fmt.Sprintf("The provided PaymentMethod (%s) belongs to the Customer %s. Please include the Customer in the `customer` parameter.", pm.ID, pm.Customer))
	}
	return wire.Invalid("payment_intent_unexpected_state", "payment_method", fmt.Sprintf("The PaymentMethod %s does not belong to the Customer you supplied %s. Please use this PaymentMethod with the Customer that it belongs to instead.", pm.ID, customer))
}

// setFields copies the parameters that can change at any time.
func (pi *PaymentIntent) setFields(p wire.Params) {
	p.SetString("customer", &pi.Customer)
	p.SetString("description", &pi.Description)
	p.SetStrings("payment_method_types", &pi.PaymentMethodTypes)
	p.SetString("receipt_email", &pi.ReceiptEmail)
	p.SetString("setup_future_usage", &pi.SetupFutureUsage)
	p.SetString("statement_descriptor", &pi.StatementDescriptor)
	p.SetString("statement_descriptor_suffix", &pi.StatementDescriptorSuffix)
	p.SetString("transfer_group", &pi.TransferGroup)
	p.SetMetadata(&pi.Metadata)
	setShipping(p, &pi.Shipping)
	pi.setMethodOptions(p.At("payment_method_options"))
}

// setMethodOptions reads payment_method_options. Whether a payment requires 3-D Secure follows from
// its test card alone, so request_three_d_secure has no effect.
func (pi *PaymentIntent) setMethodOptions(p wire.Params) {
	for _, kind := range []string{"card", "sepa_debit", "us_bank_account"} {
		if options := p.At(kind); options.Has("setup_future_usage") {
			pi.setMethodOption(kind, options.String("setup_future_usage"))
		}
	}
	if account := p.At("us_bank_account"); account.Has("verification_method") {
		pi.setMethodOption("verification_method", account.String("verification_method"))
	}
	pi.BankTransfer = bankTransferFromParams(p.At("customer_balance"), pi.BankTransfer)
}

func (pi *PaymentIntent) setMethodOption(name, value string) {
	merged := maps.Clone(pi.MethodOptions)
	if merged == nil {
		merged = map[string]string{}
	}
	merged[name] = value
	pi.MethodOptions = merged
}

func (h paymentIntents) find(in *input) (*PaymentIntent, error) {
	pi, ok := h.store.PaymentIntents.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payment_intent", in.pathValue("id"), "intent")
	}
	return pi, nil
}

// unexpectedState is the error for an operation that the intent's status does not allow.
func unexpectedState(pi *PaymentIntent, message string) *wire.Error {
	e := wire.Invalid("payment_intent_unexpected_state", "", message)
	e.PaymentIntent = pi.ID
	return e
}

func (h paymentIntents) update(in *input) (any, error) {
	pi, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if pi.Status == "succeeded" || pi.Status == "canceled" {
		for _, key := range in.Names() {
			if !slices.Contains([]string{"description", "metadata", "receipt_email", "setup_future_usage", "shipping", "expand"}, key) {
				return nil, unexpectedState(pi, fmt.Sprintf("This PaymentIntent's %s could not be updated because it has a status of %s. You may only update the %s of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.", key, pi.Status, key))
			}
		}
	}
	if pi.Invoice != "" && (in.Has("amount") || in.Has("currency") || in.Has("customer")) {
		return nil, unexpectedState(pi, "You cannot update the amount, currency or customer of a PaymentIntent that belongs to an invoice.")
	}
	if in.Has("amount") {
		err = checkIntentAmount(in.Params)
	}
	if err != nil {
		return nil, err
	}
	pm, err := h.checkReferences(in.Params, pi.Customer)
	if err != nil {
		return nil, err
	}
	h.store.PaymentIntents.change(pi, func() { pi.setFields(in.Params) })
	in.SetInt("amount", &pi.Amount)
	in.SetString("currency", &pi.Currency)
	if pm != nil {
		pi.PaymentMethod, pi.Status = pm.ID, "requires_confirmation"
	}
	return h.render(pi), nil
}

func (h paymentIntents) confirm(in *input) (any, error) {
	pi, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(pi.ClientSecret, "PaymentIntent")
	}
	if err != nil {
		return nil, err
	}
	if in.publishable() && pi.confirmationMethod() == "manual" { // API reference: confirmation_method; the wording is inferred
		return nil, unexpectedState(pi, "You cannot confirm this PaymentIntent with a publishable key because its confirmation_method is manual. Confirm it on your server with a secret key.")
	}
	if !slices.Contains([]string{"requires_payment_method", "requires_confirmation", "requires_action"}, pi.Status) {
		return nil, unexpectedState(pi, fmt.Sprintf("You cannot confirm this PaymentIntent because it has already %s after being previously confirmed.", pi.Status))
	}
	token, err := h.paymentMethods.applyInline(in)
	if err != nil {
		return nil, err
	}
	if pi.PaymentMethod == "" && !in.Has("payment_method") {
		return nil, missingMethodError(pi)
	}
	pm, err := h.checkReferences(in.Params, pi.Customer)
	if err != nil {
		return nil, err
	}
	h.store.PaymentIntents.change(pi, func() { pi.setFields(in.Params) })
	in.SetString("capture_method", &pi.CaptureMethod)
	if pm != nil {
		pi.PaymentMethod = pm.ID
	}
	token.applyTo(pi, in.Params)
	return h.confirmFromAPI(pi, in.Params)
}

func missingMethodError(pi *PaymentIntent) *wire.Error {
	return unexpectedState(pi, "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.")
}

// confirmFromAPI confirms an intent. A decline is a 402 that includes the intent.
func (h paymentIntents) confirmFromAPI(pi *PaymentIntent, p wire.Params) (any, error) {
	pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod)
	if !ok {
		return nil, missingMethodError(pi)
	}
	err := h.bankDebits.accept(pi, pm, p)
	if err == nil {
		err = h.bankDebits.check(pi, pm)
	}
	if err != nil {
		pi.Status = "requires_confirmation"
		return nil, err
	}
	pi.ReturnURL, pi.UseStripeSDK = p.String("return_url"), p.Bool("use_stripe_sdk")
	result, decline := h.confirmForInvoice(pi, pm)
	if result == outcomeRequiresAction && pm.isCard() && (p.Bool("off_session") || p.Bool("error_on_requires_action")) {
		result, decline = outcomeDeclined, authenticationRequired()
		h.failConfirmation(pi, pm, decline)
	}
	if result == outcomeDeclined {
		refusal := cardError(decline)
		refusal.PaymentIntent, refusal.PaymentMethod, refusal.Charge = pi.ID, pm.ID, pi.LatestCharge
		return nil, refusal
	}
	started := result == outcomePaid || result == outcomeProcessing
	if started {
		h.paymentMethods.saveAfterPayment(pi)
	}
	pm.Consumed = pm.Customer == "" && started
	return h.render(pi), nil
}

// confirmForInvoice confirms through the invoice if the intent belongs to one.
func (h paymentIntents) confirmForInvoice(pi *PaymentIntent, pm *PaymentMethod) (paymentOutcome, *Decline) {
	if inv, ok := h.store.Invoices.get(pi.Invoice); ok && inv.PaymentIntent == pi.ID && !inv.isClosed() {
		return h.invoicing.pay(inv, pm)
	}
	return h.confirmWith(pi, pm)
}

func authenticationRequired() *Decline {
	return &Decline{"authentication_required", "authentication_required", "Your card was declined. This transaction requires authentication."}
}

func (h paymentIntents) capture(in *input) (any, error) {
	pi, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if pi.Status != "requires_capture" {
		return nil, unexpectedState(pi, fmt.Sprintf("This PaymentIntent could not be captured because it has a status of %s. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.", pi.Status))
	}
	amount := in.IntOr("amount_to_capture", pi.Amount)
	if amount < 1 || amount > pi.Amount {
		return nil, wire.Invalid("amount_too_large", "amount_to_capture", fmt.Sprintf("The amount to capture is not between 1 and the amount that can be captured, %d.", pi.Amount))
	}
	in.SetMetadata(&pi.Metadata)
	in.SetString("statement_descriptor", &pi.StatementDescriptor)
	in.SetString("statement_descriptor_suffix", &pi.StatementDescriptorSuffix)
	h.captureAmount(pi, amount)
	return h.render(pi), nil
}

// captureAmount captures an authorized amount or a part of it and releases the rest.
func (h paymentIntents) captureAmount(pi *PaymentIntent, amount int64) {
	pi.Status, pi.AmountReceived = "succeeded", amount
	if ch, ok := h.store.Charges.get(pi.LatestCharge); ok {
		before := h.charges.render(ch)
		ch.Uncaptured, ch.ReleasedAmount, ch.AmountRefunded = false, ch.Amount-amount, ch.Amount-amount
		h.emitUpdate("charge.captured", before, h.charges.render(ch))
	}
	h.emit("payment_intent.succeeded", h.render(pi))
}

func (h paymentIntents) cancel(in *input) (any, error) {
	pi, err := h.find(in)
	if err != nil {
		return nil, err
	}
	switch {
	case pi.Status == "succeeded" || pi.Status == "canceled":
		return nil, unexpectedState(pi, fmt.Sprintf("You cannot cancel this PaymentIntent because it has a status of %s. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.", pi.Status))
	case pi.Invoice != "":
		return nil, unexpectedState(pi, "You cannot cancel this PaymentIntent because it belongs to an invoice. Void the invoice instead.")
	case pi.CheckoutSession != "":
		return nil, unexpectedState(pi, "You cannot cancel this PaymentIntent because it was created by a Checkout Session. Expire the session instead.")
	}
	held := pi.Status == "requires_capture"
	h.cancelByID(pi.ID, in.String("cancellation_reason"))
	if ch, ok := h.store.Charges.get(pi.LatestCharge); ok && held {
		before := h.charges.render(ch)
		ch.AmountRefunded = ch.Amount
		h.emitUpdate("charge.refunded", before, h.charges.render(ch))
	}
	return h.render(pi), nil
}

// captureMethod returns the capture method. The default of APIVersion is automatic_async.
func (pi *PaymentIntent) captureMethod() string {
	if pi.CaptureMethod == "" {
		if pi.Invoice != "" || pi.CheckoutSession != "" {
			return "automatic"
		}
		return "automatic_async"
	}
	return pi.CaptureMethod
}
