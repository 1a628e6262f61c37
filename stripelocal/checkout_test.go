package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) coupon(p *stripe.CouponParams) *stripe.Coupon {
	l.t.Helper()
	return must[*stripe.Coupon](l.t)(l.api.Coupons.New(p))
}

func (l *testServer) promotion(coupon, code string, more ...func(*stripe.PromotionCodeParams)) *stripe.PromotionCode {
	l.t.Helper()
	p := &stripe.PromotionCodeParams{Coupon: stripe.String(coupon), Code: stripe.String(code)}
	for _, m := range more {
		m(p)
	}
	return must[*stripe.PromotionCode](l.t)(l.api.PromotionCodes.New(p))
}

// The effect of a coupon on the first three monthly invoices of a subscription at 10.00. The
// expected amounts are computed by hand.
func TestCouponsOnInvoices(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		coupon stripe.CouponParams
		totals []int64
	}{
		{"a third off, once", stripe.CouponParams{PercentOff: stripe.Float64(33.3), Duration: stripe.String("once")}, []int64{667, 1000, 1000}},
		{"half off, forever", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")}, []int64{500, 500, 500}},
		{"2.50 off, two months", stripe.CouponParams{AmountOff: stripe.Int64(250), Currency: stripe.String("usd"), Duration: stripe.String("repeating"), DurationInMonths: stripe.Int64(2)}, []int64{750, 750, 1000}},
		{"more than it costs, once", stripe.CouponParams{AmountOff: stripe.Int64(5000), Currency: stripe.String("usd"), Duration: stripe.String("once")}, []int64{0, 1000, 1000}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			coupon := l.coupon(&c.coupon)
			cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1, func(p *stripe.CheckoutSessionParams) {
				p.Discounts = []*stripe.CheckoutSessionDiscountParams{{Coupon: stripe.String(coupon.ID)}}
			})
			if cs.AmountSubtotal != 1000 || cs.AmountTotal != c.totals[0] || cs.TotalDetails.AmountDiscount != 1000-c.totals[0] {
				t.Errorf("session: %d less %d is %d", cs.AmountSubtotal, cs.TotalDetails.AmountDiscount, cs.AmountTotal)
			}
			if done := l.submitCheckout(cs.URL, "4242424242424242"); done.status != 303 {
				t.Fatalf("paying: %d %s", done.status, done.body)
			}
			sub := l.subscriptionOfSession(cs.ID)
			for i, want := range c.totals {
				if i > 0 {
					l.time.Store(sub.CurrentPeriodEnd + 3601)
					sub = l.subscription(sub.ID)
				}
				inv := sub.LatestInvoice
				if inv.Subtotal != 1000 || inv.Total != want || inv.AmountPaid != want || inv.Status != "paid" {
					t.Errorf("invoice %d: subtotal %d, total %d, paid %d, %s; want %d", i, inv.Subtotal, inv.Total, inv.AmountPaid, inv.Status, want)
				}
				if off := 1000 - want; off > 0 && (len(inv.TotalDiscountAmounts) != 1 || inv.TotalDiscountAmounts[0].Amount != off || inv.Lines.Data[0].DiscountAmounts[0].Amount != off) {
					t.Errorf("invoice %d: discounts %+v", i, inv.TotalDiscountAmounts)
				}
			}
			if used := must[*stripe.Coupon](t)(l.api.Coupons.Get(coupon.ID, nil)); used.TimesRedeemed != 1 {
				t.Errorf("redeemed %d times", used.TimesRedeemed)
			}
		})
	}
}

func TestAmountOffIsDistributedOverTheLines(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	coupon := l.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(100), Currency: stripe.String("usd"), Duration: stripe.String("once")})
	a, b, c := l.createPrice("a", 333, "month"), l.createPrice("b", 333, "month"), l.createPrice("c", 334, "month")
	cs := l.createCheckoutSession(l.createCustomer().ID, a.ID, 1, func(p *stripe.CheckoutSessionParams) {
		p.LineItems = append(p.LineItems, &stripe.CheckoutSessionLineItemParams{Price: stripe.String(b.ID), Quantity: stripe.Int64(1)},
			&stripe.CheckoutSessionLineItemParams{Price: stripe.String(c.ID), Quantity: stripe.Int64(1)})
		p.Discounts = []*stripe.CheckoutSessionDiscountParams{{Coupon: stripe.String(coupon.ID)}}
	})
	l.submitCheckout(cs.URL, "4242424242424242")
	var off []int64
	for _, line := range l.subscriptionOfSession(cs.ID).LatestInvoice.Lines.Data {
		off = append(off, line.DiscountAmounts[0].Amount)
	}
	// 33.3, 33.3 and 33.4 of 100. The last line takes the rounding difference.
	if len(off) != 3 || off[0] != 33 || off[1] != 33 || off[2] != 34 {
		t.Errorf("taken off: %v", off)
	}
}

func TestPromotionCodesAtCheckout(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	half := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever"), MaxRedemptions: stripe.Int64(1)})
	code := l.promotion(half.ID, "HALF")
	l.promotion(half.ID, "LARGE", func(p *stripe.PromotionCodeParams) {
		p.Restrictions = &stripe.PromotionCodeRestrictionsParams{MinimumAmount: stripe.Int64(9900), MinimumAmountCurrency: stripe.String("usd")}
	})
	l.promotion(half.ID, "OTHERS", func(p *stripe.PromotionCodeParams) { p.Customer = stripe.String(l.createCustomer().ID) })
	price, c := l.createPrice("pro", 1000, "month").ID, l.createCustomer().ID
	allow := func(p *stripe.CheckoutSessionParams) { p.AllowPromotionCodes = stripe.Bool(true) }
	cs := l.createCheckoutSession(c, price, 1, allow)
	for word, want := range map[string]string{"NONE": "This code is invalid.", "LARGE": "at least $99.00", "OTHERS": "This code is invalid."} {
		if no := l.browse("POST", cs.URL, url.Values{"action": {"apply"}, "promotionCode": {word}}); no.status != 422 || !strings.Contains(no.body, want) || !strings.Contains(no.body, `value="`+word+`"`) {
			t.Errorf("%s: %d %s", word, no.status, no.body)
		}
	}
	if yes := l.browse("POST", cs.URL, url.Values{"action": {"apply"}, "promotionCode": {"half"}}); yes.status != 200 || !strings.Contains(yes.body, "-$5.00") {
		t.Fatalf("half: %d %s", yes.status, yes.body)
	}
	l.submitCheckout(cs.URL, "4242424242424242")
	if sub := l.subscriptionOfSession(cs.ID); sub.LatestInvoice.AmountPaid != 500 || sub.Discount == nil || sub.Discount.PromotionCode.ID != code.ID || sub.Discount.CheckoutSession != cs.ID {
		t.Errorf("paid %d, discount %+v", sub.LatestInvoice.AmountPaid, sub.Discount)
	}
	if used := must[*stripe.PromotionCode](t)(l.api.PromotionCodes.Get(code.ID, nil)); used.Active || used.TimesRedeemed != 1 {
		t.Errorf("active %v after %d redemptions", used.Active, used.TimesRedeemed)
	}
	again := l.createCheckoutSession(c, price, 1, allow)
	if no := l.browse("POST", again.URL, url.Values{"action": {"apply"}, "promotionCode": {"HALF"}}); no.status != 422 {
		t.Errorf("a code that is used up: %d", no.status)
	}
	_, err := l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("subscription"), SuccessURL: stripe.String("http://app.test/ok"), AllowPromotionCodes: stripe.Bool(true),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(1)}},
		Discounts: []*stripe.CheckoutSessionDiscountParams{{Coupon: stripe.String(half.ID)}},
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestCouponRules(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.coupon(&stripe.CouponParams{ID: stripe.String("SPRING"), PercentOff: stripe.Float64(10), Name: stripe.String("Spring")})
	for name, p := range map[string]*stripe.CouponParams{
		"taken id":        {ID: stripe.String("SPRING"), PercentOff: stripe.Float64(10)},
		"neither":         {Duration: stripe.String("once")},
		"both":            {PercentOff: stripe.Float64(10), AmountOff: stripe.Int64(5), Currency: stripe.String("usd")},
		"no currency":     {AmountOff: stripe.Int64(5)},
		"over 100":        {PercentOff: stripe.Float64(101)},
		"no months":       {PercentOff: stripe.Float64(10), Duration: stripe.String("repeating")},
		"months for once": {PercentOff: stripe.Float64(10), DurationInMonths: stripe.Int64(3)},
		"past":            {PercentOff: stripe.Float64(10), RedeemBy: stripe.Int64(1)},
	} {
		if _, err := l.api.Coupons.New(p); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	changed := must[*stripe.Coupon](t)(l.api.Coupons.Update("SPRING", &stripe.CouponParams{Name: stripe.String("May")}))
	if changed.Name != "May" || changed.PercentOff != 10 || !changed.Valid {
		t.Errorf("changed: %+v", changed)
	}
	must[*stripe.Coupon](t)(l.api.Coupons.Del("SPRING", nil))
	_, err := l.api.Coupons.Get("SPRING", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	wantEvents(t, l, "coupon.created", "coupon.updated", "coupon.deleted")
}

func TestTrialWithoutACard(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1, func(p *stripe.CheckoutSessionParams) {
		p.PaymentMethodCollection = stripe.String("if_required")
		p.SubscriptionData.TrialPeriodDays = stripe.Int64(14)
	})
	form := l.browse("GET", cs.URL, nil)
	if strings.Contains(form.body, "cardNumber") || !strings.Contains(form.body, "Start trial") {
		t.Errorf("form: %s", form.body)
	}
	if done := l.browse("POST", cs.URL, url.Values{"email": {"ada@example.com"}, "action": {"pay"}}); done.status != 303 {
		t.Fatalf("starting: %d %s", done.status, done.body)
	}
	after, sub := l.session(cs.ID), l.subscriptionOfSession(cs.ID)
	if after.PaymentStatus != "no_payment_required" || sub.Status != "trialing" || sub.DefaultPaymentMethod != nil {
		t.Errorf("session %s, subscription %s with %v", after.PaymentStatus, sub.Status, sub.DefaultPaymentMethod)
	}
}

func (l *testServer) once(more ...func(*stripe.CheckoutSessionParams)) *stripe.CheckoutSession {
	l.t.Helper()
	pack := must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1500), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Credits")},
	}))
	p := &stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://app.test/ok"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(pack.ID), Quantity: stripe.Int64(2)}},
	}
	for _, m := range more {
		m(p)
	}
	return must[*stripe.CheckoutSession](l.t)(l.api.CheckoutSessions.New(p))
}

func TestABankDebitSettlesLater(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		account string
		settle  func(*testServer, string)
		status  stripe.CheckoutSessionPaymentStatus
		event   string
	}{
		"in time":        {"000123456789", func(l *testServer, _ string) { l.time.Add(int64(4 * 24 * time.Hour / time.Second)) }, "paid", "checkout.session.async_payment_succeeded"},
		"in time, badly": {"000222222227", func(l *testServer, _ string) { l.time.Add(int64(4 * 24 * time.Hour / time.Second)) }, "unpaid", "checkout.session.async_payment_failed"},
		"by hand": {"000123456789", func(l *testServer, id string) {
			l.browse("POST", "/_usher/checkout_sessions/"+id+"/settle", url.Values{"outcome": {"failed"}})
		}, "unpaid", "checkout.session.async_payment_failed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			cs := l.once()
			if form := l.browse("GET", cs.URL, nil); !strings.Contains(form.body, "Bank debit (takes a few days)") {
				t.Errorf("form: %s", form.body)
			}
			fields := url.Values{"email": {"ada@example.com"}, "payBy": {"bank"}, "bankAccount": {c.account}, "billingName": {"Ada"}}
			if done := l.browse("POST", cs.URL, fields); done.status != 303 {
				t.Fatalf("paying: %d %s", done.status, done.body)
			}
			meanwhile := l.session(cs.ID)
			pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(meanwhile.PaymentIntent.ID, nil))
			if meanwhile.Status != "complete" || meanwhile.PaymentStatus != "unpaid" || pi.Status != "processing" {
				t.Errorf("meanwhile %s, %s, payment %s", meanwhile.Status, meanwhile.PaymentStatus, pi.Status)
			}
			c.settle(l, cs.ID)
			if after := l.session(cs.ID); after.PaymentStatus != c.status {
				t.Errorf("afterwards %s, want %s", after.PaymentStatus, c.status)
			}
			wantEvents(t, l, "checkout.session.completed", "payment_intent.processing", c.event)
		})
	}
}

func TestCheckoutCollectsTheRequestedFields(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	cs := l.createCheckoutSession(c.ID, l.createPrice("pro", 1000, "month").ID, 1, func(p *stripe.CheckoutSessionParams) {
		p.TaxIDCollection = &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)}
		p.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
		p.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Name: stripe.String("auto"), Address: stripe.String("auto")}
		p.PhoneNumberCollection = &stripe.CheckoutSessionPhoneNumberCollectionParams{Enabled: stripe.Bool(true)}
	})
	fields := card("4242424242424242")
	fields.Set("email", "ada@example.com")
	fields.Set("taxId", "DE123456789")
	bad := l.browse("POST", cs.URL, fields)
	for _, want := range []string{`id="line1-error"`, `id="country-error"`, `id="businessName-error"`, `id="phone-error"`, `value="DE123456789"`} {
		if bad.status != 422 || !strings.Contains(bad.body, want) {
			t.Errorf("%q is not on the page (%d)", want, bad.status)
		}
	}
	for name, value := range map[string]string{"line1": "1 High St", "postal_code": "10115", "city": "Berlin", "country": "de", "businessName": "Engines GmbH", "phone": "+49 30 1234567"} {
		fields.Set(name, value)
	}
	if done := l.browse("POST", cs.URL, fields); done.status != 303 {
		t.Fatalf("paying: %d %s", done.status, done.body)
	}
	after := must[*stripe.Customer](t)(l.api.Customers.Get(c.ID, nil))
	if after.Name != "Engines GmbH" || after.Address == nil || after.Address.City != "Berlin" {
		t.Errorf("customer %q %+v", after.Name, after.Address)
	}
	d := l.session(cs.ID).CustomerDetails
	if len(d.TaxIDs) != 1 || d.TaxIDs[0].Value != "DE123456789" || d.Phone != "+49 30 1234567" || d.Address.Country != "DE" {
		t.Errorf("details: %+v", d)
	}
}

func TestQuantitiesCanBeAdjustedWithinBounds(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 2, func(p *stripe.CheckoutSessionParams) {
		p.LineItems[0].AdjustableQuantity = &stripe.CheckoutSessionLineItemAdjustableQuantityParams{Enabled: stripe.Bool(true), Minimum: stripe.Int64(2), Maximum: stripe.Int64(5)}
	})
	if no := l.browse("POST", cs.URL, url.Values{"action": {"apply"}, "quantity0": {"6"}}); no.status != 422 || !strings.Contains(no.body, "from 2 to 5") {
		t.Errorf("six: %d %s", no.status, no.body)
	}
	if yes := l.browse("POST", cs.URL, url.Values{"action": {"apply"}, "quantity0": {"4"}}); yes.status != 200 || !strings.Contains(yes.body, "$40.00") {
		t.Errorf("four: %d %s", yes.status, yes.body)
	}
	l.submitCheckout(cs.URL, "4242424242424242")
	if sub := l.subscriptionOfSession(cs.ID); sub.Items.Data[0].Quantity != 4 || sub.LatestInvoice.AmountPaid != 4000 {
		t.Errorf("%d seats for %d", sub.Items.Data[0].Quantity, sub.LatestInvoice.AmountPaid)
	}
}
