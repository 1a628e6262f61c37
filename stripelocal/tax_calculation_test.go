package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) calculate(country, override string, amounts ...int64) *stripe.TaxCalculation {
	l.t.Helper()
	p := &stripe.TaxCalculationParams{Currency: stripe.String("eur"), CustomerDetails: &stripe.TaxCalculationCustomerDetailsParams{
		Address: &stripe.AddressParams{Country: stripe.String(country)}, AddressSource: stripe.String("billing"),
	}}
	if override != "" {
		p.CustomerDetails.TaxabilityOverride = stripe.String(override)
	}
	for _, amount := range amounts {
		p.LineItems = append(p.LineItems, &stripe.TaxCalculationLineItemParams{Amount: stripe.Int64(amount)})
	}
	p.AddExpand("line_items")
	return must[*stripe.TaxCalculation](l.t)(l.api.TaxCalculations.New(p))
}

func TestTaxCalculationsBecomeTransactionsAndAreReversed(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c := l.calculate("DE", "", 1000, 500)
	if c.TaxAmountExclusive != 285 || c.AmountTotal != 1785 || c.TaxBreakdown[0].TaxRateDetails.PercentageDecimal != "19.0" || len(c.LineItems.Data) != 2 {
		t.Errorf("%d of %d, %+v", c.TaxAmountExclusive, c.AmountTotal, c.TaxBreakdown)
	}
	sale := must[*stripe.TaxTransaction](t)(l.api.TaxTransactions.CreateFromCalculation(&stripe.TaxTransactionCreateFromCalculationParams{Calculation: stripe.String(c.ID), Reference: stripe.String("order_1")}))
	_, err := l.api.TaxTransactions.CreateFromCalculation(&stripe.TaxTransactionCreateFromCalculationParams{Calculation: stripe.String(c.ID), Reference: stripe.String("order_1")})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	lines := l.api.TaxTransactions.ListLineItems(&stripe.TaxTransactionListLineItemsParams{Transaction: stripe.String(sale.ID)})
	lines.Next()
	first := lines.TaxTransactionLineItem()
	reverse := func(mode, reference string, amount, tax int64) (*stripe.TaxTransaction, error) {
		p := &stripe.TaxTransactionCreateReversalParams{Mode: stripe.String(mode), OriginalTransaction: stripe.String(sale.ID), Reference: stripe.String(reference)}
		if mode == "partial" {
			p.LineItems = []*stripe.TaxTransactionCreateReversalLineItemParams{{Amount: stripe.Int64(amount), AmountTax: stripe.Int64(tax), OriginalLineItem: stripe.String(first.ID), Reference: stripe.String("r")}}
		}
		p.AddExpand("line_items")
		return l.api.TaxTransactions.CreateReversal(p)
	}
	must[*stripe.TaxTransaction](t)(reverse("partial", "refund_1", -400, -76))
	_, err = reverse("partial", "refund_2", -700, -1)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	rest := must[*stripe.TaxTransaction](t)(reverse("full", "refund_3", 0, 0))
	if rest.Type != "reversal" || rest.Reversal.OriginalTransaction != sale.ID || rest.LineItems.Data[0].Amount != -600 || rest.LineItems.Data[0].AmountTax != -114 {
		t.Errorf("%+v", rest.LineItems.Data[0])
	}
	must[*stripe.TaxTransaction](t)(l.api.TaxTransactions.Get(rest.ID, nil))
	l.time.Add(91 * 24 * 60 * 60)
	_, err = l.api.TaxTransactions.CreateFromCalculation(&stripe.TaxTransactionCreateFromCalculationParams{Calculation: stripe.String(c.ID), Reference: stripe.String("order_2")})
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

func TestTaxDependsOnAddressOverrideAndRegistrations(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for _, c := range []struct {
		country, override string
		tax               int64
		reason            stripe.TaxCalculationTaxBreakdownTaxabilityReason
	}{{"FR", "", 200, "standard_rated"}, {"US", "", 0, "not_collecting"}, {"FR", "reverse_charge", 0, "reverse_charge"}, {"FR", "customer_exempt", 0, "customer_exempt"}} {
		if got := l.calculate(c.country, c.override, 1000); got.TaxAmountExclusive != c.tax || got.TaxBreakdown[0].TaxabilityReason != c.reason {
			t.Errorf("%s %s: %d, %s", c.country, c.override, got.TaxAmountExclusive, got.TaxBreakdown[0].TaxabilityReason)
		}
	}
	registration := l.create(testKey, "/v1/tax/registrations", map[string][]string{"country": {"DE"}, "active_from": {"now"}, "country_options[de][type]": {"standard"}})
	if french, german := l.calculate("FR", "", 1000), l.calculate("DE", "", 1000); french.TaxAmountExclusive != 0 || german.TaxAmountExclusive != 190 {
		t.Errorf("registered in DE: %d in FR, %d in DE", french.TaxAmountExclusive, german.TaxAmountExclusive)
	}
	if shop := must[*stripe.TaxRegistration](t)(l.api.TaxRegistrations.Update(registration, &stripe.TaxRegistrationParams{ExpiresAtNow: stripe.Bool(true)})); shop.Status != "expired" {
		t.Errorf("%s", shop.Status)
	}
	l.create(testKey, "/v1/tax/registrations", map[string][]string{"country": {"IE"}, "active_from": {"now"}, "country_options[ie][type]": {"oss_union"}})
	if french := l.calculate("FR", "", 1000); french.TaxAmountExclusive != 200 {
		t.Errorf("by the One Stop Shop: %d", french.TaxAmountExclusive)
	}
	if it := l.api.TaxRegistrations.List(&stripe.TaxRegistrationListParams{Status: stripe.String("active")}); !it.Next() || it.TaxRegistration().Country != "IE" || it.Next() {
		t.Error("the list does not filter")
	}
	must[*stripe.TaxSettings](t)(l.api.TaxSettings.Update(&stripe.TaxSettingsParams{Defaults: &stripe.TaxSettingsDefaultsParams{TaxBehavior: stripe.String("inclusive"), TaxCode: stripe.String("txcd_10103001")}}))
	if c := l.calculate("FR", "", 1200); c.TaxAmountInclusive != 200 || c.AmountTotal != 1200 || c.LineItems.Data[0].TaxCode != "txcd_10103001" {
		t.Errorf("inclusive: %d of %d", c.TaxAmountInclusive, c.AmountTotal)
	}
	must[*stripe.TaxCode](t)(l.api.TaxCodes.Get("txcd_10103001", nil))
	_, err := l.api.TaxCodes.Get("txcd_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}
