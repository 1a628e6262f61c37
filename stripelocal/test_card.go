package stripelocal

import (
	"strings"
)

// Decline is why a payment failed.
type Decline struct{ Code, DeclineCode, Message string }

// testCard is one of Stripe's test cards. Numbers, tokens and results are inferred.
type testCard struct {
	number             string
	token              string // pm_card_… without the prefix
	brand              string
	decline            *Decline
	attachable         bool   // declines only when charged
	authenticateOnce   bool   // requires 3-D Secure unless set up with it
	authenticateAlways bool   // always requires 3-D Secure
	dispute            string // reason of the dispute after a payment, or inquiry
	refundOutcome      string // pending or fail; empty is immediate success
}

func testCards() []testCard {
	return []testCard{
		{number: "4242424242424242", token: "visa", brand: "visa"},
		{number: "4000056655665556", token: "visa_debit", brand: "visa"},
		{number: "5555555555554444", token: "mastercard", brand: "mastercard"},
		{number: "378282246310005", token: "amex", brand: "amex"},
		{number: "4000000000000002", token: "chargeDeclined", brand: "visa", decline: genericDecline()},
		{number: "4000000000009995", token: "chargeDeclinedInsufficientFunds", brand: "visa", decline: declinedWith("insufficient_funds", "Your card has insufficient funds.")},
		{number: "4000000000009987", token: "chargeDeclinedLostCard", brand: "visa", decline: declinedWith("lost_card", "Your card was declined.")},
		{number: "4000000000009979", token: "chargeDeclinedStolenCard", brand: "visa", decline: declinedWith("stolen_card", "Your card was declined.")},
		{number: "4000000000000069", token: "chargeDeclinedExpiredCard", brand: "visa", decline: &Decline{"expired_card", "expired_card", "Your card has expired."}},
		{number: "4000000000000127", token: "chargeDeclinedIncorrectCvc", brand: "visa", decline: &Decline{"incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."}},
		{number: "4000000000000119", token: "chargeDeclinedProcessingError", brand: "visa", decline: &Decline{"processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."}},
		{number: "4000000000000341", token: "chargeCustomerFail", brand: "visa", decline: genericDecline(), attachable: true},
		{number: "4000000000000259", token: "createDispute", brand: "visa", dispute: "fraudulent"},
		{number: "4000000000002685", token: "createDisputeProductNotReceived", brand: "visa", dispute: "product_not_received"},
		{number: "4000000000001976", token: "createDisputeInquiry", brand: "visa", dispute: "inquiry"},
		{number: "4000000000007726", token: "pendingRefund", brand: "visa", refundOutcome: "pending"},
		{number: "4000000000005126", token: "refundFail", brand: "visa", refundOutcome: "fail"},
		{number: "4000002500003155", token: "authenticationRequiredOnSetup", brand: "visa", authenticateOnce: true},
		{number: "4000002760003184", token: "authenticationRequired", brand: "visa", authenticateOnce: true, authenticateAlways: true},
		{number: "4000000000003220", token: "threeDSecure2Required", brand: "visa", authenticateOnce: true, authenticateAlways: true},
		{number: "4000000000000077", token: "bypassPending", brand: "visa"},
		{number: "4100000000000019", token: "chargeDeclinedFraudulent", brand: "visa", decline: declinedWith("fraudulent", "Your card was declined.")},
		{number: "6011111111111117", token: "discover", brand: "discover"},
		{number: "3056930009020004", token: "diners", brand: "diners"},
		{number: "3566002020360505", token: "jcb", brand: "jcb"},
		{number: "6200000000000005", token: "unionpay", brand: "unionpay"},
	}
}

func genericDecline() *Decline { return declinedWith("generic_decline", "Your card was declined.") }

func declinedWith(declineCode, message string) *Decline {
	return &Decline{"card_declined", declineCode, message}
}

func testCardByNumber(number string) (testCard, bool) {
	for _, c := range testCards() {
		if c.number == number {
			return c, true
		}
	}
	return testCard{}, false
}

func testCardByToken(token string) (testCard, bool) {
	name := strings.TrimPrefix(strings.TrimPrefix(token, "pm_card_"), "visa_")
	if strings.HasPrefix(token, "pm_card_visa_debit") {
		name = "visa_debit"
	}
	for _, c := range testCards() {
		if strings.HasPrefix(token, "pm_card_") && c.token == name {
			return c, true
		}
	}
	return testCard{}, false
}

// paymentOutcome is the result of a payment attempt.
type paymentOutcome int

const (
	outcomePaid paymentOutcome = iota
	outcomeDeclined
	outcomeRequiresAction
)

// chargeOutcome is the result of charging the payment method. A card that has passed 3-D Secure
// does not require it again, unless it always does.
func (p *PaymentMethod) chargeOutcome() (paymentOutcome, *Decline) {
	card, known := testCardByNumber(p.Number)
	switch {
	case !known:
		return outcomeDeclined, genericDecline()
	case card.decline != nil:
		return outcomeDeclined, card.decline
	case card.authenticateAlways, card.authenticateOnce && !p.Authenticated:
		return outcomeRequiresAction, nil
	}
	return outcomePaid, nil
}

// setupOutcome is the result of setting up the payment method without a charge.
func (p *PaymentMethod) setupOutcome() (paymentOutcome, *Decline) {
	if card, _ := testCardByNumber(p.Number); card.attachable {
		return outcomePaid, nil
	}
	return p.chargeOutcome()
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// luhn reports whether a card number's check digit is valid.
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
