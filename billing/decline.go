package billing

// Decline says in words why a payment failed, and which step helps.
type Decline struct {
	// Reason completes "could not be collected: …", without a full stop.
	Reason string
	// Step is a sentence that says what to do.
	Step string
	// NewCard means that the same card will not pay: it has to be replaced.
	NewCard bool
	// Final means that Stripe does not retry this payment method automatically
	// (https://docs.stripe.com/billing/revenue-recovery/smart-retries#non-retryable-decline-codes).
	Final bool
}

// Codes of payments that failed without a decline by the bank.
const (
	declineNoPaymentMethod = "no_payment_method"
	declineAuthentication  = "payment_intent_authentication_failure"
	declineActionRequired  = "authentication_required"
)

const (
	stepBank   = "Ask your bank, or use another card."
	stepUpdate = "Update the card to pay."
)

// declines are Stripe's decline codes and error codes
// (https://docs.stripe.com/declines/codes, https://docs.stripe.com/error-codes). Codes that are
// missing here, and those that Stripe advises not to disclose (fraudulent, lost_card,
// merchant_blacklist, stolen_card, pickup_card), have the words of a generic decline.
var declines = map[string]Decline{
	"insufficient_funds":               {Reason: "the card has insufficient funds", Step: "Add funds or use another card."},
	"card_velocity_exceeded":           {Reason: "the card is over its limit", Step: stepBank},
	"withdrawal_count_limit_exceeded":  {Reason: "the card is over its limit", Step: "Use another card."},
	"expired_card":                     {Reason: "the card has expired", Step: stepUpdate, NewCard: true},
	"invalid_expiry_month":             {Reason: "the card's expiry date is wrong", Step: stepUpdate, NewCard: true},
	"invalid_expiry_year":              {Reason: "the card's expiry date is wrong", Step: stepUpdate, NewCard: true},
	"incorrect_number":                 {Reason: "the card number is wrong", Step: stepUpdate, NewCard: true, Final: true},
	"invalid_number":                   {Reason: "the card number is wrong", Step: stepUpdate, NewCard: true},
	"incorrect_cvc":                    {Reason: "the card's security code is wrong", Step: stepUpdate, NewCard: true},
	"invalid_cvc":                      {Reason: "the card's security code is wrong", Step: stepUpdate, NewCard: true},
	"incorrect_zip":                    {Reason: "the postal code does not match the card", Step: stepUpdate, NewCard: true},
	"card_not_supported":               {Reason: "the card does not support this kind of payment", Step: stepBank},
	"currency_not_supported":           {Reason: "the card does not support this currency", Step: stepBank},
	"transaction_not_allowed":          {Reason: "the bank does not allow this payment", Step: stepBank, Final: true},
	"revocation_of_authorization":      {Reason: "the bank has stopped payments to us", Step: stepBank, Final: true},
	"revocation_of_all_authorizations": {Reason: "the bank has stopped payments to us", Step: stepBank, Final: true},
	"issuer_not_available":             {Reason: "the bank could not be reached", Step: "Try again in a moment."},
	"processing_error":                 {Reason: "the payment could not be processed", Step: "Try again in a moment."},
	"reenter_transaction":              {Reason: "the payment could not be processed", Step: "Try again in a moment."},
	"try_again_later":                  {Reason: "the payment could not be processed", Step: "Try again in a moment."},
	declineNoPaymentMethod:             {Reason: "there is no card on file", Step: "Add a card to pay.", NewCard: true, Final: true},
	declineAuthentication:              {Reason: "the payment was not confirmed with the bank", Step: "Try again and confirm it, or use another card.", Final: true},
	declineActionRequired:              {Reason: "the bank wants the payment confirmed", Step: "Confirm it on Stripe's page.", Final: true},
	"lost_card":                        {Reason: genericReason, Step: stepBank, NewCard: true, Final: true},
	"stolen_card":                      {Reason: genericReason, Step: stepBank, NewCard: true, Final: true},
	"pickup_card":                      {Reason: genericReason, Step: stepBank, NewCard: true, Final: true},
	"highest_risk_level":               {Reason: genericReason, Step: stepBank, Final: true},
}

const genericReason = "the card was declined"

// DeclineOf returns the words for a decline code of Stripe; those of a generic decline if the code
// is not known.
func DeclineOf(code string) Decline {
	if known, ok := declines[code]; ok {
		return known
	}
	return Decline{Reason: genericReason, Step: stepBank}
}
