package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Comparison is a price of the plan file beside the one at Stripe that it names.
type Comparison struct {
	Owner       string // the plan's id, or pack_<id>
	Price       Price
	Stripe      StripePrice // zero: there is none
	Exists      bool
	Differences []string
}

// Compare compares all prices of the plan file with those found at Stripe, in the file's order. The
// file says nothing of the price of [SinglePrice] but its id.
func (c Catalog) Compare(found []StripePrice) []Comparison {
	match := matcher(found)
	var all []Comparison
	compare := func(owner string, price Price, pack bool) {
		stored, exists := match(price)
		one := Comparison{Owner: owner, Price: price, Stripe: stored, Exists: exists}
		if exists && (pack || price.Interval != "") {
			one.Differences = append(price.differences(stored, pack), price.smallDifferences(stored)...)
		}
		all = append(all, one)
	}
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			compare(plan.ID, price, false)
		}
	}
	for _, pack := range c.Packs {
		compare(packPrefix+pack.ID, pack.Price, true)
	}
	return all
}

// smallDifferences describes how a price at Stripe differs without being another kind of price.
func (p Price) smallDifferences(found StripePrice) []string {
	var differences []string
	if p.Amount.Minor != found.Amount.Minor && strings.EqualFold(p.Amount.Currency, found.Amount.Currency) {
		differences = append(differences, fmt.Sprintf("the amount is %s at Stripe, %s in the plan file",
			found.Amount.Format(), p.Amount.Format()))
	}
	switch {
	case p.TaxBehavior.Accepts(found.TaxBehavior):
	case found.TaxBehavior == TaxUnspecified || found.TaxBehavior == "":
		differences = append(differences, fmt.Sprintf("tax_behavior is unspecified at Stripe, %s in the plan file: it can be set once",
			p.TaxBehavior))
	default:
		differences = append(differences, fmt.Sprintf("tax_behavior is %s at Stripe for good, %s in the plan file: that needs a new price",
			found.TaxBehavior, p.TaxBehavior))
	}
	return differences
}

// UnknownFormer lists the ids of former_prices that were not found at Stripe.
func (c Catalog) UnknownFormer(found []StripePrice) []string {
	var unknown []string
	for _, price := range c.configured() {
		for _, id := range price.FormerIDs {
			if !slices.ContainsFunc(found, func(p StripePrice) bool { return p.ID == id }) {
				unknown = append(unknown, id)
			}
		}
	}
	return unknown
}
