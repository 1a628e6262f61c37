package stripelocal_test

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// An entered promotion code and a pending bank debit survive a restart.
func TestCheckoutSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.json")
	l := start(t, stripelocal.Options{StatePath: path})
	l.promotion(l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50)}).ID, "HALF")
	open := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1, func(p *stripe.CheckoutSessionParams) { p.AllowPromotionCodes = stripe.Bool(true) })
	l.browse("POST", open.URL, url.Values{"action": {"apply"}, "promotionCode": {"HALF"}})
	debit := l.once()
	l.browse("POST", debit.URL, url.Values{"email": {"ada@example.com"}, "payBy": {"bank"}, "bankAccount": {"000123456789"}, "billingName": {"Ada"}})
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	if cs := again.session(open.ID); cs.AmountTotal != 500 {
		t.Errorf("amount due of the open session: %d", cs.AmountTotal)
	}
	again.time.Add(int64(4 * 24 * time.Hour / time.Second))
	if cs := again.session(debit.ID); cs.PaymentStatus != "paid" {
		t.Errorf("the bank debit is %s", cs.PaymentStatus)
	}
}
