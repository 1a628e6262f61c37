package ui

import (
	"context"
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
	"usher/views/locale"
)

// Sentences about payments that pages and e-mails share.

// NotCollected says that an amount could not be collected: "$29.00 could not be collected on 3 Nov
// 2026: the card was declined." Amount, time and reason may be missing.
func NotCollected(ctx context.Context, amount catalog.Money, at time.Time, reason string) string {
	if amount.Currency == "" {
		return lastNotCollected(ctx, at, reason)
	}
	money := locale.Money(ctx, amount)
	switch {
	case at.IsZero() && reason == "":
		return locale.T(ctx, "%s could not be collected.", money)
	case at.IsZero():
		return locale.T(ctx, "%s could not be collected: %s.", money, reason)
	case reason == "":
		return locale.T(ctx, "%s could not be collected on %s.", money, locale.Date(ctx, at))
	}
	return locale.T(ctx, "%s could not be collected on %s: %s.", money, locale.Date(ctx, at), reason)
}

// lastNotCollected is [NotCollected] without an amount.
func lastNotCollected(ctx context.Context, at time.Time, reason string) string {
	switch {
	case at.IsZero() && reason == "":
		return locale.T(ctx, "The last payment could not be collected.")
	case at.IsZero():
		return locale.T(ctx, "The last payment could not be collected: %s.", reason)
	case reason == "":
		return locale.T(ctx, "The last payment could not be collected on %s.", locale.Date(ctx, at))
	}
	return locale.T(ctx, "The last payment could not be collected on %s: %s.", locale.Date(ctx, at), reason)
}

// ToConfirm says that the bank wants a payment confirmed.
func ToConfirm(ctx context.Context, amount catalog.Money) string {
	if amount.Currency == "" {
		return locale.T(ctx, "Your bank wants the last payment confirmed.")
	}
	return locale.T(ctx, "Your bank wants the payment of %s confirmed.", locale.Money(ctx, amount))
}

// ConfirmStep says what a confirmation takes.
func ConfirmStep(ctx context.Context) string {
	return locale.T(ctx, "The card is fine. Confirming takes a minute, on Stripe's page.")
}

// NextTry says when a payment is tried again, or that it is not.
func NextTry(ctx context.Context, at time.Time) string {
	if at.IsZero() {
		return locale.T(ctx, "There is no automatic retry.")
	}
	return locale.T(ctx, "Next try on %s.", locale.Date(ctx, at))
}

// CardExpiring says when a card expires: "Visa 4242 expires on 30 Nov 2026, before the next charge
// on 1 Dec 2026." Its last day is the one before at.
func CardExpiring(ctx context.Context, card string, at, nextCharge, now time.Time) string {
	last := locale.Date(ctx, at.AddDate(0, 0, -1))
	expired := !now.Before(at)
	switch {
	case at.IsZero():
		return locale.T(ctx, "%s expires soon.", card)
	case expired && nextCharge.IsZero():
		return locale.T(ctx, "%s expired on %s.", card, last)
	case expired:
		return locale.T(ctx, "%s expired on %s, before the next charge on %s.", card, last, locale.Date(ctx, nextCharge))
	case nextCharge.IsZero():
		return locale.T(ctx, "%s expires on %s.", card, last)
	}
	return locale.T(ctx, "%s expires on %s, before the next charge on %s.", card, last, locale.Date(ctx, nextCharge))
}

// PayLabel is the label of the button that pays an amount.
func PayLabel(ctx context.Context, amount catalog.Money) string {
	return locale.T(ctx, "Pay %s", locale.Money(ctx, amount))
}

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
func CardBrand(ctx context.Context, brand string) string {
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
		return locale.T(ctx, "Card")
	}
	return brand
}
