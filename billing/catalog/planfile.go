package catalog

import (
	"cmp"
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

// BuiltInPlans returns the catalog of plans.toml in this package, the default without a plan file.
func BuiltInPlans() Catalog {
	plans, err := ParsePlans("plans.toml", builtInPlans)
	if err != nil {
		panic(err) // the embedded file has a test
	}
	return plans
}

// SinglePrice returns the catalog for STRIPE_PRICE_ID: one per-seat plan. Name, amount and interval
// are empty until [Catalog.Resolved].
func SinglePrice(priceID string) Catalog {
	return Catalog{Plans: []Plan{{
		ID: "seats", PerSeat: true, GraceDays: defaultGraceDays, Prices: []Price{{ID: priceID}},
	}}}
}

const defaultGraceDays = 7

var identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

const identifierMeaning = "lower-case letters, digits, - and _, at most 40, a letter or digit first"

// ParsePlans reads a plan file (TOML; plans.toml of this package documents every key). name is the
// file's name in messages. The error joins all mistakes, one per line. A syntax error is the only
// mistake of its file and contains the line.
func ParsePlans(name string, data []byte) (Catalog, error) {
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		return Catalog{}, syntaxError(name, err)
	}
	p := planFile{decoder: decoder{file: name}, ids: map[string]bool{}, references: map[string]string{}}
	catalog := p.catalog(values)
	if err := errors.Join(p.mistakes...); err != nil {
		return Catalog{}, err
	}
	return catalog, nil
}

func syntaxError(name string, err error) error {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s, line %d: %s", name, parse.Position.Line, parse.Message)
}

// The tables of a plan file. The keys of [Plan], [Price] and [Pack] are their toml tags; the fields
// here need a conversion.
type (
	fileTable struct {
		Currency string           `toml:"currency"`
		Tax      TaxBehavior      `toml:"tax_behavior" oneof:"exclusive inclusive unspecified"`
		Checkout map[string]any   `toml:"checkout"`
		Plans    []map[string]any `toml:"plan"`
		Packs    []map[string]any `toml:"pack"`
	}
	planTable struct {
		Plan
		OnQuantityChange string           `toml:"quantity_changed_at_stripe" oneof:"restore adopt_as_minimum"`
		Prices           []map[string]any `toml:"price"`
	}
	priceTable struct {
		Price
		Amount   decimal `toml:"amount" required:"true" example:": amount = 9 or amount = \"9.50\""`
		Currency string  `toml:"currency"`
	}
	packTable struct {
		Pack
		LookupKey string      `toml:"lookup_key" max:"200"`
		PriceID   string      `toml:"price_id"`
		FormerIDs []string    `toml:"former_prices"`
		Tax       TaxBehavior `toml:"tax_behavior" oneof:"exclusive inclusive unspecified"`
		Amount    decimal     `toml:"amount" required:"true" example:": amount = 9 or amount = \"9.50\""`
		Currency  string      `toml:"currency"`
	}
)

// planFile is the state of parsing one plan file.
type planFile struct {
	decoder
	currency    string            // of prices without one
	tax         TaxBehavior       // of prices without one
	ids         map[string]bool   // of plans, and of packs as pack_<id>, their ids at Stripe
	references  map[string]string // from lookup key or price id to its position
	highlighted string            // the id of the highlighted plan
}

func (p *planFile) catalog(values map[string]any) Catalog {
	file := fileTable{Currency: "USD", Tax: TaxExclusive}
	p.table("", values, &file)
	p.currency, p.tax = file.Currency, file.Tax
	if _, given := values["plan"]; !given {
		p.wrong("", "there is no plan in it: write at least one [[plan]]")
	}
	catalog := Catalog{Checkout: p.checkout(file.Checkout)}
	for i, values := range file.Plans {
		catalog.Plans = append(catalog.Plans, p.plan(label("plan", i, values["id"]), values))
	}
	for i, values := range file.Packs {
		catalog.Packs = append(catalog.Packs, p.pack(label("pack", i, values["id"]), values))
	}
	return catalog
}

// label names a table in messages, for example plan 1 (starter).
func label(kind string, index int, name any) string {
	position := fmt.Sprintf("%s %d", kind, index+1)
	if text, _ := name.(string); identifier.MatchString(text) {
		position += " (" + text + ")"
	}
	return position
}

func (p *planFile) plan(position string, values map[string]any) Plan {
	t := planTable{Plan: Plan{PerSeat: true, GraceDays: defaultGraceDays}}
	p.table(position, values, &t)
	plan := t.Plan
	plan.AcceptQuantity = t.OnQuantityChange == "adopt_as_minimum"
	p.checkPlan(position, plan)
	if _, given := values["price"]; !given {
		p.wrong(position, "it has no price: write at least one [[plan.price]] below it")
	}
	for i, values := range t.Prices {
		pricePlace := position + ", " + label("price", i, values["interval"])
		price := p.price(pricePlace, values)
		for _, other := range plan.Prices {
			p.checkPair(pricePlace, other, price)
		}
		plan.Prices = append(plan.Prices, price)
	}
	return plan
}

// checkPlan rejects combinations of valid keys.
func (p *planFile) checkPlan(position string, plan Plan) {
	if plan.ID != "" && p.ids[plan.ID] {
		p.wrong(position, "an earlier plan has the id %q already: give each plan its own", plan.ID)
	}
	p.ids[plan.ID] = true
	if plan.SeatMaximum > 0 && plan.SeatMinimum > plan.SeatMaximum {
		p.wrong(position, "seat_minimum %d is more than seat_maximum %d", plan.SeatMinimum, plan.SeatMaximum)
	}
	if !plan.PerSeat && (plan.SeatMinimum > 0 || plan.SeatMaximum > 0) {
		p.wrong(position, "seat_minimum and seat_maximum mean nothing with per_seat = false: take them out")
	}
	if plan.TrialWithoutCard != "" && plan.TrialDays == 0 {
		p.wrong(position, "trial_without_card means nothing without trial_days: take it out")
	}
	if plan.TrialWithoutCard != "" && plan.TrialGuard == TrialGuardCard {
		p.wrong(position, `trial_guard = "card" needs a card: take trial_without_card out`)
	}
	for _, key := range plan.Entitlements {
		if key != "" && !identifier.MatchString(key) {
			p.wrong(position, "entitlement %q is no key: %s", key, identifierMeaning)
		}
	}
	if plan.Highlighted && p.highlighted != "" {
		p.wrong(position, "plan %s is highlighted already: highlight one", p.highlighted)
	}
	if plan.Highlighted {
		p.highlighted = plan.ID
	}
}

func (p *planFile) price(position string, values map[string]any) Price {
	var t priceTable
	p.table(position, values, &t)
	price := t.Price
	price.Amount, price.TaxBehavior = p.money(position, t.Amount, t.Currency), cmp.Or(price.TaxBehavior, p.tax)
	p.checkReference(position, price)
	return price
}

// pack parses a pack, whose table contains the keys of its only price.
func (p *planFile) pack(position string, values map[string]any) Pack {
	var t packTable
	p.table(position, values, &t)
	pack := t.Pack
	if pack.ID != "" && p.ids["pack_"+pack.ID] {
		p.wrong(position, "an earlier pack or plan has the id %q already: give each its own", pack.ID)
	}
	p.ids["pack_"+pack.ID] = true
	if pack.Credits == 0 {
		p.wrong(position, "credits is missing: credits = 500")
	}
	pack.Price = Price{
		LookupKey: t.LookupKey, ID: t.PriceID, FormerIDs: t.FormerIDs, Amount: p.money(position, t.Amount, t.Currency),
		TaxBehavior: cmp.Or(t.Tax, p.tax),
	}
	p.checkReference(position, pack.Price)
	return pack
}

// checkReference rejects a price that cannot be found at Stripe, or not distinguished from another.
func (p *planFile) checkReference(position string, price Price) {
	reference := price.LookupKey + price.ID
	switch {
	case price.LookupKey != "" && price.ID != "":
		p.wrong(position, "lookup_key and price_id are both given: a price is found by one of them, take the other out")
	case reference == "":
		p.wrong(position, `neither lookup_key nor price_id is given: name the price as Stripe finds it, `+
			`lookup_key = "usher_…" or price_id = "price_…"`)
	case strings.HasPrefix(price.ID, "prod_"):
		p.wrong(position, "price_id %q is a product: copy the id of its price, price_…", price.ID)
	case p.references[reference] != "":
		p.wrong(position, "%q is the price of %s already: a price belongs to one plan and interval",
			reference, p.references[reference])
	default:
		p.references[reference] = position
	}
	p.checkFormer(position, price)
}

// checkFormer rejects former prices that are no price ids, or that are listed elsewhere too.
func (p *planFile) checkFormer(position string, price Price) {
	for _, id := range price.FormerIDs {
		switch {
		case !strings.HasPrefix(id, "price_") && !strings.HasPrefix(id, "plan_"):
			p.wrong(position, "former_prices holds %q, which is no price id: price_…", id)
		case p.references[id] != "":
			p.wrong(position, "former_prices holds %q, the price of %s already: a price belongs to one plan",
				id, p.references[id])
		default:
			p.references[id] = position
		}
	}
}

// checkPair rejects two prices of a plan with the same interval, or between which a subscription
// could not switch.
func (p *planFile) checkPair(position string, earlier, price Price) {
	if earlier.Interval == price.Interval && price.Interval != "" {
		p.wrong(position, "the plan has a price per %s already", price.Interval)
	}
	if earlier.Amount.Currency != price.Amount.Currency && earlier.Amount.Currency != "" && price.Amount.Currency != "" {
		p.wrong(position, "its currency is %s, another price of the plan has %s: a subscription cannot change its currency, "+
			"make it a plan of its own", strings.ToUpper(price.Amount.Currency), strings.ToUpper(earlier.Amount.Currency))
	}
}

// money converts an amount to minor units. It rejects amounts that Stripe rejects
// (https://docs.stripe.com/currencies). An amount that was not decoded is empty.
func (p *planFile) money(position string, amount decimal, code string) Money {
	code = strings.ToUpper(cmp.Or(code, p.currency))
	if !currency.IsValid(code) {
		p.wrong(position, "currency %q is not known: three letters as in ISO 4217, for example USD", code)
		return Money{}
	}
	if amount == "" {
		return Money{}
	}
	minor, err := parseMinor(string(amount), Exponent(code))
	if err == nil {
		err = checkChargeable(minor, code)
	}
	if err != nil {
		p.wrong(position, "amount %s %s: %v", amount, code, err)
		return Money{}
	}
	return Money{Minor: minor, Currency: strings.ToLower(code)}
}
