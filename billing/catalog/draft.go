package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

// Draft is a plan file that sells what a Stripe account sells already.
type Draft struct {
	Text    string    `json:"file"` // TOML
	LeftOut []LeftOut `json:"leftOut"`
}

// LeftOut is a price that is not in a draft.
type LeftOut struct {
	PriceID string `json:"priceId"`
	Product string `json:"product"` // its name
	Reason  string `json:"reason"`
}

// DraftPlans writes a plan file from the active prices of an account, newest first: a plan for each
// product with a monthly or yearly price. Of several prices for an interval, the newest with a
// lookup key is sold, or the newest; the others become former prices, so that their subscribers
// keep the plan. Credits, entitlements and limits are unknown to Stripe and left to the reader. The
// text can be read by [ParsePlans], unless no price is left.
func DraftPlans(prices []StripePrice) Draft {
	d := drafting{products: map[string]*draftPlan{}, taken: map[string]bool{}}
	for _, p := range prices {
		if reason := unfitForPlan(p); reason != "" {
			d.leave(p, reason)
			continue
		}
		d.add(p)
	}
	return Draft{Text: d.text(), LeftOut: d.leftOut}
}

// unfitForPlan returns why a plan file cannot have a price; empty if it can.
func unfitForPlan(p StripePrice) string {
	switch {
	case p.Model != "":
		return fmt.Sprintf("its amount is %s; plans have one amount for each unit", p.Model)
	case p.Interval == "":
		return "it is paid once; to sell it as a pack, add [[pack]] with its price_id and the credits it grants"
	case !p.Interval.Valid():
		return fmt.Sprintf("its interval is %q; plans are monthly or yearly", p.Interval)
	case p.Amount.Minor <= 0:
		return "it costs nothing"
	}
	return ""
}

// drafting is the state of writing a draft.
type drafting struct {
	products map[string]*draftPlan // by product id
	taken    map[string]bool       // ids of plans
	leftOut  []LeftOut
}

// draftPlan is a product that becomes a plan.
type draftPlan struct {
	id, name string
	prices   map[Interval][]StripePrice // of one currency, newest first
	currency string
}

func (d *drafting) leave(p StripePrice, reason string) {
	d.leftOut = append(d.leftOut, LeftOut{p.ID, p.ProductName, reason})
}

func (d *drafting) add(p StripePrice) {
	plan := d.products[p.ProductID]
	if plan == nil {
		plan = &draftPlan{name: draftName(p.ProductName), prices: map[Interval][]StripePrice{}, currency: p.Amount.Currency}
		plan.id = d.freeID(cmp.Or(p.UsherPlan, p.ProductPlan, p.ProductName))
		d.products[p.ProductID] = plan
	}
	if !strings.EqualFold(p.Amount.Currency, plan.currency) {
		d.leave(p, "the plan is sold in "+strings.ToUpper(plan.currency)+"; a plan has one currency")
		return
	}
	plan.prices[p.Interval] = append(plan.prices[p.Interval], p)
}

// draftName returns a product's name as a plan can have it.
func draftName(name string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(name); len(runes) > 80 {
		name = string(runes[:80])
	}
	return cmp.Or(name, "Plan")
}

// freeID makes an id of a text that no other plan has.
func (d *drafting) freeID(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	id := strings.Trim(b.String(), "-")
	id = strings.Trim(cmp.Or(id[:min(len(id), 36)], "plan"), "-")
	for free, n := id, 2; ; free, n = fmt.Sprint(id, "-", n), n+1 {
		if !d.taken[free] {
			d.taken[free] = true
			return free
		}
	}
}

// text writes the file: the plans by their lowest amount.
func (d *drafting) text() string {
	plans := slices.SortedFunc(maps.Values(d.products), func(a, b *draftPlan) int {
		return cmp.Or(cmp.Compare(a.lowest(), b.lowest()), cmp.Compare(a.id, b.id))
	})
	plans = slices.DeleteFunc(plans, func(p *draftPlan) bool { return len(p.prices) == 0 })
	currency := usualCurrency(plans)
	var b strings.Builder
	b.WriteString("# What the account sells at Stripe. Stripe does not know what a plan means here: look at per_seat\n" +
		"# (the quantity is the number of people), and add credits, entitlements, trials and limits.\n" +
		"# docs/plans.md explains every key.\n\n")
	line := func(key string, value any) { fmt.Fprintf(&b, "%s = %s\n", key, tomlValue(value)) }
	line("currency", currency)
	for _, plan := range plans {
		b.WriteString("\n[[plan]]\n")
		line("id", plan.id)
		line("name", plan.name)
		line("per_seat", true)
		for _, interval := range []Interval{Monthly, Yearly} {
			if sold, former := chooseSold(plan.prices[interval]); sold.ID != "" {
				b.WriteString("\n[[plan.price]]\n")
				line("interval", string(interval))
				line("amount", sold.Amount.Decimal())
				if !strings.EqualFold(plan.currency, currency) {
					line("currency", strings.ToUpper(plan.currency))
				}
				if sold.LookupKey != "" {
					line("lookup_key", sold.LookupKey)
				} else {
					line("price_id", sold.ID)
				}
				if sold.TaxBehavior != TaxExclusive {
					line("tax_behavior", string(cmp.Or(sold.TaxBehavior, TaxUnspecified)))
				}
				if len(former) > 0 {
					line("former_prices", former)
				}
			}
		}
	}
	return b.String()
}

// lowest returns the lowest amount of a month.
func (p *draftPlan) lowest() int64 {
	var lowest int64
	for interval, prices := range p.prices {
		for _, price := range prices {
			if monthly := price.Amount.Minor / int64(interval.Months()); lowest == 0 || monthly < lowest {
				lowest = monthly
			}
		}
	}
	return lowest
}

// chooseSold returns the price that is sold, and the ids of the others.
func chooseSold(prices []StripePrice) (sold StripePrice, former []string) {
	i := slices.IndexFunc(prices, func(p StripePrice) bool { return p.LookupKey != "" })
	for n, p := range prices {
		if n == max(0, i) {
			sold = p
		} else {
			former = append(former, p.ID)
		}
	}
	return sold, former
}

// usualCurrency returns the currency of most plans, in upper case.
func usualCurrency(plans []*draftPlan) string {
	counts := map[string]int{}
	for _, p := range plans {
		counts[strings.ToUpper(p.currency)]++
	}
	usual := "USD"
	for _, currency := range slices.Sorted(maps.Keys(counts)) {
		if counts[currency] > counts[usual] {
			usual = currency
		}
	}
	return usual
}

// tomlValue returns a value as TOML.
func tomlValue(value any) string {
	text, err := toml.Marshal(map[string]any{"v": value})
	if err != nil {
		panic(err) // strings, booleans and lists of strings always encode
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "v = "))
}
