package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// What costs nothing needs no card: the subscription is active at once with a paid invoice over 0
// and without a payment intent (public issue threads).
func TestAFreeSubscriptionNeedsNoCard(t *testing.T) {
	t.Parallel()
	cases := map[string]func(l *testServer, k *clockCustomer) *stripe.Subscription{
		"a free price": func(l *testServer, k *clockCustomer) *stripe.Subscription {
			return k.subscribe(l.createPriceIn("usd", 0, "month"), 3)
		},
		"no quantity": func(l *testServer, k *clockCustomer) *stripe.Subscription {
			return k.subscribe(l.createPriceIn("usd", 1000, "month"), 0)
		},
		"a coupon of 100 %": func(l *testServer, k *clockCustomer) *stripe.Subscription {
			free := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(100), Duration: stripe.String("forever")})
			return k.subscribe(l.createPriceIn("usd", 1000, "month"), 3, func(p *stripe.SubscriptionParams) {
				p.Discounts = []*stripe.SubscriptionDiscountParams{{Coupon: stripe.String(free.ID)}}
			})
		},
		"a coupon of a larger amount": func(l *testServer, k *clockCustomer) *stripe.Subscription {
			free := l.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(99999), Currency: stripe.String("usd"), Duration: stripe.String("forever")})
			return k.subscribe(l.createPriceIn("usd", 1000, "month"), 3, func(p *stripe.SubscriptionParams) { p.Coupon = stripe.String(free.ID) })
		},
	}
	for name, subscribe := range cases {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("")
			sub := subscribe(l, k)
			inv := sub.LatestInvoice
			if sub.Status != "active" || inv.Status != "paid" || inv.AmountDue != 0 || inv.PaymentIntent != nil || !inv.Attempted || inv.AttemptCount != 0 {
				t.Errorf("%s, invoice %s over %d, attempts %d, intent %v", sub.Status, inv.Status, inv.AmountDue, inv.AttemptCount, inv.PaymentIntent)
			}
			k.advance(sub.CurrentPeriodEnd + 3600)
			if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.ID == inv.ID || got.LatestInvoice.Status != "paid" || got.LatestInvoice.PaymentIntent != nil {
				t.Errorf("renewed: %s, invoice %s", got.Status, got.LatestInvoice.Status)
			}
		})
	}
}

// A coupon that leaves something to pay does not help.
func TestADiscountedSubscriptionNeedsACard(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("")
	half := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")})
	_, err := l.api.Subscriptions.New(&stripe.SubscriptionParams{
		Customer: stripe.String(k.customer), Coupon: stripe.String(half.ID),
		Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(l.createPriceIn("usd", 1000, "month"))}},
	})
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	if c := must[*stripe.Coupon](t)(l.api.Coupons.Get(half.ID, nil)); c.TimesRedeemed != 0 {
		t.Errorf("the refused subscription redeemed the coupon %d times", c.TimesRedeemed)
	}
}

// Checkout without an amount asks for a card unless payment_method_collection is if_required.
func TestCheckoutWithoutAnAmount(t *testing.T) {
	t.Parallel()
	for _, collection := range []string{"always", "if_required"} {
		t.Run(collection, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			c := l.createCustomer()
			price := l.createPrice("free", 0, "month")
			cs := l.createCheckoutSession(c.ID, price.ID, 2, func(p *stripe.CheckoutSessionParams) { p.PaymentMethodCollection = stripe.String(collection) })
			if cs.AmountTotal != 0 || cs.PaymentStatus != "unpaid" && cs.PaymentStatus != "no_payment_required" {
				t.Errorf("new: %d, %s", cs.AmountTotal, cs.PaymentStatus)
			}
			if collection == "always" {
				l.submitCheckout(cs.URL, "4242424242424242")
			} else {
				l.browse("POST", cs.URL, map[string][]string{"email": {"ada@example.com"}})
			}
			done := l.session(cs.ID)
			sub := l.subscriptionOfSession(cs.ID)
			if done.Status != "complete" || sub.Status != "active" || sub.LatestInvoice.Status != "paid" || sub.LatestInvoice.PaymentIntent != nil {
				t.Errorf("session %s %s, subscription %s, invoice %s", done.Status, done.PaymentStatus, sub.Status, sub.LatestInvoice.Status)
			}
			if has := sub.DefaultPaymentMethod != nil; has != (collection == "always") {
				t.Errorf("default payment method %v", sub.DefaultPaymentMethod)
			}
		})
	}
}
