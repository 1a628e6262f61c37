package stripelocal_test

import (
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// Proration lines are net of the subscription's discounts at this API version (changelog
// 2025-09-30): by hand, half a month of 2 and then 4 seats at $10.
func TestProrationsAreNetOfDiscounts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		coupon stripe.CouponParams
		want   [2]int64
	}{
		{"half off", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")}, [2]int64{-500, 1000}},
		{"everything off", stripe.CouponParams{PercentOff: stripe.Float64(100), Duration: stripe.String("forever")}, [2]int64{0, 0}},
		{"an amount off the period, not each seat", stripe.CouponParams{AmountOff: stripe.Int64(400), Currency: stripe.String("usd"), Duration: stripe.String("forever")}, [2]int64{-800, 1800}},
		{"used up by the first invoice", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("once")}, [2]int64{-1000, 2000}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			coupon := l.coupon(&c.coupon)
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2, func(p *stripe.SubscriptionParams) { p.Coupon = stripe.String(coupon.ID) })
			k.advance(noon + 15*day)
			preview := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{
				Subscription: stripe.String(sub.ID),
				SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
					Items:             []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(4)}},
					ProrationBehavior: stripe.String("always_invoice"), ProrationDate: stripe.Int64(noon + 15*day),
				},
			}))
			k.advance(noon + 15*day + 600)
			got := must[*stripe.Subscription](t)(l.updateSubscription(sub, behavior("always_invoice"), func(p *stripe.SubscriptionParams) {
				p.Items[0].Quantity, p.ProrationDate = stripe.Int64(4), stripe.Int64(noon+15*day)
			}))
			lines := got.LatestInvoice.Lines.Data
			if len(lines) != 2 || lines[0].Amount != c.want[0] || lines[1].Amount != c.want[1] || lines[0].Discountable || len(lines[0].DiscountAmounts) != 0 {
				t.Errorf("lines %+v, want %v", lines, c.want)
			}
			if total := c.want[0] + c.want[1]; got.LatestInvoice.Total != total || preview.Total != total || preview.AmountDue != got.LatestInvoice.AmountDue {
				t.Errorf("billed %d (due %d), previewed %d (due %d), want %d", got.LatestInvoice.Total, got.LatestInvoice.AmountDue, preview.Total, preview.AmountDue, total)
			}
		})
	}
}

// Cancelling at once invoices what is pending with invoice_now, and credits unused time with
// prorate. Halfway through, 3 seats at $10 since the 8th of a month of 30 days were 2 before.
func TestImmediateCancellation(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name         string
		now, prorate bool
		invoices     int
		total        int64
	}{
		{"invoice_now", true, false, 2, 750},                   // 22.5 of 30 days of the third seat
		{"invoice_now and prorate", true, true, 2, 750 - 1500}, // half a month of 3 seats
		{"neither", false, false, 1, 0},
		{"prorate", false, true, 1, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2)
			k.advance(noon + 15*day/2)
			must[*stripe.Subscription](t)(l.setQuantity(sub, 3))
			k.advance(noon + 15*day)
			got := must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(c.now), Prorate: stripe.Bool(c.prorate)}))
			all := l.invoicesOf(k.customer)
			if got.Status != "canceled" || len(all) != c.invoices {
				t.Fatalf("%s, %d invoices", got.Status, len(all))
			}
			if last := all[len(all)-1]; c.invoices > 1 && (last.Total != c.total || last.Status != "paid" || last.BillingReason != "subscription_update" || last.AmountPaid != max(0, c.total)) {
				t.Errorf("final invoice %s %s over %d, paid %d, want %d", last.Status, last.BillingReason, last.Total, last.AmountPaid, c.total)
			}
		})
	}
}

// tax_behavior can be set once (API reference: update a price).
func TestTaxBehaviorIsSetOnce(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	product := l.createPrice("pro", 1000, "month").Product.ID
	price := l.priceOf(product, 2000, "month", "unspecified")
	set := func(to string) error {
		_, err := l.api.Prices.Update(price.ID, &stripe.PriceParams{TaxBehavior: stripe.String(to)})
		return err
	}
	for _, to := range []string{"unspecified", "exclusive", "exclusive"} {
		if err := set(to); err != nil {
			t.Errorf("to %s: %v", to, err)
		}
	}
	for _, to := range []string{"inclusive", "unspecified"} {
		if e := wantError(t, set(to), 400, "", stripe.ErrorTypeInvalidRequest); e.Param != "tax_behavior" {
			t.Errorf("to %s: param %q", to, e.Param)
		}
	}
	if got := must[*stripe.Price](t)(l.api.Prices.Get(price.ID, nil)); got.TaxBehavior != "exclusive" {
		t.Errorf("now %s", got.TaxBehavior)
	}
}

// A pending update takes only the documented parameters (docs: pending updates reference).
func TestPendingIfIncompleteParameters(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	for name, value := range map[string]string{
		"metadata[a]": "b", "cancel_at_period_end": "true", "default_payment_method": "pm_1", "description": "x", "coupon": "c",
		"collection_method": "charge_automatically", "pending_invoice_item_interval[interval]": "month", "trial_settings[end_behavior][missing_payment_method]": "pause",
	} {
		p := &stripe.SubscriptionParams{PaymentBehavior: stripe.String("pending_if_incomplete")}
		p.AddExtra(name, value)
		_, err := l.api.Subscriptions.Update(sub.ID, p)
		if e := wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest); !strings.HasPrefix(name, e.Param) || e.Param == "" {
			t.Errorf("%s: param %q", name, e.Param)
		}
	}
	ok := must[*stripe.Subscription](t)(l.updateSubscription(sub, payment("pending_if_incomplete"), behavior("always_invoice"), func(p *stripe.SubscriptionParams) {
		p.Items[0].Quantity, p.ProrationDate = stripe.Int64(2), stripe.Int64(noon)
	}))
	if ok.Items.Data[0].Quantity != 2 || ok.PendingUpdate != nil {
		t.Errorf("paid: %d, pending %+v", ok.Items.Data[0].Quantity, ok.PendingUpdate)
	}
}

// A schedule owns the cancellation, in Stripe's words (public issue threads), but not the items: an
// update of them changes the current phase and keeps the later ones (docs: subscription schedules).
func TestAScheduledSubscriptionIsUpdated(t *testing.T) {
	t.Parallel()
	k, sub, x, cheap := scheduledDowngrade(t)
	for _, set := range []func(*stripe.SubscriptionParams){
		func(p *stripe.SubscriptionParams) { p.CancelAtPeriodEnd = stripe.Bool(true) },
		func(p *stripe.SubscriptionParams) { p.CancelAt = stripe.Int64(sub.CurrentPeriodEnd) },
	} {
		p := &stripe.SubscriptionParams{}
		set(p)
		_, err := k.api.Subscriptions.Update(sub.ID, p)
		want := "The subscription is managed by the subscription schedule `" + x.ID + "`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead."
		if e := wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest); e.Msg != want {
			t.Errorf("message %q", e.Msg)
		}
	}
	must[*stripe.Subscription](t)(k.setQuantity(sub, 7))
	got := must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil))
	if now, next := got.Phases[0].Items[0], got.Phases[1].Items[0]; now.Quantity != 7 || next.Quantity != 3 || next.Price.ID != cheap {
		t.Errorf("phases: %d of %s, then %d of %s", now.Quantity, now.Price.ID, next.Quantity, next.Price.ID)
	}
}
