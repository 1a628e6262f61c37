package stripelocal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// tieredPrice creates a price of 1 to 5 at $7.00, 6 to 10 at $6.50, and more at $6.00 and $1.00
// once.
func (l *testServer) tieredPrice(mode string) *stripe.Price {
	l.t.Helper()
	p := &stripe.PriceParams{
		Currency: stripe.String("usd"), BillingScheme: stripe.String("tiered"), TiersMode: stripe.String(mode),
		Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")}, ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Fonts")},
		Tiers: []*stripe.PriceTierParams{
			{UpTo: stripe.Int64(5), UnitAmount: stripe.Int64(700)}, {UpTo: stripe.Int64(10), UnitAmountDecimal: stripe.Float64(650)},
			{UpToInf: stripe.Bool(true), UnitAmount: stripe.Int64(600), FlatAmount: stripe.Int64(100)},
		},
	}
	p.AddExpand("tiers")
	return must[*stripe.Price](l.t)(l.api.Prices.New(p))
}

func (l *testServer) payingCustomer() *stripe.Customer {
	l.t.Helper()
	return must[*stripe.Customer](l.t)(l.api.Customers.New(&stripe.CustomerParams{
		PaymentMethod: stripe.String("pm_card_visa"), InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String("pm_card_visa")},
	}))
}

func (l *testServer) subscribeTo(customer, price string, quantity int64) *stripe.Subscription {
	l.t.Helper()
	p := &stripe.SubscriptionParams{Customer: stripe.String(customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price), Quantity: stripe.Int64(quantity)}}}
	p.AddExpand("latest_invoice")
	return must[*stripe.Subscription](l.t)(l.api.Subscriptions.New(p))
}

func TestTiersDecideTheAmount(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for _, c := range []struct {
		mode     string
		quantity int64
		total    int64
		lines    int
	}{
		{"volume", 5, 3500, 1}, {"volume", 6, 3900, 1}, {"volume", 20, 12100, 1},
		{"graduated", 5, 3500, 1}, {"graduated", 6, 4150, 2}, {"graduated", 12, 3500 + 3250 + 1200 + 100, 3},
	} {
		sub := l.subscribeTo(l.payingCustomer().ID, l.tieredPrice(c.mode).ID, c.quantity)
		if inv := sub.LatestInvoice; inv.Total != c.total || len(inv.Lines.Data) != c.lines || sub.Status != "active" {
			t.Errorf("%d %s: %s, total %d, %d lines; want %d, %d", c.quantity, c.mode, sub.Status, inv.Total, len(inv.Lines.Data), c.total, c.lines)
		}
	}
}

// TestAQuantityOfTiersIsProrated changes 5 to 12 in the middle of a period: half of the difference
// of the two totals.
func TestAQuantityOfTiersIsProrated(t *testing.T) {
	l := start(t, stripelocal.Options{})
	sub := l.subscribeTo(l.payingCustomer().ID, l.tieredPrice("graduated").ID, 5)
	l.time.Store(sub.CurrentPeriodStart + (sub.CurrentPeriodEnd-sub.CurrentPeriodStart)/2)
	p := &stripe.SubscriptionParams{ProrationBehavior: stripe.String("always_invoice"), Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(12)}}}
	p.AddExpand("latest_invoice")
	inv := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, p)).LatestInvoice
	if inv.Total != (8050-3500)/2 || inv.Lines.Data[0].Amount != -1750 {
		t.Errorf("total %d, credit %d", inv.Total, inv.Lines.Data[0].Amount)
	}
	if credited := inv.Lines.Data[0].ProrationDetails.CreditedItems; len(credited.InvoiceLineItems) != 1 {
		t.Errorf("credits %v", credited)
	}
}

func TestTransformedQuantitiesAreBilledByPackage(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for round, want := range map[string]int64{"up": 3000, "down": 2000} {
		price := must[*stripe.Price](t)(l.api.Prices.New(&stripe.PriceParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1000), Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")},
			ProductData:       &stripe.PriceProductDataParams{Name: stripe.String("Packs")},
			TransformQuantity: &stripe.PriceTransformQuantityParams{DivideBy: stripe.Int64(5), Round: stripe.String(round)},
		}))
		if sub := l.subscribeTo(l.payingCustomer().ID, price.ID, 12); sub.LatestInvoice.Total != want {
			t.Errorf("12 in packages of 5, rounded %s: %d, want %d", round, sub.LatestInvoice.Total, want)
		}
	}
}

func TestTieredPricesAndPlansAreValidatedAndShown(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price := l.tieredPrice("graduated")
	if len(price.Tiers) != 3 || price.Tiers[1].UnitAmount != 650 || price.Tiers[2].FlatAmount != 100 || price.UnitAmountDecimal != 0 {
		t.Errorf("tiers %+v", price.Tiers)
	}
	if plain := must[*stripe.Price](t)(l.api.Prices.Get(price.ID, nil)); len(plain.Tiers) != 0 || plain.BillingScheme != "tiered" {
		t.Error("tiers are shown without being expanded")
	}
	status, body := l.call(testKey, "POST", "/v1/plans", url.Values{
		"currency": {"usd"}, "interval": {"month"}, "product[name]": {"Gold"}, "billing_scheme": {"tiered"}, "tiers_mode": {"volume"},
		"tiers[0][up_to]": {"inf"}, "tiers[0][flat_amount]": {"900"}, "expand[]": {"tiers"},
	})
	if status != http.StatusOK || !strings.Contains(string(body), `"flat_amount":900`) {
		t.Errorf("a plan with tiers: %d %s", status, body)
	}
	for _, bad := range []string{
		"tiers_mode=volume", "tiers[0][up_to]=inf&tiers[0][unit_amount]=1", "tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=1",
		"tiers_mode=volume&tiers[0][up_to]=inf", "tiers_mode=volume&tiers[0][up_to]=inf&tiers[0][unit_amount]=1&unit_amount=5",
		"tiers_mode=volume&tiers[0][up_to]=9&tiers[0][unit_amount]=1&tiers[1][up_to]=3&tiers[1][unit_amount]=1&tiers[2][up_to]=inf&tiers[2][unit_amount]=1",
		"tiers_mode=volume&tiers[0][up_to]=inf&tiers[0][unit_amount]=1&transform_quantity[divide_by]=5&transform_quantity[round]=up",
	} {
		form, _ := url.ParseQuery(bad)
		form.Set("currency", "usd")
		form.Set("product", price.Product.ID)
		form.Set("billing_scheme", "tiered")
		if status, body := l.call(testKey, "POST", "/v1/prices", form); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
}
