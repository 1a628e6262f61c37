package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// A plan change in the portal ends a trial and bills the new plan immediately, even with
// proration_behavior=none.
func TestPortalSwitchEndsATrial(t *testing.T) {
	p := newPortal(t, "none")
	cs := p.createCheckoutSession(p.sub.Customer.ID, p.sub.Items.Data[0].Price.ID, 2, func(c *stripe.CheckoutSessionParams) {
		c.SubscriptionData.TrialPeriodDays = stripe.Int64(14)
	})
	p.submitCheckout(cs.URL, "4242424242424242")
	sub := p.subscriptionOfSession(cs.ID)
	step := p.open() + "/subscriptions/" + sub.ID + "/confirm"
	shown := p.browse("GET", step+"?price="+p.bigger.ID, nil)
	if !strings.Contains(shown.body, "Confirm and pay $60.00") {
		t.Errorf("confirm: %d %s", shown.status, shown.body)
	}
	if done := p.browse("POST", step, hidden(shown.body)); done.status != 303 {
		t.Fatalf("confirming: %d %s", done.status, done.body)
	}
	if after := p.subscription(sub.ID); after.Status != "active" || after.LatestInvoice.AmountPaid != 6000 || after.Items.Data[0].Price.ID != p.bigger.ID {
		t.Errorf("%s at %s, paid %d", after.Status, after.Items.Data[0].Price.ID, after.LatestInvoice.AmountPaid)
	}
}

func TestPortalSwitchToAnotherInterval(t *testing.T) {
	p := newPortal(t, "none")
	step := p.open() + "/subscriptions/" + p.sub.ID + "/confirm"
	shown := p.browse("GET", step+"?price="+p.yearly.ID, nil)
	if !strings.Contains(shown.body, "Confirm and pay $180.00") {
		t.Errorf("confirm: %d %s", shown.status, shown.body)
	}
	p.browse("POST", step, hidden(shown.body))
	if after := p.subscription(p.sub.ID); after.LatestInvoice.AmountPaid != 18000 {
		t.Errorf("paid %d", after.LatestInvoice.AmountPaid)
	}
}

func TestPortalTakesPromotionCodes(t *testing.T) {
	p := newPortal(t, "none")
	half := p.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")})
	p.promotion(half.ID, "HALF")
	step := p.open() + "/subscriptions/" + p.sub.ID + "/confirm"
	if no := p.browse("GET", step+"?promotionCode=NONE", nil); no.status != 422 || !strings.Contains(no.body, `id="promotionCode-error"`) {
		t.Errorf("no such code: %d %s", no.status, no.body)
	}
	shown := p.browse("GET", step+"?promotionCode=half&price="+url.QueryEscape(p.bigger.ID), nil)
	if !strings.Contains(shown.body, "is $30.00.") { // 2 x $30, half off
		t.Errorf("confirm: %d %s", shown.status, shown.body)
	}
	p.browse("POST", step, hidden(shown.body))
	p.time.Store(p.sub.CurrentPeriodEnd + 3601)
	if inv := p.subscription(p.sub.ID).LatestInvoice; inv.Total != 3000 {
		t.Errorf("the next invoice is over %d", inv.Total)
	}
}
