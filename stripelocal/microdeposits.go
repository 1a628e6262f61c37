package stripelocal

import (
	"fmt"
	"slices"
	"time"

	"usher/stripelocal/wire"
)

// Microdeposits prove that a customer owns a US bank account: the customer reads two amounts or one
// code from the statement (docs: ACH Direct Debit, verification with microdeposits).

const (
	microdepositParams = "amounts[]:int client_secret descriptor_code"
	// maxVerificationFailures is how often a verification may fail (docs: microdeposits).
	maxVerificationFailures = 10
)

// microdeposits verifies the bank accounts of payment and setup intents.
type microdeposits struct{ *request }

// microdepositCodes are the test values of what a verification does (docs: ACH Direct Debit, test
// microdeposit amounts and descriptor codes).
var microdepositCodes = map[string]string{
	"[32 45]": "", "SM11AA": "",
	"[10 11]": "payment_method_microdeposit_verification_attempts_exceeded", "SM33CC": "payment_method_microdeposit_verification_attempts_exceeded",
	"[40 41]": "payment_method_microdeposit_verification_timeout", "SM44DD": "payment_method_microdeposit_verification_timeout",
}

// microdepositMessages are the messages by error code (inferred).
var microdepositMessages = map[string]string{
	"payment_method_microdeposit_failed":                                "Microdeposits could not be sent to this bank account.",
	"payment_method_microdeposit_verification_amounts_invalid":          "You must provide exactly two amounts, each a positive integer in cents.",
	"payment_method_microdeposit_verification_amounts_mismatch":         "The amounts provided do not match the amounts that were sent to the bank account.",
	"payment_method_microdeposit_verification_attempts_exceeded":        "You have exceeded the number of allowed verification attempts.",
	"payment_method_microdeposit_verification_descriptor_code_mismatch": "The descriptor code provided does not match the one sent to the bank account.",
	"payment_method_microdeposit_verification_timeout":                  "The microdeposits were not verified in time.",
}

// finalMicrodepositErrors end the verification: the intent needs another payment method (inferred).
var finalMicrodepositErrors = []string{
	"payment_method_microdeposit_failed", "payment_method_microdeposit_verification_attempts_exceeded", "payment_method_microdeposit_verification_timeout",
}

// verify compares the values that a customer read with those of the test. It returns nil if
// they match.
func (h microdeposits) verify(pm *PaymentMethod, p wire.Params) *Decline {
	code := microdepositError(pm, p)
	switch code {
	case "":
		return nil
	case "payment_method_microdeposit_verification_amounts_mismatch", "payment_method_microdeposit_verification_descriptor_code_mismatch":
		if pm.FailedProofs++; pm.FailedProofs >= maxVerificationFailures {
			code = "payment_method_microdeposit_verification_attempts_exceeded"
		}
	}
	return debitDecline(code, microdepositMessages[code])
}

func (h microdeposits) markVerified(pm *PaymentMethod) {
	pm.Unverified = false
	h.mandates.setStatus(pm, "active")
}

// microdepositError is the error code of a verification, or "".
func microdepositError(pm *PaymentMethod, p wire.Params) string {
	values, amounts := p.String("descriptor_code"), p.Strings("amounts")
	mismatch := "payment_method_microdeposit_verification_descriptor_code_mismatch"
	if len(amounts) > 0 {
		values, mismatch = fmt.Sprint(slices.Sorted(slices.Values(amounts))), "payment_method_microdeposit_verification_amounts_mismatch"
	}
	code, known := microdepositCodes[values]
	switch {
	case pm.testAccount().noMicrodeposits:
		return "payment_method_microdeposit_failed"
	case len(amounts) != 0 && len(amounts) != 2:
		return "payment_method_microdeposit_verification_amounts_invalid"
	case !known:
		return mismatch
	}
	return code
}

// checkValues requires either of the two parameters.
func checkValues(p wire.Params) error {
	if p.Has("amounts") == p.Has("descriptor_code") { // the wording is inferred
		return wire.Invalid("", "", "You must provide either `amounts` or `descriptor_code`.")
	}
	return nil
}

// unverified returns the bank account of an intent that waits for its verification.
func (h microdeposits) unverified(status, method string) (*PaymentMethod, bool) {
	pm, ok := h.store.PaymentMethods.get(method)
	return pm, ok && status == "requires_action" && pm.Unverified
}

// verifyMicrodeposits verifies the account of a payment intent and starts its debit.
func (h paymentIntents) verifyMicrodeposits(in *input) (any, error) {
	pi, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(pi.ClientSecret, "PaymentIntent")
	}
	if err == nil {
		err = checkValues(in.Params)
	}
	if err != nil {
		return nil, err
	}
	pm, ok := h.microdeposits.unverified(pi.Status, pi.PaymentMethod)
	if !ok {
		return nil, unexpectedState(pi, fmt.Sprintf("You cannot verify microdeposits for this PaymentIntent because it has a status of %s.", pi.Status))
	}
	decline := h.microdeposits.verify(pm, in.Params)
	if decline != nil && slices.Contains(finalMicrodepositErrors, decline.Code) {
		h.failConfirmation(pi, pm, decline)
	}
	if decline != nil {
		e := wire.Invalid(decline.Code, "", decline.Message)
		e.PaymentIntent = pi.ID
		return nil, e
	}
	h.finishVerification(pi, pm)
	return h.render(pi), nil
}

// finishVerification starts the debit of an account that was verified, also for an invoice.
func (h paymentIntents) finishVerification(pi *PaymentIntent, pm *PaymentMethod) {
	h.microdeposits.markVerified(pm)
	result, _ := h.confirmWith(pi, pm)
	h.invoicing.applyIntentOutcome(pi, result)
	h.paymentMethods.saveAfterPayment(pi)
}

// verifyMicrodeposits verifies the account of a setup intent.
func (h setupIntents) verifyMicrodeposits(in *input) (any, error) {
	si, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(si.ClientSecret, "SetupIntent")
	}
	if err == nil {
		err = checkValues(in.Params)
	}
	if err != nil {
		return nil, err
	}
	pm, ok := h.microdeposits.unverified(si.Status, si.PaymentMethod)
	if !ok {
		return nil, wire.Invalid("setup_intent_unexpected_state", "", fmt.Sprintf("You cannot verify microdeposits for this SetupIntent because it has a status of %s.", si.Status))
	}
	if decline := h.microdeposits.verify(pm, in.Params); decline != nil {
		if slices.Contains(finalMicrodepositErrors, decline.Code) {
			si.PaymentMethod, si.LastErrorMethod, si.LastSetupError = "", pm.ID, decline
			h.setStatus(si, "requires_payment_method", "setup_intent.setup_failed")
		}
		e := wire.Invalid(decline.Code, "", decline.Message)
		e.SetupIntent = si.ID
		return nil, e
	}
	h.finishVerification(si, pm)
	return h.render(si), nil
}

// finishVerification completes the setup of an account that was verified.
func (h setupIntents) finishVerification(si *SetupIntent, pm *PaymentMethod) {
	h.microdeposits.markVerified(pm)
	h.setStatus(si, "succeeded", "setup_intent.succeeded")
	h.attachMethod(si, pm)
}

// microdepositAction is the next_action of an intent whose bank account is not verified. The
// deposits arrive on the next business day (public recordings). The page is that of 3-D Secure.
func (r *request) microdepositAction(intent string, pm *PaymentMethod) wire.Object {
	const day = 24 * 60 * 60
	arrival := (pm.Created/day + 1) * day
	for isWeekend(arrival) {
		arrival += day
	}
	return wire.Object{"type": "verify_with_microdeposits", "verify_with_microdeposits": wire.Object{
		"arrival_date": arrival, "hosted_verification_url": r.origin + "/c/authenticate/" + intent, "microdeposit_type": "descriptor_code",
	}}
}

func isWeekend(at int64) bool {
	weekday := time.Unix(at, 0).UTC().Weekday()
	return weekday == time.Saturday || weekday == time.Sunday
}
