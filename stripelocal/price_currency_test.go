package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// euroPrice creates a price of $10.00 or €9.00 a month.
func (l *testServer) euroPrice() *stripe.Price {
	l.t.Helper()
	p := &stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1000), Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")},
		ProductData:     &stripe.PriceProductDataParams{Name: stripe.String("Pro")},
		CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"eur": {UnitAmount: stripe.Int64(900)}},
	}
	p.AddExpand("currency_options")
	return must[*stripe.Price](l.t)(l.api.Prices.New(p))
}

func TestPricesHaveAmountsInOtherCurrencies(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price, c := l.euroPrice(), l.payingCustomer()
	if price.CurrencyOptions["eur"].UnitAmount != 900 || price.CurrencyOptions["usd"].UnitAmount != 1000 {
		t.Errorf("%+v", price.CurrencyOptions)
	}
	p := &stripe.SubscriptionParams{Customer: stripe.String(c.ID), Currency: stripe.String("eur"), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price.ID), Quantity: stripe.Int64(2)}}}
	p.AddExpand("latest_invoice")
	sub := must[*stripe.Subscription](t)(l.api.Subscriptions.New(p))
	if sub.Currency != "eur" || sub.LatestInvoice.Currency != "eur" || sub.LatestInvoice.Total != 1800 || sub.Status != "active" {
		t.Fatalf("%s %s: %d %s", sub.Status, sub.Currency, sub.LatestInvoice.Total, sub.LatestInvoice.Currency)
	}
	l.time.Store(sub.CurrentPeriodStart + (sub.CurrentPeriodEnd-sub.CurrentPeriodStart)/2)
	u := &stripe.SubscriptionParams{ProrationBehavior: stripe.String("always_invoice"), Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(4)}}}
	u.AddExpand("latest_invoice")
	if sub = must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, u)); sub.LatestInvoice.Total != 900 || sub.LatestInvoice.Currency != "eur" {
		t.Errorf("prorated %d %s", sub.LatestInvoice.Total, sub.LatestInvoice.Currency)
	}
	l.time.Store(sub.CurrentPeriodEnd + 2*60*60)
	if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 3600 || inv.Status != "paid" {
		t.Errorf("the renewal is %s over %d", inv.Status, inv.Total)
	}
	second := l.subscribeTo(c.ID, price.ID, 1)
	if second.Currency != "eur" {
		t.Errorf("the customer's currency is not taken: %s", second.Currency)
	}
	_, err := l.api.Subscriptions.New(&stripe.SubscriptionParams{Customer: stripe.String(l.payingCustomer().ID), Currency: stripe.String("gbp"), Items: p.Items})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestCheckoutAndItemsInAnotherCurrency(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price := l.euroPrice()
	cs := l.createCheckoutSession(l.createCustomer().ID, price.ID, 3, func(p *stripe.CheckoutSessionParams) { p.Currency = stripe.String("eur") })
	l.submitCheckout(cs.URL, "4242424242424242")
	sub := l.subscriptionOfSession(cs.ID)
	if cs.AmountTotal != 2700 || cs.Currency != "eur" || sub.Currency != "eur" || sub.LatestInvoice.AmountPaid != 2700 {
		t.Errorf("%d %s, %s paid %d", cs.AmountTotal, cs.Currency, sub.Currency, sub.LatestInvoice.AmountPaid)
	}
	p := &stripe.PriceParams{CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"gbp": {UnitAmount: stripe.Int64(800)}}}
	p.AddExpand("currency_options")
	if price = must[*stripe.Price](t)(l.api.Prices.Update(price.ID, p)); len(price.CurrencyOptions) != 3 {
		t.Errorf("%v", price.CurrencyOptions)
	}
	for _, bad := range []map[string]*stripe.PriceCurrencyOptionsParams{{"usd": {UnitAmount: stripe.Int64(1)}}, {"xxx": {UnitAmount: stripe.Int64(1)}}, {"eur": {UnitAmount: stripe.Int64(-1)}}} {
		_, err := l.api.Prices.Update(price.ID, &stripe.PriceParams{CurrencyOptions: bad})
		if err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
