package catalog

import (
	"strings"
	"testing"
)

func TestDraftPlans(t *testing.T) {
	usd := func(minor int64) Money { return Money{Minor: minor, Currency: "usd"} }
	draft := DraftPlans([]StripePrice{
		{ID: "price_new", ProductID: "prod_pro", ProductName: "Pro \"plus\"", Amount: usd(2950), Interval: Monthly, TaxBehavior: TaxExclusive},
		{ID: "price_key", ProductID: "prod_pro", ProductName: "Pro \"plus\"", LookupKey: "pro_month", Amount: usd(2900), Interval: Monthly, TaxBehavior: TaxInclusive},
		{ID: "price_year", ProductID: "prod_pro", ProductName: "Pro \"plus\"", Amount: usd(29000), Interval: Yearly},
		{ID: "price_eur", ProductID: "prod_pro", ProductName: "Pro \"plus\"", Amount: Money{Minor: 100, Currency: "eur"}, Interval: Yearly},
		{ID: "price_small", ProductID: "prod_small", ProductName: "Pro plus", Amount: usd(500), Interval: Monthly, TaxBehavior: TaxExclusive},
		{ID: "price_yen", ProductID: "prod_yen", ProductName: "日本", Amount: Money{Minor: 900, Currency: "jpy"}, Interval: Monthly, TaxBehavior: TaxExclusive},
		{ID: "price_tiers", ProductID: "prod_t", ProductName: "Tiers", Interval: Monthly, Model: ModelTiered},
		{ID: "price_quarter", ProductID: "prod_q", ProductName: "Quarter", Amount: usd(1), Interval: "3 month"},
		{ID: "price_once", ProductID: "prod_o", ProductName: "Once", Amount: usd(1)},
		{ID: "price_free", ProductID: "prod_f", ProductName: "Free", Interval: Monthly, Amount: usd(0)},
	})
	plans, err := ParsePlans("draft", []byte(draft.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, draft.Text)
	}
	var got []string
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			got = append(got, strings.Join([]string{plan.ID, plan.Name, string(price.Interval), price.Amount.Decimal(), price.Amount.Currency, price.LookupKey, price.ID,
				string(price.TaxBehavior), strings.Join(price.FormerIDs, " ")}, "|"))
		}
	}
	want := []string{
		"pro-plus-2|Pro plus|month|5.00|usd||price_small|exclusive|",
		"plan|日本|month|900|jpy||price_yen|exclusive|",
		`pro-plus|Pro "plus"|month|29.00|usd|pro_month||inclusive|price_new`,
		`pro-plus|Pro "plus"|year|290.00|usd||price_year|unspecified|`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s\nof\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), draft.Text)
	}
	var left []string
	for _, l := range draft.LeftOut {
		left = append(left, l.PriceID)
	}
	if strings.Join(left, " ") != "price_eur price_tiers price_quarter price_once price_free" {
		t.Errorf("left out %+v", draft.LeftOut)
	}
}
