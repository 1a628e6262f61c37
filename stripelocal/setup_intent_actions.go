package stripelocal

import (
	"fmt"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

const setupChanges = "customer description:1000? payment_method payment_method_types[] "

func setupIntentRoutes() []route {
	return []route{
		on("POST /v1/setup_intents", "automatic_payment_methods{allow_redirects:always|never enabled:bool!} confirm:bool return_url usage:off_session|on_session use_stripe_sdk:bool metadata:map confirmation_token payment_method_configuration:100 "+mandateParams+methodDataParams+setupChanges, setupIntents.create),
		on("GET /v1/setup_intents", listParams+"customer payment_method", setupIntents.list),
		on("GET /v1/setup_intents/{id}", "client_secret", setupIntents.get),
		on("POST /v1/setup_intents/{id}", "metadata:map? "+setupChanges, setupIntents.update),
		on("POST /v1/setup_intents/{id}/confirm", "client_secret confirmation_token payment_method return_url use_stripe_sdk:bool "+mandateParams+methodDataParams, setupIntents.confirm),
		on("POST /v1/setup_intents/{id}/verify_microdeposits", microdepositParams, setupIntents.verifyMicrodeposits),
		on("POST /v1/setup_intents/{id}/cancel", "cancellation_reason:abandoned|duplicate|requested_by_customer", setupIntents.cancel),
	}
}

func (h setupIntents) create(in *input) (any, error) {
	token, err := h.paymentMethods.applyInline(in)
	if err == nil {
		err = checkConfirms(in.Params)
	}
	if err != nil {
		return nil, err
	}
	if in.Bool("confirm") && !in.Has("payment_method") {
		return nil, missingSetupMethodError()
	}
	if err := h.methodConfigurations.checkForIntent(in.Params); err != nil {
		return nil, err
	}
	pm, err := h.paymentIntents.checkReferences(in.Params, "")
	if err != nil {
		return nil, err
	}
	si := &SetupIntent{MethodConfiguration: in.String("payment_method_configuration"), Customer: in.String("customer"), Usage: in.String("usage"), AutomaticPaymentMethods: usesAutomaticMethods(in.Params), AllowRedirects: in.At("automatic_payment_methods").String("allow_redirects"), Metadata: map[string]string{}}
	si.setFields(in.Params, pm)
	h.insert(si)
	if !in.Bool("confirm") {
		return h.render(si), nil
	}
	return h.confirmWithToken(si, token, in)
}

// confirmWithToken confirms a setup intent and marks the confirmation token as used, unless it is
// nil.
func (h setupIntents) confirmWithToken(si *SetupIntent, token *ConfirmationToken, in *input) (any, error) {
	if token != nil {
		token.SetupIntent = si.ID
	}
	return h.confirmFromAPI(si, in.Params)
}

func (si *SetupIntent) setFields(p wire.Params, pm *PaymentMethod) {
	p.SetString("customer", &si.Customer)
	p.SetString("description", &si.Description)
	p.SetStrings("payment_method_types", &si.PaymentMethodTypes)
	p.SetMetadata(&si.Metadata)
	if pm != nil {
		si.PaymentMethod, si.Status = pm.ID, "requires_confirmation"
	}
}

func (h setupIntents) find(in *input) (*SetupIntent, error) {
	si, ok := h.store.SetupIntents.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("setupintent", in.pathValue("id"), "intent")
	}
	return si, nil
}

// findOpen returns a setup intent that is not completed.
func (h setupIntents) findOpen(in *input, doing string) (*SetupIntent, error) {
	si, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(si.ClientSecret, "SetupIntent")
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"requires_payment_method", "requires_confirmation", "requires_action"}, si.Status) {
		return nil, wire.Invalid("setup_intent_unexpected_state", "", fmt.Sprintf("You cannot %s this SetupIntent because it has a status of %s. Only a SetupIntent with one of the following statuses may be: requires_payment_method, requires_confirmation, requires_action.", doing, si.Status))
	}
	return si, nil
}

func (h setupIntents) update(in *input) (any, error) {
	si, err := h.findOpen(in, "update")
	if err != nil {
		return nil, err
	}
	pm, err := h.paymentIntents.checkReferences(in.Params, si.Customer)
	if err != nil {
		return nil, err
	}
	si.setFields(in.Params, pm)
	return h.render(si), nil
}

func (h setupIntents) confirm(in *input) (any, error) {
	si, err := h.findOpen(in, "confirm")
	if err != nil {
		return nil, err
	}
	token, err := h.paymentMethods.applyInline(in)
	if err != nil {
		return nil, err
	}
	pm, err := h.paymentIntents.checkReferences(in.Params, si.Customer)
	if err == nil && pm == nil && si.PaymentMethod == "" {
		err = missingSetupMethodError()
	}
	if err != nil {
		return nil, err
	}
	si.setFields(in.Params, pm)
	return h.confirmWithToken(si, token, in)
}

func missingSetupMethodError() *wire.Error {
	return wire.Invalid("setup_intent_unexpected_state", "", "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method and then confirm it again.")
}

func (h setupIntents) confirmFromAPI(si *SetupIntent, p wire.Params) (any, error) {
	pm, ok := h.store.PaymentMethods.get(si.PaymentMethod)
	if !ok {
		return nil, missingSetupMethodError()
	}
	if err := h.acceptMandate(si, pm, p); err != nil {
		return nil, err
	}
	si.ReturnURL, si.UseStripeSDK = p.String("return_url"), p.Bool("use_stripe_sdk")
	result, decline := h.confirmWith(si, pm)
	if result == outcomeDeclined {
		refusal := cardError(decline)
		refusal.PaymentMethod, refusal.SetupIntent = pm.ID, si.ID
		return nil, refusal
	}
	h.attachMethod(si, pm)
	return h.render(si), nil
}

// acceptMandate stores the mandate that a call accepts for a bank account, and rejects an account
// without one.
func (h setupIntents) acceptMandate(si *SetupIntent, pm *PaymentMethod, p wire.Params) error {
	if kind, types := pm.methodKind(), h.methodTypes(si); !slices.Contains(types, kind) { // as for payment intents (inferred)
		return wire.Invalid("", "payment_method", fmt.Sprintf("The PaymentMethod provided (%s) is not allowed for this SetupIntent. Please attach a PaymentMethod of one of the following types: %s.", kind, strings.Join(types, ", ")))
	}
	acceptance := p.At("mandate_data").At("customer_acceptance")
	switch {
	case !pm.IsBankAccount:
		return nil
	case acceptance.Has("type") && pm.BlockedBy == "":
		si.Mandate = h.mandates.insert(pm, acceptance, 0, "").ID
		return nil
	}
	return h.bankDebits.checkAccount(pm, false, "SetupIntent", si.ID)
}

// attachMethod attaches the payment method to the customer after a successful setup.
func (h setupIntents) attachMethod(si *SetupIntent, pm *PaymentMethod) {
	if c, ok := h.store.Customers.get(si.Customer); ok && si.Status == "succeeded" {
		h.paymentMethods.attachTo(pm, c)
	}
}

func (h setupIntents) cancel(in *input) (any, error) {
	si, err := h.findOpen(in, "cancel")
	if err != nil {
		return nil, err
	}
	if si.CreatedBySession != "" {
		return nil, wire.Invalid("setup_intent_unexpected_state", "", "You cannot cancel this SetupIntent because it was created by a Checkout Session. Expire the session instead.")
	}
	si.CancellationReason = in.String("cancellation_reason")
	h.setStatus(si, "canceled", "setup_intent.canceled")
	return h.render(si), nil
}

func (h setupIntents) list(in *input) (any, error) {
	return listing[*SetupIntent]{
		resource: "setupintent", table: h.store.SetupIntents, rows: h.store.SetupIntents.all,
		filter: func(si *SetupIntent) bool {
			return (!in.Has("customer") || si.Customer == in.String("customer")) &&
				(!in.Has("payment_method") || si.PaymentMethod == in.String("payment_method"))
		},
		render: h.render,
	}.page(in)
}
