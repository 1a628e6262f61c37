package stripelocal

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Decline is why a payment failed.
type Decline struct{ Code, DeclineCode, Message string }

// testCard is one of Stripe's test cards (docs: https://docs.stripe.com/testing; what each does
// there and here: https://docs.stripe.com/testing, else inferred).
type testCard struct {
	number             string
	token              string // pm_card_… without the prefix
	brand              string
	funding            string // empty is credit
	decline            *Decline
	attachable         bool     // declines only when charged
	authenticateOnce   bool     // requires 3-D Secure unless set up with it
	authenticateAlways bool     // always requires 3-D Secure
	declineAfter       *Decline // with or after 3-D Secure
	dispute            string   // reason of the dispute after a payment, or inquiry
	refundOutcome      string   // pending or fail; empty is immediate success
	riskLevel          string   // empty is normal; highest is blocked
	fraudWarning       bool     // an early fraud warning follows a payment
	cvcCheck           string   // empty is pass
	line1Check         string   // of an entered address; empty is pass
	postalCheck        string
	availableAtOnce    bool // its payments are available in the balance at once
}

func testCards() []testCard {
	return slices.Concat(brandCards(), behaviorCards(), countryCards())
}

// brandCards pay. Those of a brand are the first with its token.
func brandCards() []testCard {
	return []testCard{
		{number: "4242424242424242", token: "visa", brand: "visa"},
		{number: "4242424242424242", token: "us", brand: "visa"},
		{number: "4000056655665556", token: "visa_debit", brand: "visa", funding: "debit"},
		{number: "5555555555554444", token: "mastercard", brand: "mastercard"},
		{number: "2223003122003222", token: "mastercard_2_series", brand: "mastercard"},
		{number: "5200828282828210", token: "mastercard_debit", brand: "mastercard", funding: "debit"},
		{number: "5105105105105100", token: "mastercard_prepaid", brand: "mastercard", funding: "prepaid"},
		{number: "371449635398431", token: "amex", brand: "amex"}, // recorded by pay-rails/pay
		{number: "378282246310005", token: "amex_threeDSecureNotSupported", brand: "amex"},
		{number: "6011000990139424", token: "discover", brand: "discover"}, // recorded by pay-rails/pay
		{number: "6011111111111117", token: "discover_credit", brand: "discover"},
		{number: "6011981111111113", token: "discover_debit", brand: "discover", funding: "debit"},
		{number: "3056930009020004", token: "diners", brand: "diners"},
		{number: "36227206271667", token: "diners_14", brand: "diners"},
		{number: "3566002020360505", token: "jcb", brand: "jcb"},
		{number: "6200000000000005", token: "unionpay", brand: "unionpay"},
		{number: "6200000000000047", token: "unionpay_debit", brand: "unionpay", funding: "debit"},
	}
}

// behaviorCards decline, require 3-D Secure, or are disputed.
func behaviorCards() []testCard {
	insufficient := declinedWith("insufficient_funds", "Your card has insufficient funds.")
	return []testCard{
		{number: "4000000000000002", token: "chargeDeclined", brand: "visa", decline: genericDecline()},
		{number: "4000000000009995", token: "chargeDeclinedInsufficientFunds", brand: "visa", decline: insufficient},
		{number: "4000000000009987", token: "chargeDeclinedLostCard", brand: "visa", decline: declinedWith("lost_card", "Your card was declined.")},
		{number: "4000000000009979", token: "chargeDeclinedStolenCard", brand: "visa", decline: declinedWith("stolen_card", "Your card was declined.")},
		{number: "4000000000000069", token: "chargeDeclinedExpiredCard", brand: "visa", decline: &Decline{"expired_card", "expired_card", "Your card has expired."}},
		{number: "4000000000000127", token: "chargeDeclinedIncorrectCvc", brand: "visa", decline: &Decline{"incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."}},
		{number: "4000000000000119", token: "chargeDeclinedProcessingError", brand: "visa", decline: &Decline{"processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."}},
		{number: "4000000000006975", token: "chargeDeclinedVelocityLimitExceeded", brand: "visa", decline: declinedWith("card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.")},
		{number: "4000000000000341", token: "chargeCustomerFail", brand: "visa", decline: genericDecline(), attachable: true},
		{number: "4100000000000019", token: "radarBlock", brand: "visa", decline: declinedWith("fraudulent", "Your card was declined."), riskLevel: "highest"},
		{number: "4100000000000019", token: "chargeDeclinedFraudulent", brand: "visa", decline: declinedWith("fraudulent", "Your card was declined."), riskLevel: "highest"},
		{number: "4000000000004954", token: "riskLevelHighest", brand: "visa", decline: declinedWith("fraudulent", "Your card was declined."), riskLevel: "highest", attachable: true},
		{number: "4000000000009235", token: "riskLevelElevated", brand: "visa", riskLevel: "elevated"},
		{number: "4000000000000101", token: "cvcCheckFail", brand: "visa", cvcCheck: "fail"},
		{number: "4000058400307872", token: "cvcCheckFailElevatedRisk", brand: "visa", cvcCheck: "fail", riskLevel: "elevated"},
		{number: "4000000000000036", token: "avsZipFail", brand: "visa", postalCheck: "fail"},
		{number: "4000058400306072", token: "avsZipFailElevatedRisk", brand: "visa", postalCheck: "fail", riskLevel: "elevated"},
		{number: "4000000000000028", token: "avsLine1Fail", brand: "visa", line1Check: "fail"},
		{number: "4000000000000010", token: "avsFail", brand: "visa", line1Check: "fail", postalCheck: "fail"},
		{number: "4000000000000044", token: "avsUnchecked", brand: "visa", line1Check: "unavailable", postalCheck: "unavailable"},
		{number: "4000000000000259", token: "createDispute", brand: "visa", dispute: "fraudulent"},
		{number: "4000000000002685", token: "createDisputeProductNotReceived", brand: "visa", dispute: "product_not_received"},
		{number: "4000000000001976", token: "createDisputeInquiry", brand: "visa", dispute: "inquiry"},
		{number: "4000000000005423", token: "createIssuerFraudRecord", brand: "visa", fraudWarning: true},
		{number: "4000000000007726", token: "pendingRefund", brand: "visa", refundOutcome: "pending"},
		{number: "4000000000005126", token: "refundFail", brand: "visa", refundOutcome: "fail"},
		{number: "4000000000000077", token: "bypassPending", brand: "visa", availableAtOnce: true},
		{number: "4000003720000278", token: "bypassPendingInternational", brand: "visa", availableAtOnce: true},
		{number: "4000002500003155", token: "authenticationRequiredOnSetup", brand: "visa", authenticateOnce: true},
		{number: "4000002760003184", token: "authenticationRequired", brand: "visa", authenticateOnce: true, authenticateAlways: true},
		{number: "4000008260003178", token: "authenticationRequiredChargeDeclinedInsufficientFunds", brand: "visa", authenticateOnce: true, declineAfter: insufficient},
		{number: "4000000000003220", token: "threeDSecure2Required", brand: "visa", authenticateOnce: true, authenticateAlways: true},
		{number: "4000000000003063", token: "threeDSecureRequired", brand: "visa", authenticateOnce: true, authenticateAlways: true},
		{number: "4000008400001629", token: "threeDSecureRequiredChargeDeclined", brand: "visa", authenticateOnce: true, authenticateAlways: true, declineAfter: genericDecline()},
		{number: "4000008400001280", token: "threeDSecureRequiredProcessingError", brand: "visa", decline: genericDecline(), attachable: true},
		{number: "4000000000003055", token: "threeDSecureOptional", brand: "visa"},
		{number: "4000000000003097", token: "threeDSecureOptionalProcessingError", brand: "visa"},
	}
}

// countryCards pay. Digits 7 to 9 of a Visa card's number are the country's code of ISO 3166.
func countryCards() []testCard {
	numbers := map[string]string{
		"ae": "4000007840000001", "ar": "4000000320000021", "at": "4000000400000008", "au": "4000000360000006", "be": "4000000560000004",
		"bg": "4000001000000000", "br": "4000000760000002", "by": "4000001120000005", "ca": "4000001240000000", "ch": "4000007560000009",
		"cl": "4000001520000001", "cn": "4000001560000002", "co": "4000001700000003", "cr": "4000001880000005", "cy": "4000001960000008",
		"cz": "4000002030000002", "de": "4000002760000016", "dk": "4000002080000001", "ec": "4000002180000000", "ee": "4000002330000009",
		"es": "4000007240000007", "fi": "4000002460000001", "fr": "4000002500000003", "gb": "4000008260000000", "gi": "4000002920000005",
		"gr": "4000003000000030", "hk": "4000003440000004", "hr": "4000001910000009", "hu": "4000003480000005", "ie": "4000003720000005",
		"in": "4000003560000008", "it": "4000003800000008", "jp": "4000003920000003", "li": "4000004380000004", "lt": "4000004400000000",
		"lu": "4000004420000006", "lv": "4000004280000005", "mt": "4000004700000007", "mx": "4000004840008001", "my": "4000004580000002",
		"nl": "4000005280000002", "no": "4000005780000007", "nz": "4000005540000008", "pa": "4000005910000000", "pe": "4000006040000068",
		"pl": "4000006160000005", "pt": "4000006200000007", "py": "4000006000000066", "ro": "4000006420000001", "sa": "4000006820000007",
		"se": "4000007520000008", "sg": "4000007020000003", "si": "4000007050000006", "sk": "4000007030000001", "th_credit": "4000007640000003",
		"tw": "4000001580000008", "uy": "4000008580000003",
	}
	names := slices.Sorted(maps.Keys(numbers))
	cards := make([]testCard, 0, len(names)+2)
	for _, name := range names {
		cards = append(cards, testCard{number: numbers[name], token: name, brand: "visa"})
	}
	return append(cards,
		testCard{number: "4000058260000005", token: "gb_debit", brand: "visa", funding: "debit"},
		testCard{number: "5555558265554449", token: "gb_mastercard", brand: "mastercard"},
		testCard{number: "4000057640000008", token: "th_debit", brand: "visa", funding: "debit"})
}

// countryCodes are the codes of ISO 3166 in the numbers of test cards.
var countryCodes = map[string]string{
	"784": "AE", "032": "AR", "040": "AT", "036": "AU", "056": "BE", "100": "BG", "076": "BR", "112": "BY", "124": "CA", "756": "CH", "152": "CL",
	"156": "CN", "170": "CO", "188": "CR", "196": "CY", "203": "CZ", "276": "DE", "208": "DK", "218": "EC", "233": "EE", "724": "ES", "246": "FI",
	"250": "FR", "826": "GB", "292": "GI", "300": "GR", "344": "HK", "191": "HR", "348": "HU", "372": "IE", "356": "IN", "380": "IT", "392": "JP",
	"438": "LI", "440": "LT", "442": "LU", "428": "LV", "470": "MT", "484": "MX", "458": "MY", "528": "NL", "578": "NO", "554": "NZ", "591": "PA",
	"604": "PE", "616": "PL", "620": "PT", "600": "PY", "642": "RO", "682": "SA", "752": "SE", "702": "SG", "705": "SI", "703": "SK", "764": "TH",
	"158": "TW", "858": "UY",
}

// country is the country of the card's issuer.
func (c testCard) country() string {
	switch {
	case c.number == "5555558265554449":
		return "GB"
	case c.brand != "visa" || !strings.HasPrefix(c.number, "4000"):
		return "US"
	}
	return cmp.Or(countryCodes[c.number[6:9]], "US")
}

func (c testCard) fundingType() string { return cmp.Or(c.funding, "credit") }

// displayBrand is the brand as payment methods show it (recorded by pay-rails/pay).
func displayBrand(brand string) string {
	if brand == "amex" {
		return "american_express"
	}
	return brand
}

func genericDecline() *Decline { return declinedWith("generic_decline", "Your card was declined.") }

func declinedWith(declineCode, message string) *Decline {
	return &Decline{"card_declined", declineCode, message}
}

// cardsByNumber and cardsByToken index the test cards. Of two with one number the first counts.
var (
	cardsByNumber = sync.OnceValue(func() map[string]testCard { return indexCards(func(c testCard) string { return c.number }) })
	cardsByToken  = sync.OnceValue(func() map[string]testCard { return indexCards(func(c testCard) string { return c.token }) })
)

func indexCards(key func(testCard) string) map[string]testCard {
	out := map[string]testCard{}
	for _, c := range testCards() {
		if _, taken := out[key(c)]; !taken {
			out[key(c)] = c
		}
	}
	return out
}

func testCardByNumber(number string) (testCard, bool) {
	c, ok := cardsByNumber()[number]
	return c, ok
}

func testCardByToken(token string) (testCard, bool) {
	name, ok := strings.CutPrefix(token, "pm_card_")
	if !ok {
		return testCard{}, false
	}
	c, ok := cardsByToken()[name]
	if !ok {
		c, ok = cardsByToken()[strings.TrimPrefix(name, "visa_")] // pm_card_visa_chargeDeclined
	}
	return c, ok
}

// paymentOutcome is the result of a payment attempt.
type paymentOutcome int

const (
	outcomePaid paymentOutcome = iota
	outcomeDeclined
	outcomeRequiresAction
	outcomeProcessing // a bank debit that ends later
)

// chargeOutcome is the result of charging the payment method. A card that has passed 3-D Secure
// does not require it again, unless it always does.
func (p *PaymentMethod) chargeOutcome() (paymentOutcome, *Decline) {
	card, known := testCardByNumber(p.Number)
	switch {
	case p.Unverified:
		return outcomeRequiresAction, nil
	case !p.isCard():
		return outcomeProcessing, nil
	case !known:
		return outcomeDeclined, genericDecline()
	case card.decline != nil:
		return outcomeDeclined, card.decline
	case card.authenticateAlways, card.authenticateOnce && !p.Authenticated:
		return outcomeRequiresAction, nil
	case card.declineAfter != nil:
		return outcomeDeclined, card.declineAfter
	}
	return outcomePaid, nil
}

// outcomeAfterAuthentication is the result of charging the payment method after 3-D Secure.
func (p *PaymentMethod) outcomeAfterAuthentication() (paymentOutcome, *Decline) {
	if decline := p.testCard().declineAfter; decline != nil {
		return outcomeDeclined, decline
	}
	return outcomePaid, nil
}

// setupOutcome is the result of setting up the payment method without a charge.
func (p *PaymentMethod) setupOutcome() (paymentOutcome, *Decline) {
	card, _ := testCardByNumber(p.Number)
	if card.attachable || !p.isCard() && !p.Unverified || card.declineAfter != nil && p.Authenticated {
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
