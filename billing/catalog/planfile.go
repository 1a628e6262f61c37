package catalog

import (
	_ "embed" // plans.toml
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/bojanz/currency"
)

//go:embed plans.toml
var builtInPlans []byte

// BuiltInPlans returns the catalogue that is sold where no plan file is configured: plans.toml of this package.
func BuiltInPlans() Catalog {
	plans, err := ParsePlans("plans.toml", builtInPlans)
	if err != nil {
		panic(err) // the file is part of the program and has a test
	}
	return plans
}

// SinglePrice returns the catalogue that STRIPE_PRICE_ID alone stands for: one per-seat plan. Its name, amount and interval are Stripe's
// and unknown until the price was resolved there.
func SinglePrice(priceID string) Catalog {
	return Catalog{Plans: []Plan{{
		ID: "seats", PerSeat: true, GraceDays: defaultGraceDays,
		ProrationOnIncrease: ProrationCreateProrations, ProrationOnDecrease: ProrationCreateProrations,
		Prices: []Price{{ID: priceID}},
	}}}
}

// The bounds of what a plan file may say.
const (
	defaultGraceDays = 7
	maxGraceDays     = 365
	maxTrialDays     = 730 // Stripe's own: https://docs.stripe.com/api/checkout/sessions/create, trial_period_days
	maxSeats         = 1_000_000
	maxCredits       = 1_000_000_000
	maxNameText      = 80
	maxLookupKey     = 200 // Stripe's own: https://docs.stripe.com/api/prices/create, lookup_key
	maxText          = 500
)

var identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

const identifierMeaning = "lower-case letters, digits, - and _, at most 40, a letter or digit first"

// ParsePlans reads a plan file (TOML; plans.toml of this package shows and explains every key). The name stands in messages.
// The error joins every mistake of the file, a line each; a file that is no TOML has one mistake, with its line.
func ParsePlans(name string, data []byte) (Catalog, error) {
	values := map[string]any{}
	if _, err := toml.Decode(string(data), &values); err != nil {
		return Catalog{}, syntaxMistake(name, err)
	}
	file := planFile{seenPlans: map[string]bool{}, seenPrices: map[string]string{}}
	plans := file.catalogue(newTomlTable(name, values, &file.mistakes))
	if err := errors.Join(file.mistakes...); err != nil {
		return Catalog{}, err
	}
	return plans, nil
}

// syntaxMistake tells the line and what is wrong there.
func syntaxMistake(name string, err error) error {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s, line %d: %s", name, parse.Position.Line, parse.Message)
}

// planFile is one reading of a plan file: what went wrong so far, and what must not come twice.
type planFile struct {
	mistakes   []error
	seenPlans  map[string]bool   // packs too, as pack_<id>: what they are called at Stripe
	seenPrices map[string]string // lookup key or price id -> where it stands
	currency   string            // of prices that name none
	highlight  string            // the plan that is highlighted
}

func (f *planFile) catalogue(t *tomlTable) Catalog {
	f.currency = t.text("currency", "USD", maxText)
	var plans Catalog
	for i, table := range t.tables("plan") {
		plans.Plans = append(plans.Plans, f.plan(table, i+1))
	}
	for i, table := range t.tables("pack") {
		plans.Packs = append(plans.Packs, f.pack(table, i+1))
	}
	if len(plans.Plans) == 0 && !t.has("plan") {
		t.wrong("there is no plan in it: write at least one [[plan]]")
	}
	t.done()
	return plans
}

func (f *planFile) plan(t *tomlTable, number int) Plan {
	t.where += fmt.Sprintf(": plan %d", number)
	id := t.identifier("id")
	if id != "" {
		t.where += fmt.Sprintf(" (%s)", id)
	}
	plan := Plan{
		ID:                  id,
		Name:                t.required("name", maxNameText),
		Description:         t.text("description", "", maxText),
		PerSeat:             t.flag("per_seat", true),
		Credits:             t.number("credits", 0, maxCredits),
		Features:            t.texts("features"),
		Entitlements:        t.texts("entitlements"),
		TrialDays:           t.number("trial_days", 0, maxTrialDays),
		SeatMinimum:         t.number("seat_minimum", 0, maxSeats),
		SeatMaximum:         t.number("seat_maximum", 0, maxSeats),
		GraceDays:           t.number("grace_days", defaultGraceDays, maxGraceDays),
		ProrationOnIncrease: t.proration("proration_on_increase"),
		AcceptQuantity:      t.choice("quantity_changed_at_stripe", "restore", "adopt_as_minimum") == "adopt_as_minimum",
		Highlighted:         t.flag("highlighted", false),
	}
	plan.ProrationOnDecrease, plan.DecreaseAtRenewal = t.decrease("proration_on_decrease")
	f.checkPlan(t, plan)
	plan.Prices = f.prices(t)
	t.done()
	return plan
}

// checkPlan refuses what each key may say but all of them together may not.
func (f *planFile) checkPlan(t *tomlTable, plan Plan) {
	if plan.ID != "" && f.seenPlans[plan.ID] {
		t.wrong("an earlier plan has the id %q already: give each plan its own", plan.ID)
	}
	f.seenPlans[plan.ID] = true
	if plan.SeatMaximum > 0 && plan.SeatMinimum > plan.SeatMaximum {
		t.wrong("seat_minimum %d is more than seat_maximum %d", plan.SeatMinimum, plan.SeatMaximum)
	}
	if !plan.PerSeat && (plan.SeatMinimum > 0 || plan.SeatMaximum > 0) {
		t.wrong("seat_minimum and seat_maximum mean nothing with per_seat = false: take them out")
	}
	for _, key := range plan.Entitlements {
		if key != "" && !identifier.MatchString(key) {
			t.wrong("entitlement %q is no key: %s", key, identifierMeaning)
		}
	}
	if plan.Highlighted && f.highlight != "" {
		t.wrong("plan %s is highlighted already: highlight one", f.highlight)
	}
	if plan.Highlighted {
		f.highlight = plan.ID
	}
}

// pack reads a number of credits that is bought once. Its price stands in the pack itself.
func (f *planFile) pack(t *tomlTable, number int) Pack {
	t.where += fmt.Sprintf(": pack %d", number)
	id := t.identifier("id")
	if id != "" {
		t.where += fmt.Sprintf(" (%s)", id)
	}
	pack := Pack{
		ID: id, Name: t.required("name", maxNameText), Credits: t.number("credits", 0, maxCredits),
		Price: Price{LookupKey: t.text("lookup_key", "", maxLookupKey), ID: t.text("price_id", "", maxText)},
	}
	if id != "" && f.seenPlans["pack_"+id] {
		t.wrong("an earlier pack or plan has the id %q already: give each its own", id)
	}
	f.seenPlans["pack_"+id] = true
	if pack.Credits == 0 {
		t.wrong("credits is missing: credits = 500")
	}
	pack.Price.Amount = t.money("amount", t.text("currency", f.currency, maxText))
	f.checkReference(t, pack.Price)
	t.done()
	return pack
}

func (f *planFile) prices(t *tomlTable) []Price {
	var prices []Price
	for i, table := range t.tables("price") {
		price := f.price(table, i+1)
		for _, other := range prices {
			checkTogether(table, other, price)
		}
		prices = append(prices, price)
	}
	if len(prices) == 0 && !t.has("price") {
		t.wrong("it has no price: write at least one [[plan.price]] below it")
	}
	return prices
}

func (f *planFile) price(t *tomlTable, number int) Price {
	t.where += fmt.Sprintf(", price %d", number)
	price := Price{
		Interval:  Interval(t.required("interval", maxText)),
		LookupKey: t.text("lookup_key", "", maxLookupKey),
		ID:        t.text("price_id", "", maxText),
	}
	if price.Interval != "" && !price.Interval.Valid() {
		t.wrong("interval %q is not known: month or year", price.Interval)
	} else if price.Interval != "" {
		t.where += fmt.Sprintf(" (%s)", price.Interval)
	}
	price.Amount = t.money("amount", t.text("currency", f.currency, maxText))
	f.checkReference(t, price)
	t.done()
	return price
}

// checkReference refuses a price that cannot be found at Stripe, or would be found as another one.
func (f *planFile) checkReference(t *tomlTable, price Price) {
	reference := price.LookupKey + price.ID
	switch {
	case price.LookupKey != "" && price.ID != "":
		t.wrong("lookup_key and price_id are both given: a price is found by one of them, take the other out")
	case reference == "":
		t.wrong(`neither lookup_key nor price_id is given: name the price as Stripe finds it, lookup_key = "usher_…" or price_id = "price_…"`)
	case strings.HasPrefix(price.ID, "prod_"):
		t.wrong("price_id %q is a product: copy the id of its price, price_…", price.ID)
	case f.seenPrices[reference] != "":
		t.wrong("%q is the price of %s already: a price belongs to one plan and interval", reference, f.seenPrices[reference])
	default:
		f.seenPrices[reference] = t.place()
	}
}

// checkTogether refuses two prices of one plan that leave open which is meant, or that a subscription could not change between.
func checkTogether(t *tomlTable, earlier, price Price) {
	if earlier.Interval == price.Interval && price.Interval != "" {
		t.wrong("the plan has a price per %s already", price.Interval)
	}
	if earlier.Amount.Currency != price.Amount.Currency && earlier.Amount.Currency != "" && price.Amount.Currency != "" {
		t.wrong("its currency is %s, another price of the plan has %s: a subscription cannot change its currency, make it a plan of its own",
			strings.ToUpper(price.Amount.Currency), strings.ToUpper(earlier.Amount.Currency))
	}
}

// money reads an amount in the currency's main unit: a whole number, or a decimal in quotes. Stripe's special cases are refused as
// Stripe refuses them (https://docs.stripe.com/currencies).
func (t *tomlTable) money(key, code string) Money {
	code = strings.ToUpper(code)
	text, ok := t.decimal(key)
	if !currency.IsValid(code) {
		t.wrong("currency %q is not known: three letters as in ISO 4217, for example USD", code)
		return Money{}
	}
	if !ok {
		return Money{}
	}
	minor, err := parseMinor(text, Exponent(code))
	if err == nil {
		err = checkChargeable(minor, code)
	}
	if err != nil {
		t.wrong("%s %s %s: %v", key, text, code, err)
		return Money{}
	}
	return Money{Minor: minor, Currency: strings.ToLower(code)}
}
