package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// createPrice creates a price at the account of newStripeAccount.
func createPrice(t *testing.T, environment []string, form url.Values) (id string) {
	t.Helper()
	apiBase := strings.TrimPrefix(environment[1], "STRIPE_API_BASE=")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, apiBase+"/v1/prices", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("sk_test_1234567890abcdef", "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	var price struct{ ID string }
	if err := json.Unmarshal(body, &price); err != nil || price.ID == "" {
		t.Fatalf("%s: %v", body, err)
	}
	return price.ID
}

// writePlans writes a plan file and returns the variable for it.
func writePlans(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "plans.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "PLANS_FILE=" + name
}

// A price without a tax behavior is repaired in place; the opposite one needs a new price.
func TestPlansPushSetsTaxBehavior(t *testing.T) {
	environment := newStripeAccount(t)
	form := url.Values{"currency": {"usd"}, "unit_amount": {"2900"}, "recurring[interval]": {"month"}, "product_data[name]": {"Pro"}, "lookup_key": {"pro_month"}}
	created := createPrice(t, environment, form)
	const plans = `
[[plan]]
id = "pro"
name = "Pro"
[[plan.price]]
interval = "month"
amount = 29
lookup_key = "pro_month"
`
	exclusive, inclusive := writePlans(t, plans), writePlans(t, `tax_behavior = "inclusive"`+plans)
	for i, step := range []struct {
		file, subcommand, result, difference string
		sameID                               bool
	}{
		{exclusive, "diff", "differs", "tax_behavior is unspecified at Stripe, exclusive in the plan file: it can be set once", true},
		{exclusive, "push", "updated", "", true},
		{exclusive, "diff", "unchanged", "", true},
		{inclusive, "diff", "differs", "tax_behavior is exclusive at Stripe for good, inclusive in the plan file: that needs a new price", true},
		{inclusive, "push", "created", "", false},
		{inclusive, "diff", "unchanged", "", false},
		{inclusive, "push", "unchanged", "", false},
	} {
		results := runPlansCommand(t, step.subcommand, append(slices.Clone(environment), step.file))
		if len(results) != 1 || results[0].Result != step.result || strings.Join(results[0].Differences, "") != step.difference ||
			(results[0].PriceID == created) != step.sameID {
			t.Errorf("step %d, plans %s: %+v", i, step.subcommand, results)
		}
	}
	_, stdout, _ := runCommand(t, []string{"plans", "diff"}, append(slices.Clone(environment), exclusive)...)
	if !strings.Contains(stdout, "that needs a new price") {
		t.Errorf("the text shows no difference: %s", stdout)
	}
}

// Each price id that the file does not describe is an error of serve, all at once; the doctor and
// plans diff say it too.
func TestServeRefusesPriceIDsOfAnotherKind(t *testing.T) {
	environment := newStripeAccount(t)
	price := func(form url.Values) string {
		form.Set("product_data[name]", "Pro")
		return createPrice(t, environment, form)
	}
	yearly := price(url.Values{"currency": {"usd"}, "unit_amount": {"29000"}, "recurring[interval]": {"year"}})
	euros := price(url.Values{"currency": {"eur"}, "unit_amount": {"29000"}, "recurring[interval]": {"year"}})
	once := price(url.Values{"currency": {"usd"}, "unit_amount": {"900"}})
	file := writePlans(t, `
[[plan]]
id = "pro"
name = "Pro"
[[plan.price]]
interval = "month"
amount = 29
price_id = "`+yearly+`"
[[plan.price]]
interval = "year"
amount = 290
price_id = "`+euros+`"

[[plan]]
id = "starter"
name = "Starter"
[[plan.price]]
interval = "month"
amount = 9
price_id = "`+once+`"
[[plan.price]]
interval = "year"
amount = 90
price_id = "price_live"
`)
	want := []string{
		`plan pro, price per month: price_id "` + yearly + `": the interval is year at Stripe, month in the plan file`,
		`plan pro, price per year: price_id "` + euros + `": the currency is EUR at Stripe, USD in the plan file`,
		`plan starter, price per month: price_id "` + once + `": the type is one-time at Stripe, recurring in the plan file`,
		`plan starter, price per year: price_id "price_live": there is no such price in this account and mode`,
		"name a price that fits, or correct the plan file",
	}
	environment = append(environment, file, "STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef", "DATA_DIR="+newDataDir(t))
	expectAll := func(what, text string) {
		t.Helper()
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("%s does not say %q:\n%s", what, line, text)
			}
		}
	}
	_, stdout, _ := runCommand(t, []string{"doctor"}, environment...)
	expectAll("doctor", stdout)
	for _, r := range runPlansCommand(t, "diff", environment) {
		if r.Result != "differs" && r.PriceID != "price_live" || r.Result != "missing" && r.PriceID == "price_live" {
			t.Errorf("diff: %+v", r)
		}
	}
	code, _, stderr := runCommand(t, []string{"serve"}, append(environment, "ADDR=127.0.0.1:0")...)
	if code == exitOK {
		t.Fatal("serve has started")
	}
	expectAll("serve", stderr)
}
