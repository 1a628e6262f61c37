package billing

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// CheckoutPart is an optional part of a Checkout session, named as Stripe's parameter.
type CheckoutPart string

// The parts that a session can do without. Tax is not among them: without it, Checkout would charge
// the wrong amount.
const (
	CheckoutTerms      CheckoutPart = "consent_collection"
	CheckoutSavedCards CheckoutPart = "saved_payment_method_options"
	CheckoutCodeField  CheckoutPart = "allow_promotion_codes"
	CheckoutCustomText CheckoutPart = "custom_text"
)

// CheckoutTexts are texts of the adopter on the hosted page, with links in Markdown.
type CheckoutTexts struct {
	Submit string `json:"submit,omitempty"` // beside the button; empty: none
	Terms  string `json:"terms,omitempty"`  // what the buyer agrees to; empty: Stripe's own text
}

// CheckoutOptions are what the Checkout page asks for besides an e-mail address and a card.
type CheckoutOptions struct {
	PromotionCodes bool     `json:"promotionCodes,omitempty"` // a field for a code
	PromotionCode  string   `json:"promotionCode,omitempty"`  // promo_…, applied; then there is no field
	TaxIDs         bool     `json:"taxIds,omitempty"`
	AutomaticTax   bool     `json:"automaticTax,omitempty"`
	TaxRates       []string `json:"taxRates,omitempty"`
	BillingAddress string   `json:"billingAddress,omitempty"`
	Terms          bool     `json:"terms,omitempty"`
	SavedCards     bool     `json:"savedCards,omitempty"`
	// TrialWithoutCard is what happens at the end of a trial without a card; empty: a card is
	// required.
	TrialWithoutCard string        `json:"trialWithoutCard,omitempty"`
	Texts            CheckoutTexts `json:"texts,omitzero"`

	// Refused are the parts that Stripe refused and that the session does without.
	Refused []CheckoutPart `json:"refused,omitempty"`
}

// checkoutOptions returns the options of the plan file.
func checkoutOptions(settings catalog.CheckoutSettings) CheckoutOptions {
	return CheckoutOptions{
		PromotionCodes: settings.PromotionCodes, TaxIDs: settings.TaxIDs, AutomaticTax: settings.AutomaticTax,
		TaxRates: settings.TaxRates, BillingAddress: settings.BillingAddress, Terms: settings.Terms, SavedCards: settings.SavedCards,
	}
}

// Has reports whether the session has a part: it is enabled and was not refused.
func (o CheckoutOptions) Has(part CheckoutPart) bool {
	enabled := map[CheckoutPart]bool{
		CheckoutTerms: o.Terms, CheckoutSavedCards: o.SavedCards, CheckoutCodeField: o.PromotionCodes && o.PromotionCode == "",
		CheckoutCustomText: o.Texts != CheckoutTexts{},
	}
	return enabled[part] && !slices.Contains(o.Refused, part)
}

// equal compares what is enabled. A session that does without a refused part is as good as another
// one would be.
func (o CheckoutOptions) equal(other CheckoutOptions) bool {
	o.Refused, other.Refused = nil, nil
	return reflect.DeepEqual(o, other)
}

// withoutRefused returns the options for another attempt without the part that Stripe refused;
// false if the error is not about such a part. Stripe names the parameter of an error in param
// (https://docs.stripe.com/api/errors).
func (o CheckoutOptions) withoutRefused(err error) (CheckoutOptions, CheckoutPart, bool) {
	var refused *apperr.StripeError
	if errors.Is(err, ErrPromotionCodeRefused) || !errors.As(err, &refused) || refused.Status != 400 {
		return o, "", false
	}
	for _, part := range []CheckoutPart{CheckoutCustomText, CheckoutTerms, CheckoutSavedCards, CheckoutCodeField} {
		// An error without a parameter may be about any part: each is left out in turn.
		if o.Has(part) && (aboutParam(refused, string(part)) || refused.Param == "") {
			o.Refused = append(slices.Clone(o.Refused), part)
			return o, part, true
		}
	}
	return o, "", false
}

// aboutParam reports whether an error is about a parameter or one within it, such as
// consent_collection[terms_of_service].
func aboutParam(e *apperr.StripeError, param string) bool {
	return e.Param == param || strings.HasPrefix(e.Param, param+"[")
}

// refusesCode reports whether Stripe refused the promotion code of a session: it has expired, is
// used up, or is not for this customer or amount. An error that names no parameter may be about the
// code too: the person is asked to continue without it; any other cause shows then.
func (o CheckoutOptions) refusesCode(err error) bool {
	var refused *apperr.StripeError
	return o.PromotionCode != "" && errors.As(err, &refused) && refused.Status == 400 &&
		(aboutParam(refused, "discounts") || refused.Param == "")
}
