package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) taxRate(percent float64, inclusive bool) string {
	l.t.Helper()
	return must[*stripe.TaxRate](l.t)(l.api.TaxRates.New(&stripe.TaxRateParams{
		DisplayName: stripe.String("VAT"), Percentage: stripe.Float64(percent), Inclusive: stripe.Bool(inclusive),
	})).ID
}

// A rate adds to the total, or is contained in it; a discount reduces what is taxed.
func TestTaxRatesOnInvoices(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	half := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")})
	for name, c := range map[string]struct {
		inclusive                             bool
		subtotal, tax, total, totalWithoutTax int64
	}{
		"exclusive": {false, 2000, 190, 1190, 1000},
		"inclusive": {true, 2000, 160, 1000, 840},
	} {
		k := l.createOnTestClock("pm_card_visa")
		price := must[*stripe.Price](t)(l.api.Prices.New(&stripe.PriceParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1000), Product: stripe.String(must[*stripe.Product](t)(l.api.Products.New(&stripe.ProductParams{Name: stripe.String("Pro")})).ID),
			Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")},
		}))
		sub := k.subscribe(price.ID, 2, func(p *stripe.SubscriptionParams) {
			p.Coupon, p.DefaultTaxRates = stripe.String(half.ID), stripe.StringSlice([]string{l.taxRate(19, c.inclusive)})
		})
		inv := l.invoice(l.subscription(sub.ID).LatestInvoice.ID)
		if inv.Subtotal != c.subtotal || inv.Tax != c.tax || inv.Total != c.total || inv.TotalExcludingTax != c.totalWithoutTax || inv.AmountPaid != c.total {
			t.Errorf("%s: subtotal %d, tax %d, total %d, without tax %d, paid %d", name, inv.Subtotal, inv.Tax, inv.Total, inv.TotalExcludingTax, inv.AmountPaid)
		}
		if len(inv.TotalTaxAmounts) != 1 || inv.TotalTaxAmounts[0].Inclusive != c.inclusive || inv.TotalTaxAmounts[0].Amount != c.tax {
			t.Errorf("%s: amounts %+v", name, inv.TotalTaxAmounts)
		}
		next := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))
		if next.Total != c.total || next.Tax != c.tax {
			t.Errorf("%s: the preview has tax %d, total %d", name, next.Tax, next.Total)
		}
	}
}

// The tax of an address is shown before it is paid: the form that brings the address shows the page
// again with the new total, and the invoice has it.
func TestAutomaticTaxIsShownBeforeItIsPaid(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 3, func(p *stripe.CheckoutSessionParams) {
		p.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
		p.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Address: stripe.String("auto")}
	})
	if cs.AmountTotal != 3000 || cs.AutomaticTax.Status != "requires_location_inputs" {
		t.Errorf("before: %d, %s", cs.AmountTotal, cs.AutomaticTax.Status)
	}
	fields := card("4242424242424242")
	for name, value := range map[string]string{"email": "ada@example.com", "line1": "1 High St", "postal_code": "10115", "city": "Berlin", "country": "DE"} {
		fields.Set(name, value)
	}
	if shown := l.browse("POST", cs.URL, fields); shown.status != 200 || !strings.Contains(shown.body, "$35.70") || !strings.Contains(shown.body, "VAT 19%") {
		t.Fatalf("the first time: %d %s", shown.status, shown.body)
	}
	if done := l.browse("POST", cs.URL, fields); done.status != 303 {
		t.Fatalf("the second time: %d %s", done.status, done.body)
	}
	sub := l.subscriptionOfSession(cs.ID)
	after := l.session(cs.ID)
	if sub.LatestInvoice.AmountPaid != 3570 || after.AmountTotal != 3570 || after.TotalDetails.AmountTax != 570 || after.AutomaticTax.Status != "complete" {
		t.Errorf("paid %d, session %d, tax %d, %s", sub.LatestInvoice.AmountPaid, after.AmountTotal, after.TotalDetails.AmountTax, after.AutomaticTax.Status)
	}
}

func TestConsentAndSavedCards(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	terms := func(p *stripe.CheckoutSessionParams) {
		p.ConsentCollection = &stripe.CheckoutSessionConsentCollectionParams{TermsOfService: stripe.String("required")}
		p.SavedPaymentMethodOptions = &stripe.CheckoutSessionSavedPaymentMethodOptionsParams{AllowRedisplayFilters: stripe.StringSlice([]string{"always", "limited"})}
	}
	first := l.createCheckoutSession(c.ID, l.createPrice("pro", 1000, "month").ID, 1, terms)
	fields := card("4242424242424242")
	fields.Set("email", "ada@example.com")
	if no := l.browse("POST", first.URL, fields); no.status != 422 || !strings.Contains(no.body, `id="termsOfService-error"`) {
		t.Fatalf("without consent: %d %s", no.status, no.body)
	}
	fields.Set("termsOfService", "1")
	l.browse("POST", first.URL, fields)
	if after := l.session(first.ID); after.Status != "complete" || after.Consent.TermsOfService != "accepted" {
		t.Errorf("session %s, consent %+v", after.Status, after.Consent)
	}
	again := l.createCheckoutSession(c.ID, l.createPrice("other", 500, "month").ID, 1, terms)
	page := l.browse("GET", again.URL, nil)
	_, id, _ := strings.Cut(page.body, `name="savedCard" value="`)
	id, _, _ = strings.Cut(id, `"`)
	if done := l.browse("POST", again.URL, url.Values{"email": {"ada@example.com"}, "savedCard": {id}, "termsOfService": {"1"}}); done.status != 303 {
		t.Errorf("with the saved card %q: %d %s", id, done.status, done.body)
	}
	l.SetWithoutTerms(true)
	_, err := l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("subscription"), Customer: stripe.String(c.ID), SuccessURL: stripe.String("https://app.test/ok"),
		LineItems:         []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(l.createPrice("third", 500, "month").ID), Quantity: stripe.Int64(1)}},
		ConsentCollection: &stripe.CheckoutSessionConsentCollectionParams{TermsOfService: stripe.String("required")},
	})
	wantError(t, err, 400, "", "invalid_request_error")
}
