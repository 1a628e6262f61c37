package stripelocal_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// giveDiscount sets the customer's discount.
func (k *clockCustomer) giveDiscount(coupon string) {
	k.t.Helper()
	k.callObject("POST", "/v1/customers/"+k.customer, "coupon="+coupon)
}

// The effect of a customer's discount on three monthly invoices of a subscription at 10.00, and on
// the previews of the second and third. The expected amounts are computed by hand.
func TestSubscriptionsInheritTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	other := func(l *testServer) string { return l.createPrice("other", 500, "month").Product.ID }
	cases := []struct {
		name   string
		coupon stripe.CouponParams
		own    bool // the subscription has 10 % off
		totals []int64
		stays  bool
	}{
		{"a third off, once", stripe.CouponParams{PercentOff: stripe.Float64(33.3), Duration: stripe.String("once")}, false, []int64{667, 1000, 1000}, false},
		{"half off, forever", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")}, false, []int64{500, 500, 500}, true},
		{"2.50 off, two months", stripe.CouponParams{AmountOff: stripe.Int64(250), Currency: stripe.String("usd"), Duration: stripe.String("repeating"), DurationInMonths: stripe.Int64(2)}, false, []int64{750, 750, 1000}, false},
		{"of another product", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever"), AppliesTo: &stripe.CouponAppliesToParams{}}, false, []int64{1000, 1000, 1000}, true},
		{"the subscription's own instead", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")}, true, []int64{900, 900, 900}, true},
		{"the subscription's own, once", stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("once")}, true, []int64{900, 900, 900}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			if c.coupon.AppliesTo != nil {
				c.coupon.AppliesTo.Products = []*string{stripe.String(other(l))}
			}
			k.giveDiscount(l.coupon(&c.coupon).ID)
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, func(p *stripe.SubscriptionParams) {
				if c.own {
					p.Coupon = stripe.String(l.percentOff(10, "forever"))
				}
			})
			if (sub.Discount != nil) != c.own {
				t.Errorf("the subscription's discount is %+v", sub.Discount)
			}
			for i, want := range c.totals {
				if i > 0 {
					if shown := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)})); shown.Total != want {
						t.Errorf("preview %d over %d, want %d", i, shown.Total, want)
					}
					k.advance(sub.CurrentPeriodEnd + 3600)
					sub = l.subscription(sub.ID)
				}
				inv := sub.LatestInvoice
				if inv.Subtotal != 1000 || inv.Total != want || inv.AmountPaid != want || inv.Status != "paid" {
					t.Errorf("invoice %d: subtotal %d, total %d, paid %d, %s; want %d", i, inv.Subtotal, inv.Total, inv.AmountPaid, inv.Status, want)
				}
				if d := inv.Discount; want < 1000 && (d == nil || d.Customer.ID != k.customer || (d.Subscription != "") != c.own || inv.TotalDiscountAmounts[0].Amount != 1000-want || inv.Lines.Data[0].DiscountAmounts[0].Amount != 1000-want) {
					t.Errorf("invoice %d: discount %+v, amounts %+v", i, d, inv.TotalDiscountAmounts)
				}
			}
			if got := l.callObject("GET", "/v1/customers/"+k.customer, ""); (got["discount"] != nil) != c.stays || l.countEvents("customer.discount.deleted") == 0 != c.stays {
				t.Errorf("at the end the customer has %v", got["discount"])
			}
		})
	}
}

// By hand: half a month of 2 and then 4 seats at 10.00, at half price. 20 % of tax is added to the
// discounted amount. A preview with empty discounts is of the whole price.
func TestProrationsAndTaxFollowTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	k.giveDiscount(l.percentOff(50, "forever"))
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2, func(p *stripe.SubscriptionParams) {
		p.DefaultTaxRates = stripe.StringSlice([]string{l.taxRate(20, false)})
	})
	if inv := sub.LatestInvoice; inv.Total != 1200 || inv.Tax != 200 {
		t.Errorf("first invoice over %d with %d of tax", inv.Total, inv.Tax)
	}
	k.advance(noon + 15*day)
	preview := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{
		Subscription: stripe.String(sub.ID),
		SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
			Items:             []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(4)}},
			ProrationBehavior: stripe.String("always_invoice"),
		},
	}))
	sub = must[*stripe.Subscription](t)(l.setQuantity(sub, 4, behavior("always_invoice")))
	lines := sub.LatestInvoice.Lines.Data
	if len(lines) != 2 || lines[0].Amount != -500 || lines[1].Amount != 1000 || sub.LatestInvoice.Total != 600 || preview.Total != 600 {
		t.Errorf("previewed %d, billed %d: %+v", preview.Total, sub.LatestInvoice.Total, lines)
	}
	for query, want := range map[string]float64{"": 2400, "&discounts=": 4800, "&discounts[0][coupon]=" + l.percentOff(25, "once"): 3600} {
		if got := l.callObject("GET", "/v1/invoices/upcoming?subscription="+sub.ID+query, ""); got["total"] != want {
			t.Errorf("upcoming%s over %v, want %v", query, got["total"], want)
		}
	}
	l.callObject("DELETE", "/v1/customers/"+k.customer+"/discount", "")
	k.advance(sub.CurrentPeriodEnd + 3600)
	if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 4800 || inv.AmountPaid != 4800 {
		t.Errorf("without the discount: %d", inv.Total)
	}
}

// A subscription that a discount makes free needs no card.
func TestACustomersDiscountMakesASubscriptionFree(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("")
	k.giveDiscount(l.percentOff(100, "forever"))
	if sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1); sub.Status != "active" || sub.LatestInvoice.Total != 0 {
		t.Errorf("%s, %d", sub.Status, sub.LatestInvoice.Total)
	}
}

// An invoice of the API inherits the customer's discount, unless it names its own or none (API
// reference: create an invoice, discounts).
func TestOneTimeInvoicesInheritTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.payingCustomer().ID
	own := objectIn(l.callObject("POST", "/v1/customers/"+c, "coupon="+l.percentOff(25, "forever")), "discount")
	oneOff := l.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(100), Currency: stripe.String("usd"), Duration: stripe.String("once")}).ID
	draft := func(form string) map[string]any {
		t.Helper()
		l.callObject("POST", "/v1/invoiceitems", "currency=usd&amount=1000&customer="+c)
		return l.callObject("POST", "/v1/invoices", "pending_invoice_items_behavior=include&customer="+c+form)
	}
	inherited := draft("")
	if d := objectIn(inherited, "discount"); inherited["total"] != 750.0 || d["id"] != own["id"] || d["invoice"] != nil || d["subscription"] != nil {
		t.Errorf("inherited: %v, %v", inherited["total"], d)
	}
	path := "/v1/invoices/" + inherited["id"].(string)
	l.callObject("POST", "/v1/invoiceitems", "currency=usd&amount=333&customer="+c+"&invoice="+inherited["id"].(string)) // 83.25 off
	if got := l.callObject("GET", path, ""); got["total"] != 1000.0 {
		t.Errorf("with a second line: %v", got["total"])
	}
	if got := l.callObject("POST", path, "discounts="); got["total"] != 1333.0 || got["discount"] != nil {
		t.Errorf("removed: %v, %v", got["total"], got["discount"])
	}
	if got := draft("&discounts="); got["total"] != 1000.0 || got["discount"] != nil {
		t.Errorf("none: %v, %v", got["total"], got["discount"])
	}
	named := draft("&discounts[0][coupon]=" + oneOff)
	if d := objectIn(named, "discount"); named["total"] != 900.0 || d["invoice"] != named["id"] || objectIn(d, "coupon")["times_redeemed"] != 1.0 {
		t.Errorf("its own: %v, %v", named["total"], d)
	}
	both := draft("&discounts[0][discount]=" + own["id"].(string) + "&discounts[1][coupon]=" + oneOff + "&expand[]=discounts")
	list, _ := both["discounts"].([]any)
	if both["total"] != 650.0 || both["discount"] != nil || len(list) != 2 { // null if there are several
		t.Fatalf("both: %v, %v, %v", both["total"], both["discount"], list)
	}
	again := l.callObject("POST", "/v1/invoices/"+both["id"].(string), "discounts[0][discount]="+list[1].(map[string]any)["id"].(string))
	if used := must[*stripe.Coupon](t)(l.api.Coupons.Get(oneOff, nil)); again["total"] != 900.0 || used.TimesRedeemed != 2 {
		t.Errorf("one of both: %v, redeemed %d times", again["total"], used.TimesRedeemed)
	}
	l.callError("POST", "/v1/invoices", "discounts[0][coupon]=none&customer="+c, 400)
	paid := l.callObject("POST", "/v1/invoices/"+again["id"].(string)+"/pay", "")
	if paid["amount_paid"] != 900.0 || l.callObject("GET", "/v1/customers/"+c, "")["discount"] == nil {
		t.Errorf("paid %v", paid["amount_paid"])
	}

	l.callObject("POST", "/v1/customers/"+c, "coupon="+oneOff)
	if euro := l.callObject("POST", "/v1/invoices", "currency=eur&customer="+c); euro["discount"] != nil {
		t.Errorf("dollars off an invoice in euros: %v", euro["discount"])
	}
	if got := draft(""); got["total"] != 900.0 || l.callObject("GET", "/v1/customers/"+c, "")["discount"] != nil {
		t.Errorf("once: %v", got["total"])
	}
	plain := draft("")
	if plain["total"] != 1000.0 {
		t.Errorf("once, and again: %v", plain["total"])
	}
	later := objectIn(l.callObject("POST", "/v1/customers/"+c, "coupon="+oneOff), "discount")
	if got := l.callObject("POST", "/v1/invoices/"+plain["id"].(string), "discounts[0][discount]="+later["id"].(string)); got["total"] != 900.0 || l.callObject("GET", "/v1/customers/"+c, "")["discount"] != nil {
		t.Errorf("once, on an older draft: %v", got["total"])
	}
}

func TestCheckoutShowsTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c, price := l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID
	l.callObject("POST", "/v1/customers/"+c, "coupon="+l.percentOff(30, "once"))
	l.promotion(l.percentOff(50, "once"), "HALF")
	allow := func(p *stripe.CheckoutSessionParams) {
		p.AllowPromotionCodes = stripe.Bool(true)
		p.AddExpand("total_details.breakdown")
	}
	cs := l.createCheckoutSession(c, price, 1, allow)
	if list := cs.TotalDetails.Breakdown.Discounts; cs.AmountTotal != 700 || cs.TotalDetails.AmountDiscount != 300 || len(list) != 1 || list[0].Discount.Subscription != "" {
		t.Errorf("%d, %+v", cs.AmountTotal, list)
	}
	if code := l.browse("POST", cs.URL, url.Values{"action": {"apply"}, "promotionCode": {"HALF"}}); !strings.Contains(code.body, "-$5.00") {
		t.Errorf("a code replaces it: %d %s", code.status, code.body)
	}
	other := l.createCheckoutSession(c, price, 2)
	if shown := l.browse("GET", other.URL, nil); other.AmountTotal != 1400 || !strings.Contains(shown.body, "-$6.00") || !strings.Contains(shown.body, "$14.00") {
		t.Errorf("%d: %s", other.AmountTotal, shown.body)
	}
	expired := l.createCheckoutSession(c, price, 1)
	must[*stripe.CheckoutSession](t)(l.api.CheckoutSessions.Expire(expired.ID, nil))
	if payment := l.once(func(p *stripe.CheckoutSessionParams) { p.Customer, p.CustomerEmail = stripe.String(c), nil }); payment.TotalDetails.AmountDiscount != 0 {
		t.Errorf("a one-time payment has a discount of %d", payment.TotalDetails.AmountDiscount)
	}
	if done := l.submitCheckout(other.URL, "4242424242424242"); done.status != 303 {
		t.Fatalf("paying: %d %s", done.status, done.body)
	}
	sub := l.subscriptionOfSession(other.ID)
	if sub.LatestInvoice.AmountPaid != 1400 || sub.Discount != nil || l.callObject("GET", "/v1/customers/"+c, "")["discount"] != nil {
		t.Errorf("paid %d, discount %+v", sub.LatestInvoice.AmountPaid, sub.Discount)
	}
	if other, expired = l.session(other.ID), l.session(expired.ID); other.AmountTotal != 1400 || expired.AmountTotal != 700 {
		t.Errorf("afterwards %d and %d", other.AmountTotal, expired.AmountTotal)
	}
	l.time.Store(sub.CurrentPeriodEnd + 3601)
	if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 2000 {
		t.Errorf("renewed over %d", inv.Total)
	}
}

func TestQuotesShowTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.payingCustomer().ID
	l.callObject("POST", "/v1/customers/"+c, "coupon="+l.percentOff(50, "forever"))
	accept := func(q *stripe.Quote) *stripe.Quote {
		t.Helper()
		must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(q.ID, nil))
		return must[*stripe.Quote](t)(l.api.Quotes.Accept(q.ID, nil))
	}
	q := accept(l.createQuote(c, nil, l.createPrice("pro", 1000, "month").ID, l.oneTimePrice(250).ID))
	if inv := l.subscription(q.Subscription.ID).LatestInvoice; q.AmountSubtotal != 2500 || q.AmountTotal != 1250 || q.Computed.Recurring.AmountTotal != 1000 || inv.Total != 1250 {
		t.Errorf("%d less the discount is %d, then %d; billed %d", q.AmountSubtotal, q.AmountTotal, q.Computed.Recurring.AmountTotal, inv.Total)
	}
	single := accept(l.createQuote(c, nil, l.oneTimePrice(250).ID))
	if inv := l.invoice(single.Invoice.ID); single.AmountTotal != 250 || inv.Total != 250 {
		t.Errorf("one-time: %d, billed %d", single.AmountTotal, inv.Total)
	}
	l.callObject("DELETE", "/v1/customers/"+c+"/discount", "")
	if q = must[*stripe.Quote](t)(l.api.Quotes.Get(q.ID, nil)); q.AmountTotal != 1250 {
		t.Errorf("afterwards %d", q.AmountTotal)
	}
}

// A phase with empty discounts does not inherit the customer's; one without the parameter does (API
// reference: update a schedule, phases.discounts).
func TestAPhaseCanIgnoreTheCustomersDiscount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		param string
		want  int64
	}{{"", 500}, {"&phases[1][discounts]=", 1000}} {
		l := start(t, stripelocal.Options{})
		k := l.createOnTestClock("pm_card_visa")
		k.giveDiscount(l.percentOff(50, "forever"))
		price := l.createPriceIn("usd", 1000, "month")
		sub := k.subscribe(price, 1)
		x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))
		form := url.Values{
			"phases[0][start_date]": {strconv.FormatInt(x.CurrentPhase.StartDate, 10)}, "phases[0][end_date]": {strconv.FormatInt(x.CurrentPhase.EndDate, 10)}, "phases[0][items][0][price]": {price},
			"phases[1][items][0][price]": {price}, "phases[1][iterations]": {"2"}, "phases[1][proration_behavior]": {"none"},
		}
		l.callObject("POST", "/v1/subscription_schedules/"+x.ID, form.Encode()+c.param)
		k.advance(sub.CurrentPeriodEnd + 3600)
		if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != c.want {
			t.Errorf("%q: renewed over %d, want %d", c.param, inv.Total, c.want)
		}
	}
}
