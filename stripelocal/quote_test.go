package stripelocal_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) createQuote(customer string, change func(*stripe.QuoteParams), prices ...string) *stripe.Quote {
	l.t.Helper()
	p := &stripe.QuoteParams{Customer: stripe.String(customer), Metadata: map[string]string{"a": "1"}}
	for _, price := range prices {
		p.LineItems = append(p.LineItems, &stripe.QuoteLineItemParams{Price: stripe.String(price), Quantity: stripe.Int64(2)})
	}
	if change != nil {
		change(p)
	}
	return must[*stripe.Quote](l.t)(l.api.Quotes.New(p))
}

func (l *testServer) oneTimePrice(amount int64) *stripe.Price {
	l.t.Helper()
	return must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{Currency: stripe.String("usd"), UnitAmount: stripe.Int64(amount), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Setup")}}))
}

func TestAQuoteBecomesASubscription(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c := l.payingCustomer()
	coupon := must[*stripe.Coupon](t)(l.api.Coupons.New(&stripe.CouponParams{PercentOff: stripe.Float64(10), Duration: stripe.String("forever")}))
	q := l.createQuote(c.ID, func(p *stripe.QuoteParams) {
		p.Discounts = []*stripe.QuoteDiscountParams{{Coupon: stripe.String(coupon.ID)}}
		p.SubscriptionData = &stripe.QuoteSubscriptionDataParams{Description: stripe.String("From a quote")}
	}, l.createPrice("pro", 1000, "month").ID, l.oneTimePrice(500).ID)
	if q.Status != "draft" || q.AmountSubtotal != 3000 || q.AmountTotal != 2700 || q.Computed.Recurring.AmountTotal != 1800 || q.Computed.Upfront.AmountTotal != 2700 {
		t.Errorf("%s: %d, %d, %+v", q.Status, q.AmountSubtotal, q.AmountTotal, q.Computed)
	}
	_, err := l.api.Quotes.Accept(q.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	q = must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(q.ID, nil))
	if !strings.HasPrefix(q.Number, "QT-") || q.Status != "open" {
		t.Errorf("%s, %s", q.Number, q.Status)
	}
	pdf := must[*stripe.APIStream](t)(l.api.Quotes.PDF(q.ID, nil))
	if body, err := io.ReadAll(pdf.LastResponse.Body); err != nil || !strings.HasPrefix(string(body), "%PDF-") {
		t.Errorf("pdf: %v %.20s", err, body)
	}
	q = must[*stripe.Quote](t)(l.api.Quotes.Accept(q.ID, nil))
	sub := l.subscription(q.Subscription.ID)
	inv := must[*stripe.Invoice](t)(l.api.Invoices.Get(sub.LatestInvoice.ID, nil))
	if q.Status != "accepted" || sub.Status != "active" || sub.Description != "From a quote" || inv.Total != 2700 || inv.Quote.ID != q.ID || inv.Status != "paid" {
		t.Errorf("%s, %s, %d from %v", q.Status, sub.Status, inv.Total, inv.Quote)
	}
	for _, kind := range []string{"quote.created", "quote.finalized", "quote.accepted"} {
		if l.countEvents(kind) != 1 {
			t.Errorf("no %s", kind)
		}
	}
	_, err = l.api.Quotes.Cancel(q.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestAQuoteOfOneTimePricesBecomesAnInvoice(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c := l.payingCustomer()
	q := l.createQuote(c.ID, nil, l.oneTimePrice(500).ID)
	must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(q.ID, nil))
	q = must[*stripe.Quote](t)(l.api.Quotes.Accept(q.ID, nil))
	inv := must[*stripe.Invoice](t)(l.api.Invoices.Get(q.Invoice.ID, nil))
	if q.Subscription != nil || inv.Status != "draft" || inv.Total != 1000 || inv.BillingReason != "quote_accept" {
		t.Errorf("%s invoice over %d, %s", inv.Status, inv.Total, inv.BillingReason)
	}
	l.time.Add(2 * 60 * 60)
	if inv = must[*stripe.Invoice](t)(l.api.Invoices.Get(inv.ID, nil)); inv.Status != "paid" {
		t.Errorf("after an hour it is %s", inv.Status)
	}
}

func TestQuotesAreRevisedUpdatedAndExpire(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, price := l.createCustomer(), l.createPrice("pro", 1000, "month")
	q := l.createQuote(c.ID, func(p *stripe.QuoteParams) {
		p.SubscriptionData = &stripe.QuoteSubscriptionDataParams{TrialPeriodDays: stripe.Int64(7)}
	}, price.ID)
	if q.Computed.Upfront.AmountTotal != 0 || q.AmountTotal != 2000 {
		t.Errorf("with a trial %d is due now, of %d", q.Computed.Upfront.AmountTotal, q.AmountTotal)
	}
	lines := l.api.Quotes.ListLineItems(&stripe.QuoteListLineItemsParams{Quote: stripe.String(q.ID)})
	lines.Next()
	q = must[*stripe.Quote](t)(l.api.Quotes.Update(q.ID, &stripe.QuoteParams{LineItems: []*stripe.QuoteLineItemParams{{ID: stripe.String(lines.LineItem().ID), Quantity: stripe.Int64(5)}}}))
	if q.AmountTotal != 5000 {
		t.Errorf("updated to %d", q.AmountTotal)
	}
	if upfront := l.api.Quotes.ListComputedUpfrontLineItems(&stripe.QuoteListComputedUpfrontLineItemsParams{Quote: stripe.String(q.ID)}); !upfront.Next() || upfront.LineItem().AmountTotal != 0 {
		t.Errorf("upfront %v", upfront.LineItem())
	}
	q = must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(q.ID, nil))
	_, err := l.api.Quotes.Update(q.ID, &stripe.QuoteParams{Description: stripe.String("x")})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	revision := must[*stripe.Quote](t)(l.api.Quotes.New(&stripe.QuoteParams{FromQuote: &stripe.QuoteFromQuoteParams{Quote: stripe.String(q.ID), IsRevision: stripe.Bool(true)}}))
	revision = must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(revision.ID, nil))
	if q = must[*stripe.Quote](t)(l.api.Quotes.Get(q.ID, nil)); q.Status != "canceled" || revision.Number != strings.TrimSuffix(q.Number, "1")+"2" {
		t.Errorf("%s %s is revised by %s", q.Status, q.Number, revision.Number)
	}
	l.time.Store(revision.ExpiresAt)
	if revision = must[*stripe.Quote](t)(l.api.Quotes.Get(revision.ID, nil)); revision.Status != "canceled" {
		t.Errorf("expired: %s", revision.Status)
	}
	listed := 0
	for it := l.api.Quotes.List(&stripe.QuoteListParams{Customer: stripe.String(c.ID), Status: stripe.String("canceled")}); it.Next(); listed++ {
	}
	if listed != 2 {
		t.Errorf("%d canceled quotes are listed, want 2", listed)
	}
	open := l.createQuote(c.ID, nil, price.ID)
	must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(open.ID, nil))
	_, err = l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(c.ID), Amount: stripe.Int64(5), Currency: stripe.String("eur")})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	empty := must[*stripe.Quote](t)(l.api.Quotes.New(&stripe.QuoteParams{}))
	_, err = l.api.Quotes.FinalizeQuote(empty.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	must[*stripe.Quote](t)(l.api.Quotes.Cancel(empty.ID, nil))
}

func TestAQuoteStartsItsSubscriptionLater(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, begin := l.payingCustomer(), l.time.Load()+10*day
	coupon := must[*stripe.Coupon](t)(l.api.Coupons.New(&stripe.CouponParams{PercentOff: stripe.Float64(10), Duration: stripe.String("once")}))
	later := func(p *stripe.QuoteParams) {
		p.Discounts = []*stripe.QuoteDiscountParams{{Coupon: stripe.String(coupon.ID)}}
		p.SubscriptionData = &stripe.QuoteSubscriptionDataParams{Description: stripe.String("From a quote"), EffectiveDate: stripe.Int64(begin)}
	}
	mixed := l.createQuote(c.ID, later, l.createPrice("basic", 500, "month").ID, l.oneTimePrice(500).ID)
	_, err := l.api.Quotes.FinalizeQuote(mixed.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	q := l.createQuote(c.ID, later, l.createPrice("pro", 1000, "month").ID)
	must[*stripe.Quote](t)(l.api.Quotes.FinalizeQuote(q.ID, nil))
	q = must[*stripe.Quote](t)(l.api.Quotes.Accept(q.ID, nil))
	if q.Subscription != nil || q.SubscriptionSchedule == nil || q.SubscriptionData.EffectiveDate != begin {
		t.Fatalf("subscription %v, schedule %v", q.Subscription, q.SubscriptionSchedule)
	}
	l.time.Store(begin)
	x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.Get(q.SubscriptionSchedule.ID, nil))
	sub := l.subscription(x.Subscription.ID)
	if sub.StartDate != begin || sub.Description != "From a quote" || sub.LatestInvoice.AmountPaid != 1800 {
		t.Errorf("since %d, %s, paid %d", sub.StartDate-begin, sub.Description, sub.LatestInvoice.AmountPaid)
	}
	if coupon = must[*stripe.Coupon](t)(l.api.Coupons.Get(coupon.ID, nil)); coupon.TimesRedeemed != 1 {
		t.Errorf("redeemed %d times", coupon.TimesRedeemed)
	}
}
