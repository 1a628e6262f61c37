package ui

import (
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
)

// Sentences about payments that pages and e-mails share.

// NotCollected says that an amount could not be collected: "$29.00 could not be collected on 3 Nov
// 2026: the card was declined." Amount, time and reason may be missing.
func NotCollected(amount catalog.Money, at time.Time, reason string) string {
	title := "The last payment could not be collected"
	if amount.Currency != "" {
		title = amount.Format() + " could not be collected"
	}
	if !at.IsZero() {
		title += " on " + FormatDate(at)
	}
	if reason != "" {
		title += ": " + reason
	}
	return title + "."
}

// ToConfirm says that the bank wants a payment confirmed.
func ToConfirm(amount catalog.Money) string {
	if amount.Currency == "" {
		return "Your bank wants the last payment confirmed."
	}
	return "Your bank wants the payment of " + amount.Format() + " confirmed."
}

// ConfirmStep says what a confirmation takes.
const ConfirmStep = "The card is fine. Confirming takes a minute, on Stripe's page."

// NextTry says when a payment is tried again, or that it is not.
func NextTry(at time.Time) string {
	if at.IsZero() {
		return "There is no automatic retry."
	}
	return "Next try on " + FormatDate(at) + "."
}

// CardExpiring says when a card expires: "Visa 4242 expires on 30 Nov 2026, before the next charge
// on 1 Dec 2026." Its last day is the one before at.
func CardExpiring(card string, at, nextCharge, now time.Time) string {
	verb, last := " expires on ", at.AddDate(0, 0, -1)
	if !now.Before(at) {
		verb = " expired on "
	}
	switch {
	case at.IsZero():
		return card + " expires soon."
	case nextCharge.IsZero():
		return card + verb + FormatDate(last) + "."
	}
	return card + verb + FormatDate(last) + ", before the next charge on " + FormatDate(nextCharge) + "."
}

// PayLabel is the label of the button that pays an amount.
func PayLabel(amount catalog.Money) string { return "Pay " + amount.Format() }

// FormatMinor formats an amount in minor units, for a hidden field.
func FormatMinor(m catalog.Money) string { return strconv.FormatInt(m.Minor, 10) }

// Sentences joins the sentences that are not empty.
func Sentences(sentences ...string) string {
	var said []string
	for _, s := range sentences {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, " ")
}

// CardBrand is the brand's own spelling. Stripe's names are lower-case
// (https://docs.stripe.com/api/payment_methods/object#payment_method_object-card-brand).
func CardBrand(brand string) string {
	switch brand {
	case "visa":
		return "Visa"
	case "mastercard":
		return "Mastercard"
	case "amex":
		return "American Express"
	case "discover":
		return "Discover"
	case "diners":
		return "Diners Club"
	case "jcb":
		return "JCB"
	case "unionpay":
		return "UnionPay"
	case "":
		return "Card"
	}
	return brand
}
