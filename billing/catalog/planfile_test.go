package catalog

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestBuiltInPlans(t *testing.T) {
	plans := BuiltInPlans()
	var lines []string
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			lines = append(lines, strings.Join([]string{plan.ID, string(price.Interval), price.Amount.Format(), price.LookupKey}, " "))
		}
	}
	want := []string{
		"starter month $9.00 usher_starter_month", "starter year $90.00 usher_starter_year",
		"pro month $29.00 usher_pro_month", "pro year $290.00 usher_pro_year",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got prices\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	starter, pro := plans.Plans[0], plans.Plans[1]
	if starter.Credits != 100 || pro.Credits != 1000 || !starter.PerSeat || !pro.PerSeat || !pro.Highlighted {
		t.Errorf("the plans are %+v", plans.Plans)
	}
	if !slices.Equal(starter.Features, []string{"Feature A", "Feature B"}) || len(pro.Features) != 3 {
		t.Errorf("features are %q and %q", starter.Features, pro.Features)
	}
	if starter.GraceDays != 7 || starter.ProrationOnIncrease != "" || starter.ProrationOnDecrease != "" {
		t.Errorf("defaults are %+v", starter)
	}
}

func TestParsePlansReadsEveryKey(t *testing.T) {
	plans, err := ParsePlans("plans.toml", []byte(`
currency = "EUR"
[[plan]]
id = "team"
name = "Team"
description = "For teams"
per_seat = true
credits = 5
features = ["One", "Two"]
entitlements = ["sso", "audit_log"]
trial_days = 14
seat_minimum = 3
seat_maximum = 50
grace_days = 0
proration_on_increase = "always_invoice"
proration_on_decrease = "none"
highlighted = true
[[plan.price]]
interval = "month"
amount = "9.50"
lookup_key = "team_month"
[[plan.price]]
interval = "year"
amount = 95
currency = "eur"
price_id = "price_123"
proration_on_increase = "monthly"
proration_on_decrease = "at_renewal"
`))
	if err != nil {
		t.Fatal(err)
	}
	plan := plans.Plans[0]
	if plan.SeatMinimum != 3 || plan.SeatMaximum != 50 || plan.TrialDays != 14 || plan.GraceDays != 0 || plan.Credits != 5 {
		t.Errorf("numbers are %+v", plan)
	}
	if plan.ProrationOnIncrease != ProrationAlwaysInvoice || plan.ProrationOnDecrease != ProrationNone {
		t.Errorf("prorations are %q and %q", plan.ProrationOnIncrease, plan.ProrationOnDecrease)
	}
	if price := plan.Prices[1]; price.ProrationOnIncrease != ProrationMonthly || price.ProrationOnDecrease != ProrationAtRenewal {
		t.Errorf("prorations of the yearly price are %q and %q", price.ProrationOnIncrease, price.ProrationOnDecrease)
	}
	if !slices.Equal(plan.Entitlements, []string{"sso", "audit_log"}) || plan.Description != "For teams" || !plan.Highlighted {
		t.Errorf("other keys are %+v", plan)
	}
	month, year := plan.Prices[0], plan.Prices[1]
	if month.Amount != (Money{Minor: 950, Currency: "eur"}) || month.LookupKey != "team_month" || month.ID != "" {
		t.Errorf("the monthly price is %+v", month)
	}
	if year.Amount != (Money{Minor: 9500, Currency: "eur"}) || year.LookupKey != "" || year.ID != "price_123" {
		t.Errorf("the yearly price is %+v", year)
	}
}

const goodPrice = "[[plan.price]]\ninterval = \"month\"\namount = 9\nlookup_key = \"a_month\"\n"

// planWith returns a plan file that is valid except for the given lines.
func planWith(lines string) string {
	return "[[plan]]\nid = \"a\"\nname = \"A\"\n" + lines + "\n" + goodPrice
}

// priceWith returns a plan file that is valid except for the lines of its only price.
func priceWith(lines string) string {
	return "[[plan]]\nid = \"a\"\nname = \"A\"\n[[plan.price]]\n" + lines + "\n"
}

// amountOf returns a plan file that is valid except for its amount.
func amountOf(amount, currency string) string {
	return priceWith("interval = \"month\"\nlookup_key = \"k\"\namount = " + amount + "\ncurrency = \"" + currency + "\"")
}

func TestParsePlansRejects(t *testing.T) {
	second := "[[plan]]\nid = \"b\"\nname = \"B\"\n"
	tests := map[string]struct{ file, want string }{
		"nothing":              {"", "f: there is no plan in it"},
		"no TOML":              {"[[plan]]\nid = \"a\"\nname = A\n", "f, line 3: "},
		"a key twice":          {"[[plan]]\nid = \"a\"\nid = \"b\"\n", "f, line 3: "},
		"plan as one table":    {"[plan]\nid = \"a\"", "plan must be written with two brackets, [[plan]]"},
		"unknown key of file":  {"plans = 1\n" + planWith(""), `f: key "plans" is not known; there are currency, tax_behavior, checkout, plan`},
		"unknown key of plan":  {planWith("per_seats = true"), `plan 1 (a): key "per_seats" is not known; there are id, name,`},
		"unknown key of price": {goodFileWithPriceKey("intervall = 1"), `plan 1 (a), price 1 (month): key "intervall" is not known`},
		"no id":                {"[[plan]]\nname = \"A\"\n" + goodPrice, "plan 1: id is missing"},
		"empty name":           {"[[plan]]\nid = \"a\"\nname = \" \"\n" + goodPrice, "plan 1 (a): name is missing"},
		"id with spaces":       {"[[plan]]\nid = \"A b\"\nname = \"A\"\n" + goodPrice, `id "A b" will not do`},
		"same id":              {planWith("") + "[[plan]]\nid = \"a\"\nname = \"B\"\n" + strings.Replace(goodPrice, "a_month", "b_month", 1), `plan 2 (a): an earlier plan has the id "a" already`},
		"same lookup key":      {planWith("") + second + goodPrice, `plan 2 (b), price 1 (month): "a_month" is the price of plan 1 (a), price 1 (month) already`},
		"same interval":        {planWith("") + strings.Replace(goodPrice, "a_month", "b_month", 1), "plan 1 (a), price 2 (month): the plan has a price per month already"},
		"two currencies":       {planWith("") + "[[plan.price]]\ninterval = \"year\"\namount = 90\ncurrency = \"EUR\"\nlookup_key = \"y\"", "its currency is EUR, another price of the plan has USD"},
		"two highlighted":      {planWith("highlighted = true") + second + "highlighted = true\n" + strings.Replace(goodPrice, "a_month", "b", 1), "plan a is highlighted already"},
		"no price":             {"[[plan]]\nid = \"a\"\nname = \"A\"", "plan 1 (a): it has no price"},
		"both references":      {priceWith("interval = \"month\"\namount = 9\nlookup_key = \"k\"\nprice_id = \"price_1\""), "lookup_key and price_id are both given"},
		"no reference":         {priceWith("interval = \"month\"\namount = 9"), "neither lookup_key nor price_id is given"},
		"a product":            {priceWith("interval = \"month\"\namount = 9\nprice_id = \"prod_1\""), `price_id "prod_1" is a product`},
		"unknown interval":     {priceWith("interval = \"week\"\namount = 9\nlookup_key = \"k\""), `interval "week" is not known: month or year`},
		"no interval":          {priceWith("amount = 9\nlookup_key = \"k\""), "interval is missing"},
		"no amount":            {priceWith("interval = \"month\"\nlookup_key = \"k\""), "amount is missing"},
		"min over max":         {planWith("seat_minimum = 5\nseat_maximum = 4"), "seat_minimum 5 is more than seat_maximum 4"},
		"seats of a flat plan": {planWith("per_seat = false\nseat_minimum = 5"), "mean nothing with per_seat = false"},
		"negative credits":     {planWith("credits = -1"), "credits is -1, it must be from 0 to"},
		"credits as text":      {planWith(`credits = "100"`), "credits must be a whole number, without quotes"},
		"flag as text":         {planWith(`per_seat = "yes"`), "per_seat must be true or false"},
		"name as number":       {"[[plan]]\nid = \"a\"\nname = 5\n" + goodPrice, "name must be a text in quotes"},
		"features as text":     {planWith(`features = "One"`), "features must be a list of texts"},
		"features of numbers":  {planWith(`features = [1]`), "features holds 1, which is no text in quotes"},
		"a feature twice":      {planWith(`features = ["One", "One"]`), `features holds "One" twice`},
		"an entitlement":       {planWith(`entitlements = ["Single sign-on"]`), `entitlement "Single sign-on" is no key`},
		"an unknown proration": {planWith(`proration_on_increase = "always"`), `proration_on_increase "always" is not known: create_prorations, monthly, always_invoice or none`},
		"trial too long":       {planWith("trial_days = 731"), "trial_days is 731, it must be from 0 to 730"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePlans("f", []byte(test.file))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error\n%v\nwant one containing\n%s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("several mistakes reported for one:\n%v", err)
			}
		})
	}
}

func goodFileWithPriceKey(line string) string { return planWith("") + line + "\n" }

func TestParsePlansReportsEveryMistake(t *testing.T) {
	_, err := ParsePlans("f", []byte("[[plan]]\nid = \"a\"\ncolour = \"red\"\n[[plan.price]]\ninterval = \"week\"\namount = \"9,5\"\n"))
	if err == nil {
		t.Fatal("an invalid file was accepted")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != 5 {
		t.Errorf("%d mistakes reported, want 5 (name, interval, amount, reference, colour):\n%v", len(got), err)
	}
}

func TestPlanFileAmounts(t *testing.T) {
	tests := []struct {
		amount, currency string
		minor            int64
		mistake          string
	}{
		{"9", "USD", 900, ""},
		{`"9"`, "USD", 900, ""},
		{`"9.5"`, "USD", 950, ""},
		{`"0.01"`, "USD", 1, ""},
		{"0", "USD", 0, ""},
		{`"4.35"`, "USD", 435, ""}, // 434 with floating point and truncation
		{"500", "JPY", 500, ""},
		{`"1.250"`, "KWD", 1250, ""},
		{"1500", "ISK", 150000, ""},
		{"5", "MGA", 5, ""},
		{"9", "huf", 900, ""},
		{"9.5", "USD", 0, "must stand in quotes"},
		{"true", "USD", 0, "must be a number"},
		{`"9.505"`, "USD", 0, "more decimals than the currency has (2)"},
		{`"500.0"`, "JPY", 0, "more decimals than the currency has (0)"},
		{`"1.255"`, "KWD", 0, "only KWD amounts with a third decimal of 0"},
		{`"1500.50"`, "ISK", 0, "only whole ISK"},
		{`"1500.50"`, "UGX", 0, "only whole UGX"},
		{"-9", "USD", 0, "an amount cannot be negative"},
		{`"-0.01"`, "USD", 0, "an amount cannot be negative"},
		{`"9,50"`, "USD", 0, "not a decimal number"},
		{`"$9"`, "USD", 0, "not a decimal number"},
		{`"9."`, "USD", 0, "not a decimal number"},
		{`".5"`, "USD", 0, "not a decimal number"},
		{`""`, "USD", 0, "not a decimal number"},
		{`"1e3"`, "USD", 0, "not a decimal number"},
		{`"99999999999999999999"`, "USD", 0, "more than Stripe takes"},
		{"9", "DOLLAR", 0, `currency "DOLLAR" is not known`},
		{"9", "XQQ", 0, `currency "XQQ" is not known`},
	}
	for _, test := range tests {
		t.Run(test.amount+" "+test.currency, func(t *testing.T) {
			plans, err := ParsePlans("f", []byte(amountOf(test.amount, test.currency)))
			if test.mistake != "" {
				if err == nil || !strings.Contains(err.Error(), test.mistake) {
					t.Errorf("got error %v, want one containing %q", err, test.mistake)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Money{Minor: test.minor, Currency: strings.ToLower(test.currency)}
			if got := plans.Plans[0].Prices[0].Amount; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// Decimal is the inverse of parseMinor.
func FuzzParseMinor(f *testing.F) {
	for _, seed := range []string{"9", "9.50", "0.010", "-1", ".5", "1e3", "١٢"} {
		f.Add(seed, "USD")
	}
	f.Fuzz(func(t *testing.T, text, code string) {
		minor, err := parseMinor(text, Exponent(code))
		if err != nil {
			return
		}
		written := Money{Minor: minor, Currency: code}.Decimal()
		again, err := parseMinor(written, Exponent(code))
		if err != nil || again != minor || minor < 0 {
			t.Errorf("%q is %d, written as %q and read again as %d, %v", text, minor, written, again, err)
		}
	})
}

func FuzzParsePlans(f *testing.F) {
	f.Add(string(builtInPlans))
	f.Add("plan = [1]")
	f.Add("[[plan]]\nprice = [[]]\n")
	f.Add("plan = []\n")
	f.Fuzz(func(t *testing.T, file string) {
		plans, err := ParsePlans("f", []byte(file))
		if err == nil && len(plans.Plans) == 0 {
			t.Error("a file without plans was accepted")
		}
	})
}

func TestParsePlansReadsPacks(t *testing.T) {
	const plan = "[[plan]]\nid = \"a\"\nname = \"A\"\n[[plan.price]]\ninterval = \"month\"\namount = 9\nlookup_key = \"a\"\n"
	pack := func(lines ...string) string { return plan + "[[pack]]\n" + strings.Join(lines, "\n") + "\n" }
	got, err := ParsePlans("f", []byte(pack(`id = "p"`, `name = "500 credits"`, `credits = 500`, `amount = "9.50"`, `currency = "EUR"`, `lookup_key = "pack"`)))
	want := Pack{ID: "p", Name: "500 credits", Credits: 500, Price: Price{LookupKey: "pack", Amount: Money{Minor: 950, Currency: "eur"}, TaxBehavior: TaxExclusive}}
	if err != nil || len(got.Packs) != 1 || !reflect.DeepEqual(got.Packs[0], want) {
		t.Errorf("got %+v, %v", got.Packs, err)
	}
	for text, says := range map[string]string{
		pack(`id = "p"`, `name = "P"`, `amount = 9`, `lookup_key = "k"`):                                      "credits is missing",
		pack(`id = "p"`, `name = "P"`, `credits = 5`, `amount = 9`):                                           "neither lookup_key nor price_id",
		pack(`id = "p"`, `name = "P"`, `credits = 5`, `amount = 9`, `lookup_key = "a"`):                       "is the price of plan 1",
		pack(`id = "p"`, `name = "P"`, `credits = 5`, `amount = 9`, `lookup_key = "k"`, `interval = "month"`): `key "interval" is not known`,
		pack(`name = "P"`, `credits = 5`, `amount = 9`, `lookup_key = "k"`):                                   "id is missing",
	} {
		if _, err := ParsePlans("f", []byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\n%v, want %q", text, err, says)
		}
	}
}

func TestParsePlansReadsTaxBehaviorAndFormerPrices(t *testing.T) {
	const price = "[[plan]]\nid = \"a\"\nname = \"A\"\n[[plan.price]]\ninterval = \"month\"\namount = 9\nlookup_key = \"a\"\n"
	for name, test := range map[string]struct {
		file string
		want TaxBehavior
	}{
		"default":    {price, TaxExclusive},
		"of a file":  {"tax_behavior = \"inclusive\"\n" + price, TaxInclusive},
		"of a price": {"tax_behavior = \"inclusive\"\n" + price + "tax_behavior = \"unspecified\"\n", TaxUnspecified},
	} {
		plans, err := ParsePlans("f", []byte(test.file))
		if err != nil || plans.Plans[0].Prices[0].TaxBehavior != test.want {
			t.Errorf("%s: %+v, %v", name, plans, err)
		}
	}
	plans, err := ParsePlans("f", []byte(price+"former_prices = [\"price_1\", \"plan_2\"]\n"))
	if err != nil || !reflect.DeepEqual(plans.PriceIDs(), []string{"price_1", "plan_2"}) {
		t.Errorf("former prices %v, %v", plans.PriceIDs(), err)
	}
	for former, says := range map[string]string{
		`["prod_1"]`: "which is no price id",
		`["price_1"]` + "\n[[plan.price]]\ninterval = \"year\"\namount = 90\nprice_id = \"price_1\"": `"price_1" is the price of plan 1 (a), price 1 (month) already`,
	} {
		if _, err := ParsePlans("f", []byte(price+"former_prices = "+former)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", former, err)
		}
	}
}
