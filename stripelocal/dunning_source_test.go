package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The legacy parameter source of a customer retries the open invoice at once; another default
// payment method does not (https://docs.stripe.com/api/customers/update).
func TestOnlyANewSourceRetriesAtOnce(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k, sub, refused := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
	k.setDefaultCard("pm_card_visa")
	if inv := l.invoice(sub.LatestInvoice.ID); inv.Status != "open" || inv.NextPaymentAttempt != refused+day || inv.AttemptCount != 1 {
		t.Fatalf("after another default payment method: %s, attempt %d", inv.Status, inv.AttemptCount)
	}
	must[*stripe.Customer](t)(l.api.Customers.Update(k.customer, &stripe.CustomerParams{Source: stripe.String("tok_visa")}))
	if inv := l.invoice(sub.LatestInvoice.ID); inv.Status != "paid" || l.subscription(sub.ID).Status != "active" {
		t.Errorf("after a new source: invoice %s, subscription %s", inv.Status, l.subscription(sub.ID).Status)
	}
}
