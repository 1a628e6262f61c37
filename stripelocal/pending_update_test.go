package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The result of a billed change whose payment fails, by payment_behavior (API reference: update a
// subscription).
func TestUnpaidChangeByPaymentBehavior(t *testing.T) {
	t.Parallel()
	cases := []struct {
		payment  string
		card     string
		status   stripe.SubscriptionStatus
		seats    int64
		refused  bool
		pending  bool
		attempts int64
	}{
		{"allow_incomplete", "pm_card_chargeCustomerFail", "past_due", 4, false, false, 1},
		{"default_incomplete", "pm_card_visa", "past_due", 4, false, false, 0},
		{"error_if_incomplete", "pm_card_chargeCustomerFail", "active", 1, true, false, 0},
		{"error_if_incomplete", "pm_card_authenticationRequired", "active", 1, true, false, 0},
		{"pending_if_incomplete", "pm_card_chargeCustomerFail", "active", 1, false, true, 1},
		{"pending_if_incomplete", "pm_card_authenticationRequired", "active", 1, false, true, 1},
		{"pending_if_incomplete", "pm_card_visa", "active", 4, false, false, 1},
	}
	for _, c := range cases {
		t.Run(c.payment+" with "+c.card, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
			k.setDefaultCard(c.card)
			_, err := l.setQuantity(sub, 4, behavior("always_invoice"), payment(c.payment))
			if (err != nil) != c.refused {
				t.Fatalf("got %v", err)
			}
			if c.refused && err.(*stripe.Error).HTTPStatusCode != 402 {
				t.Errorf("refused with %v", err)
			}
			got := l.subscription(sub.ID)
			if got.Status != c.status || got.Items.Data[0].Quantity != c.seats || (got.PendingUpdate != nil) != c.pending {
				t.Errorf("%s with %d seats, pending %+v", got.Status, got.Items.Data[0].Quantity, got.PendingUpdate)
			}
			if changed := got.LatestInvoice.ID != sub.LatestInvoice.ID; changed == c.refused || changed && got.LatestInvoice.AttemptCount != c.attempts {
				t.Errorf("latest invoice %s with %d attempts", got.LatestInvoice.Status, got.LatestInvoice.AttemptCount)
			}
		})
	}
}

// pendingSubscription is a subscription with quantity one and a pending update to four.
func pendingSubscription(t *testing.T) (*clockCustomer, *stripe.Subscription) {
	t.Helper()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	k.setDefaultCard("pm_card_chargeCustomerFail")
	got := must[*stripe.Subscription](t)(l.setQuantity(sub, 4, behavior("always_invoice"), payment("pending_if_incomplete")))
	if p := got.PendingUpdate; p == nil || p.ExpiresAt != noon+23*3600 || p.SubscriptionItems[0].Quantity != 4 || got.LatestInvoice.AmountDue != 3000 {
		t.Fatalf("pending %+v, invoice over %d", p, got.LatestInvoice.AmountDue)
	}
	return k, got
}

func TestAPendingUpdateIsAppliedOncePaid(t *testing.T) {
	t.Parallel()
	k, sub := pendingSubscription(t)
	k.setDefaultCard("pm_card_visa")
	must[*stripe.Invoice](t)(k.api.Invoices.Pay(sub.LatestInvoice.ID, nil))
	if got := k.subscription(sub.ID); got.Items.Data[0].Quantity != 4 || got.PendingUpdate != nil || got.Status != "active" {
		t.Errorf("%d seats, pending %+v", got.Items.Data[0].Quantity, got.PendingUpdate)
	}
	wantEvents(t, k.testServer, "customer.subscription.pending_update_applied")
}

func TestAPendingUpdateExpires(t *testing.T) {
	t.Parallel()
	k, sub := pendingSubscription(t)
	k.advance(noon + 23*3600)
	if got := k.subscription(sub.ID); got.Items.Data[0].Quantity != 1 || got.PendingUpdate != nil || got.LatestInvoice.Status != "void" {
		t.Errorf("%d seats, pending %+v, invoice %s", got.Items.Data[0].Quantity, got.PendingUpdate, got.LatestInvoice.Status)
	}
	wantEvents(t, k.testServer, "customer.subscription.pending_update_expired")
}

func TestPendingUpdateRejectsUnsupportedParameters(t *testing.T) {
	t.Parallel()
	k, sub := pendingSubscription(t)
	_, err := k.setQuantity(sub, 5, payment("pending_if_incomplete"), func(p *stripe.SubscriptionParams) { p.Metadata = map[string]string{"a": "b"} })
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestSubscriptionItems(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	more := must[*stripe.SubscriptionItem](t)(l.api.SubscriptionItems.New(&stripe.SubscriptionItemParams{
		Subscription: stripe.String(sub.ID), Price: stripe.String(l.createPriceIn("usd", 500, "month")), Quantity: stripe.Int64(2), ProrationBehavior: stripe.String("always_invoice"),
	}))
	if inv := l.subscription(sub.ID).LatestInvoice; more.Quantity != 2 || inv.AmountPaid != 1000 || inv.Lines.Data[0].SubscriptionItem.ID != more.ID {
		t.Errorf("added %d, invoice over %d", more.Quantity, inv.AmountPaid)
	}
	if up := must[*stripe.SubscriptionItem](t)(l.api.SubscriptionItems.Update(more.ID, &stripe.SubscriptionItemParams{Quantity: stripe.Int64(3), ProrationBehavior: stripe.String("none")})); up.Quantity != 3 {
		t.Errorf("updated to %d", up.Quantity)
	}
	if gone := must[*stripe.SubscriptionItem](t)(l.api.SubscriptionItems.Del(more.ID, &stripe.SubscriptionItemParams{})); !gone.Deleted {
		t.Error("it does not say deleted")
	}
	if got := l.subscription(sub.ID); len(got.Items.Data) != 1 {
		t.Errorf("%d items are left", len(got.Items.Data))
	}
	_, err := l.api.SubscriptionItems.Del(sub.Items.Data[0].ID, &stripe.SubscriptionItemParams{})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}
