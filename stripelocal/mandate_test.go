package stripelocal_test

import (
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestABankDebitHasAMandate(t *testing.T) {
	for kind, saves := range map[stripe.MandateType]bool{"single_use": false, "multi_use": true} {
		t.Run(string(kind), func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			cs := l.once(func(p *stripe.CheckoutSessionParams) {
				if saves {
					p.PaymentIntentData = &stripe.CheckoutSessionPaymentIntentDataParams{SetupFutureUsage: stripe.String("off_session")}
				}
			})
			l.browse("POST", cs.URL, url.Values{"email": {"ada@example.com"}, "payBy": {"bank"}, "bankAccount": {"000123456789"}, "billingName": {"Ada"}})
			l.time.Add(4 * day)
			p := &stripe.PaymentIntentParams{}
			p.AddExpand("latest_charge.payment_method_details.us_bank_account.mandate")
			ch := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(l.session(cs.ID).PaymentIntent.ID, p)).LatestCharge
			m := must[*stripe.Mandate](t)(l.api.Mandates.Get(ch.PaymentMethodDetails.USBankAccount.Mandate.ID, nil))
			if m.Type != kind || m.Status != "active" || m.PaymentMethod.ID != ch.PaymentMethod || (m.SingleUse != nil) == saves || !saves && m.SingleUse.Amount != 3000 {
				t.Errorf("%+v", m)
			}
			_, err := l.api.Mandates.Get("mandate_none", nil)
			wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
		})
	}
}
