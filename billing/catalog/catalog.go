package catalog

import (
	"cmp"
	"fmt"
	"slices"
)

// Catalog holds the plans and packs for sale, in display order, and the prices at Stripe that
// belong to them or are known not to.
type Catalog struct {
	Plans []Plan
	Packs []Pack
	// Checkout says what Checkout asks for.
	Checkout CheckoutSettings

	foreign map[string]bool // price ids that belong to no plan or pack
}

// Plan returns the plan with an id.
func (c Catalog) Plan(id string) (Plan, bool) {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return c.Plans[i], true
}

// LookupKeys returns the lookup keys to resolve at Stripe.
func (c Catalog) LookupKeys() []string {
	var keys []string
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			if price.LookupKey != "" {
				keys = append(keys, price.LookupKey)
			}
		}
	}
	for _, pack := range c.Packs {
		if pack.Price.LookupKey != "" {
			keys = append(keys, pack.Price.LookupKey)
		}
	}
	return keys
}

// PriceIDs returns the configured price ids, former ones included.
func (c Catalog) PriceIDs() []string {
	var ids []string
	for _, price := range c.configured() {
		if price.LookupKey == "" && price.ID != "" {
			ids = append(ids, price.ID)
		}
		ids = append(ids, price.FormerIDs...)
	}
	return ids
}

// configured lists the prices for sale of all plans and packs.
func (c Catalog) configured() []Price {
	var prices []Price
	for _, plan := range c.Plans {
		prices = append(prices, plan.Prices...)
	}
	for _, pack := range c.Packs {
		prices = append(prices, pack.Price)
	}
	return prices
}

// Resolved returns a copy in which every price found at Stripe has Stripe's id, product and amount,
// since Stripe's amount is charged. The last match wins. A price that is another kind of price than
// the plan file says ([Catalog.Mismatches]) is not offered, but belongs to its plan. The second
// result names the lookup keys, and the price of [SinglePrice], that were not found; price ids are
// among the mismatches.
func (c Catalog) Resolved(found []StripePrice) (Catalog, []string) {
	match := matcher(found)
	var missing []string
	out := c.clone()
	for i := range out.Plans {
		plan := &out.Plans[i]
		configured := plan.Prices
		plan.Prices = make([]Price, 0, len(configured))
		for _, price := range configured {
			found, ok := match(price)
			switch {
			case !ok:
				if price.LookupKey != "" || price.Interval == "" {
					missing = append(missing, fmt.Sprintf("%s (%s)", plan.ID, cmp.Or(price.LookupKey, price.ID)))
				}
				plan.Prices = append(plan.Prices, price)
			case len(price.differences(found, false)) > 0:
				former := found.former()
				former.LookupKey, former.FormerIDs = price.LookupKey, price.FormerIDs
				plan.Former = append(plan.Former, former)
			default:
				plan.fillFromStripe(&price, found)
				plan.Prices = append(plan.Prices, price)
			}
		}
	}
	for i := range out.Packs {
		price := &out.Packs[i].Price
		found, ok := match(*price)
		switch {
		case !ok && price.LookupKey != "":
			missing = append(missing, fmt.Sprintf("pack %s (%s)", out.Packs[i].ID, price.LookupKey))
		case ok && len(price.differences(found, true)) == 0:
			price.ID, price.ProductID, price.Amount = found.ID, found.ProductID, found.Amount
		}
	}
	return out, missing
}

// fillFromStripe fills in the fields of a price that come from Stripe. The catalog of [SinglePrice]
// also gets its name and interval.
func (p *Plan) fillFromStripe(price *Price, match StripePrice) {
	price.ID, price.ProductID, price.Amount = match.ID, match.ProductID, match.Amount
	price.Interval = cmp.Or(price.Interval, match.Interval)
	p.Name = cmp.Or(p.Name, match.ProductName)
}

func (c Catalog) clone() Catalog {
	out := c
	out.Plans, out.Packs = slices.Clone(c.Plans), slices.Clone(c.Packs)
	for i := range out.Packs {
		out.Packs[i].Former = slices.Clone(out.Packs[i].Former)
	}
	for i := range out.Plans {
		out.Plans[i].Prices = slices.Clone(out.Plans[i].Prices)
		out.Plans[i].Former = slices.Clone(out.Plans[i].Former)
	}
	return out
}
