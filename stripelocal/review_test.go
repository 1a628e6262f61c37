package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) payWith(card string, more ...func(*stripe.PaymentIntentParams)) *stripe.PaymentIntent {
	l.t.Helper()
	p := &stripe.PaymentIntentParams{
		Amount: stripe.Int64(900), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(card), ReturnURL: stripe.String("https://app.test/"),
	}
	for _, change := range more {
		change(p)
	}
	return must[*stripe.PaymentIntent](l.t)(l.api.PaymentIntents.New(p))
}

func (l *testServer) review(pi *stripe.PaymentIntent) *stripe.Review {
	l.t.Helper()
	pi = must[*stripe.PaymentIntent](l.t)(l.api.PaymentIntents.Get(pi.ID, nil))
	if pi.Review == nil {
		l.t.Fatalf("payment %s has no review", pi.ID)
	}
	return must[*stripe.Review](l.t)(l.api.Reviews.Get(pi.Review.ID, nil))
}

func TestElevatedRiskIsReviewed(t *testing.T) {
	l := start(t, stripelocal.Options{})
	if pi := l.payWith("pm_card_visa"); pi.Review != nil {
		t.Error("a normal payment is reviewed")
	}
	approved, refunded, fraud := l.payWith("pm_card_riskLevelElevated"), l.payWith("pm_card_riskLevelElevated"), l.payWith("pm_card_riskLevelElevated", func(p *stripe.PaymentIntentParams) {
		p.CaptureMethod = stripe.String("manual")
	})
	x := l.review(approved)
	if !x.Open || x.Reason != "rule" || x.PaymentIntent.ID != approved.ID || x.Charge.ID != approved.LatestCharge.ID {
		t.Errorf("%+v", x)
	}
	if x = must[*stripe.Review](t)(l.api.Reviews.Approve(x.ID, nil)); x.Open || x.ClosedReason != "approved" || x.Reason != "approved" {
		t.Errorf("%+v", x)
	}
	_, err := l.api.Reviews.Approve(x.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	refund := func(pi *stripe.PaymentIntent, amount int64, reason string) {
		must[*stripe.Refund](t)(l.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(amount), Reason: stripe.String(reason)}))
	}
	refund(refunded, 400, "requested_by_customer")
	if x = l.review(refunded); !x.Open {
		t.Error("a partial refund closes the review")
	}
	refund(refunded, 500, "requested_by_customer")
	must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Capture(fraud.ID, nil))
	if it := l.api.Reviews.List(nil); !it.Next() || it.Review().ID != l.review(fraud).ID || it.Next() {
		t.Error("the list has others than the open review")
	}
	refund(fraud, 900, "fraudulent")
	if a, b := l.review(refunded), l.review(fraud); a.ClosedReason != "refunded" || b.ClosedReason != "refunded_as_fraud" {
		t.Errorf("closed as %s and %s", a.ClosedReason, b.ClosedReason)
	}
	_, err = l.api.Reviews.Get("prv_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	if l.countEvents("review.opened") != 3 || l.countEvents("review.closed") != 3 {
		t.Error("the events are others")
	}
}
