package catalog

import (
	"slices"
	"strings"
)

// Recognition is what the catalog knows about a price at Stripe.
type Recognition string

// The results of [Catalog.Recognize].
const (
	PriceUnknown Recognition = "unknown" // has to be fetched from Stripe
	PriceForeign Recognition = "foreign" // belongs to no plan or pack
	PriceOfPlan  Recognition = "plan"    // current or former
	PriceOfPack  Recognition = "pack"    // current or former
)

// Recognize reports what a Stripe price id belongs to.
func (c Catalog) Recognize(priceID string) Recognition {
	if _, _, known := c.ByPrice(priceID); known {
		return PriceOfPlan
	}
	if _, known := c.PackByPrice(priceID); known {
		return PriceOfPack
	}
	if priceID == "" || c.foreign[priceID] {
		return PriceForeign
	}
	return PriceUnknown
}

// packPrefix precedes the ids of packs in the metadata usher_plan.
const packPrefix = "pack_"

// Owner returns the id of the plan, or pack_<id> of the pack, that a Stripe price id belongs to;
// empty: none that is known.
func (c Catalog) Owner(priceID string) string {
	if plan, _, known := c.ByPrice(priceID); known {
		return plan.ID
	}
	if pack, known := c.PackByPrice(priceID); known {
		return packPrefix + pack.ID
	}
	return ""
}

// ByPrice returns the plan and price of a Stripe price id. A former price matches with its own
// amount, interval and currency: subscriptions keep the price they were created with.
func (c Catalog) ByPrice(priceID string) (Plan, Price, bool) {
	for _, plan := range c.Plans {
		if price, known := findPrice(priceID, plan.Prices, plan.Former); known {
			return plan, price, true
		}
	}
	return Plan{}, Price{}, false
}

// findPrice looks an id up in prices for sale and former ones. One that the plan file names as
// former, and that was not read from Stripe yet, has an interval and a currency but no amount.
func findPrice(id string, sold, former []Price) (Price, bool) {
	if id == "" {
		return Price{}, false
	}
	for _, prices := range [][]Price{sold, former} {
		if i := slices.IndexFunc(prices, func(p Price) bool { return p.ID == id }); i >= 0 {
			return prices[i], true
		}
	}
	for _, price := range slices.Concat(sold, former) {
		if slices.Contains(price.FormerIDs, id) {
			former := Price{ID: id, Interval: price.Interval, Amount: Money{Currency: price.Amount.Currency}}
			return former.chargedAs(price), true
		}
	}
	return Price{}, false
}

// WithFormer returns a copy that also knows which stored prices belong to its plans and packs
// though they are not for sale: subscriptions, invoices and open sessions still refer to them. See
// [Catalog.ownerOf] for the rule.
func (c Catalog) WithFormer(stored []StripePrice) Catalog {
	out := c.clone()
	for _, price := range stored {
		if out.isForSale(price.ID) || out.isFormer(price.ID) {
			continue
		}
		former, owner := price.former(), out.ownerOf(price)
		for i := range out.Plans {
			if out.Plans[i].ID == owner {
				sold, _ := out.Plans[i].Price(former.Interval)
				out.Plans[i].Former = append(out.Plans[i].Former, former.chargedAs(sold))
			}
		}
		for i := range out.Packs {
			if packPrefix+out.Packs[i].ID == owner {
				out.Packs[i].Former = append(out.Packs[i].Former, former)
			}
		}
	}
	return out
}

// former returns the price as a former one.
func (p StripePrice) former() Price {
	return Price{ID: p.ID, ProductID: p.ProductID, Amount: p.Amount, Interval: p.Interval}
}

// chargedAs returns the price with the policy for seat changes of the one sold today.
func (p Price) chargedAs(sold Price) Price {
	p.ProrationOnIncrease, p.ProrationOnDecrease = sold.ProrationOnIncrease, sold.ProrationOnDecrease
	return p
}

func (c Catalog) isForSale(priceID string) bool {
	return slices.ContainsFunc(c.configured(), func(p Price) bool { return p.ID == priceID })
}

// isFormer reports whether an id is among the former prices that were read from Stripe.
func (c Catalog) isFormer(priceID string) bool {
	is := func(p Price) bool { return p.ID == priceID }
	return slices.ContainsFunc(c.Plans, func(p Plan) bool { return slices.ContainsFunc(p.Former, is) }) ||
		slices.ContainsFunc(c.Packs, func(p Pack) bool { return slices.ContainsFunc(p.Former, is) })
}

// WithForeign returns a copy that knows of exactly these price ids that they are foreign.
func (c Catalog) WithForeign(ids []string) Catalog {
	c.foreign = make(map[string]bool, len(ids))
	for _, id := range ids {
		c.foreign[id] = true
	}
	return c
}

// ownerOf decides which plan or pack a price that is not for sale belongs to. It is a pure
// function. The first that names a plan or pack of the catalog decides:
//   - the plan file's former_prices,
//   - the metadata usher_plan of the price itself, which `usher plans push` sets,
//   - a lookup key of the plan file that the price has or had here,
//   - the plan that it was sold under here,
//   - the metadata usher_plan of its product.
//
// At Stripe a product is what is sold, and its prices are ways to pay for it
// (https://docs.stripe.com/products-prices/how-products-and-prices-work), so another price of a
// plan's own product is that plan at a special price. It is not if the product merely is the one
// that a plan file's price happens to have: several plans, add-ons and other applications may share
// that. Nor is a one-time price (a fee beside the plan), nor a metered one (usage beside the plan's
// flat rate, which Stripe recommends to put on the same product). A price of a plan's own product
// that is neither is excluded by the metadata usher_plan = "none" on the price.
func (c Catalog) ownerOf(price StripePrice) string {
	for _, owner := range []string{
		c.namingFormer(price.ID),
		c.fitting(price, price.UsherPlan),
		c.holdingKey(price, price.LookupKey),
		c.holdingKey(price, price.FormerLookupKey),
		c.soldUnder(price),
	} {
		if owner != "" {
			return owner
		}
	}
	if price.UsherPlan != "" || price.Model == ModelMetered {
		return ""
	}
	return c.fitting(price, price.ProductPlan)
}

// namingFormer returns the plan or pack whose former_prices lists an id.
func (c Catalog) namingFormer(id string) string {
	return c.owning(func(p Price) bool { return slices.Contains(p.FormerIDs, id) })
}

// owning returns the plan or pack with a price of the plan file that meets a condition.
func (c Catalog) owning(meets func(Price) bool) string {
	for _, plan := range c.Plans {
		if slices.ContainsFunc(slices.Concat(plan.Prices, plan.Former), meets) {
			return plan.ID
		}
	}
	for _, pack := range c.Packs {
		if meets(pack.Price) {
			return packPrefix + pack.ID
		}
	}
	return ""
}

// fitting returns owner if the catalog has it, and the price is recurring for a plan and one-time
// for a pack.
func (c Catalog) fitting(price StripePrice, owner string) string {
	_, isPlan := c.Plan(owner)
	id, hasPrefix := strings.CutPrefix(owner, packPrefix)
	_, isPack := c.Pack(id)
	if isPlan && price.Interval != "" || !isPlan && hasPrefix && isPack && price.Interval == "" {
		return owner
	}
	return ""
}

// holdingKey returns the plan or pack that a lookup key belongs to in the catalog.
func (c Catalog) holdingKey(price StripePrice, key string) string {
	if key == "" {
		return ""
	}
	return c.fitting(price, c.owning(func(p Price) bool { return p.LookupKey == key }))
}

// soldUnder returns the plan or pack that a price was configured for when it was stored. Programs
// of the release before did not record it: then it is the only plan with a price of the same
// product and interval.
func (c Catalog) soldUnder(price StripePrice) string {
	if !price.Configured {
		return ""
	}
	if price.PlanID != "" {
		return c.fitting(price, price.PlanID)
	}
	owner := ""
	for _, plan := range c.Plans {
		if slices.ContainsFunc(plan.Prices, price.isLike) {
			if owner != "" {
				return ""
			}
			owner = plan.ID
		}
	}
	for _, pack := range c.Packs {
		if owner == "" && price.isLike(pack.Price) {
			owner = packPrefix + pack.ID
		}
	}
	return owner
}

func (p StripePrice) isLike(sold Price) bool {
	return sold.ProductID != "" && sold.ProductID == p.ProductID && sold.Interval == p.Interval
}
