package catalog

import (
	"cmp"
	"fmt"
	"slices"
)

// Interval is how often a plan is paid.
type Interval string

// The billing intervals a plan can be bought at.
const (
	Monthly Interval = "month"
	Yearly  Interval = "year"
)

// Valid tells whether the interval is one a plan can have.
func (i Interval) Valid() bool { return i == Monthly || i == Yearly }

// Proration is what Stripe does about the rest of the period when seats change: its proration_behavior
// (https://docs.stripe.com/billing/subscriptions/prorations).
type Proration string

// The proration behaviours.
const (
	ProrationCreateProrations Proration = "create_prorations" // lines wait for the next invoice
	ProrationAlwaysInvoice      Proration = "always_invoice"    // an invoice at once
	ProrationNone       Proration = "none"
)

// Valid tells whether Stripe knows the behaviour.
func (p Proration) Valid() bool {
	return p == ProrationCreateProrations || p == ProrationAlwaysInvoice || p == ProrationNone
}

// Price is what one seat (or the whole plan, where it is flat) costs per interval, and where it is found at Stripe.
type Price struct {
	Interval  Interval
	Amount    Money
	LookupKey string // how the price is found at Stripe; empty where ID is explicit
	ID        string // price_…; empty until it was resolved
	ProductID string // prod_…; empty until it was resolved
	FormerIDs []string
}

// Plan is one thing that can be subscribed to.
type Plan struct {
	ID           string
	Name         string
	Description  string
	PerSeat      bool // false: one price however many people
	Credits      int  // granted each month
	Features     []string
	Entitlements []string
	TrialDays    int
	SeatMinimum  int
	SeatMaximum  int // 0: none
	GraceDays    int // access kept while past_due

	ProrationOnIncrease Proration // when seats are added
	ProrationOnDecrease Proration // when seats are taken away
	DecreaseAtRenewal   bool      // seats stay paid for and free to fill again until the period ends
	AcceptQuantity      bool      // a number set at Stripe by others is taken as the minimum, not set back

	Highlighted bool
	Prices      []Price
}

// Price returns the plan's price for an interval.
func (p Plan) Price(interval Interval) (Price, bool) {
	i := slices.IndexFunc(p.Prices, func(price Price) bool { return price.Interval == interval })
	if i < 0 {
		return Price{}, false
	}
	return p.Prices[i], true
}

// Quantity returns what a subscription to this plan counts for so many billed people: at least one, and one where the plan is flat.
func (p Plan) Quantity(billed int) int {
	if !p.PerSeat {
		return 1
	}
	return max(1, p.SeatMinimum, billed)
}

// Catalog is what can be bought, in the order it is shown.
type Catalog struct {
	Plans []Plan
	Packs []Pack
}

// Plan finds a plan by its id.
func (c Catalog) Plan(id string) (Plan, bool) {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return c.Plans[i], true
}

// ByPrice finds the plan and price that a Stripe price id belongs to. Former ids (replaced prices that subscriptions still hold) count.
func (c Catalog) ByPrice(priceID string) (Plan, Price, bool) {
	if priceID == "" {
		return Plan{}, Price{}, false
	}
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			if price.ID == priceID || slices.Contains(price.FormerIDs, priceID) {
				return plan, price, true
			}
		}
	}
	return Plan{}, Price{}, false
}

// LookupKeys returns every lookup key that has to be resolved at Stripe.
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

// PriceIDs returns every explicit price id.
func (c Catalog) PriceIDs() []string {
	var ids []string
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			if price.LookupKey == "" && price.ID != "" {
				ids = append(ids, price.ID)
			}
		}
	}
	for _, pack := range c.Packs {
		if pack.Price.LookupKey == "" {
			ids = append(ids, pack.Price.ID)
		}
	}
	return ids
}

// resolved returns a copy of the catalogue in which every price found among those from Stripe carries its id, product and amount: what
// Stripe charges is what is shown. Later ones win. The second result names what was not found.
func (c Catalog) Resolved(found []StripePrice) (Catalog, []string) {
	byKey, byID := map[string]StripePrice{}, map[string]StripePrice{}
	for _, price := range found {
		byID[price.ID] = price
		byKey[price.LookupKey] = price
	}
	match := func(price Price) (StripePrice, bool) {
		if price.LookupKey == "" {
			found, ok := byID[price.ID]
			return found, ok
		}
		found, ok := byKey[price.LookupKey]
		return found, ok
	}
	var missing []string
	out := c.clone()
	for i := range out.Plans {
		plan := &out.Plans[i]
		for j := range plan.Prices {
			price := &plan.Prices[j]
			found, ok := match(*price)
			if !ok {
				missing = append(missing, fmt.Sprintf("%s (%s)", plan.ID, cmp.Or(price.LookupKey, price.ID)))
				continue
			}
			plan.fillFromStripe(price, found)
		}
	}
	for i := range out.Packs {
		price := &out.Packs[i].Price
		found, ok := match(*price)
		if !ok || found.Interval != "" { // a recurring price would refuse payment mode
			missing = append(missing, fmt.Sprintf("pack %s (%s)", out.Packs[i].ID, cmp.Or(price.LookupKey, price.ID)))
			continue
		}
		price.ID, price.ProductID, price.Amount = found.ID, found.ProductID, found.Amount
	}
	return out, missing
}

// take fills in what Stripe says of a price. A catalogue made of STRIPE_PRICE_ID alone learns name and interval this way too.
func (p *Plan) fillFromStripe(price *Price, match StripePrice) {
	price.ID, price.ProductID, price.Amount = match.ID, match.ProductID, match.Amount
	price.Interval = cmp.Or(price.Interval, match.Interval)
	p.Name = cmp.Or(p.Name, match.ProductName)
}

// withFormer returns a copy in which prices of a plan's product that are no longer for sale map to the plan still: subscriptions hold
// them.
func (c Catalog) WithFormer(remembered []StripePrice) Catalog {
	out := c.clone()
	for _, old := range remembered {
		_, _, plans := out.ByPrice(old.ID)
		_, packs := out.PackByPrice(old.ID)
		if plans || packs {
			continue
		}
		for i := range out.Packs {
			if price := &out.Packs[i].Price; price.ProductID != "" && price.ProductID == old.ProductID && old.Interval == "" {
				price.FormerIDs = append(price.FormerIDs, old.ID)
			}
		}
		for i := range out.Plans {
			for j := range out.Plans[i].Prices {
				price := &out.Plans[i].Prices[j]
				if price.ProductID != "" && price.ProductID == old.ProductID && price.Interval == old.Interval {
					price.FormerIDs = append(price.FormerIDs, old.ID)
				}
			}
		}
	}
	return out
}

func (c Catalog) clone() Catalog {
	out := c
	out.Plans, out.Packs = slices.Clone(c.Plans), slices.Clone(c.Packs)
	for i := range out.Packs {
		out.Packs[i].Price.FormerIDs = slices.Clone(out.Packs[i].Price.FormerIDs)
	}
	for i := range out.Plans {
		out.Plans[i].Prices = slices.Clone(out.Plans[i].Prices)
		for j := range out.Plans[i].Prices {
			out.Plans[i].Prices[j].FormerIDs = slices.Clone(out.Plans[i].Prices[j].FormerIDs)
		}
	}
	return out
}
