package catalog

import (
	"cmp"
	"fmt"
	"strings"
)

// Mismatch is a price of the plan file that can't be sold, because the price at Stripe is another
// kind of price than the file says.
type Mismatch struct {
	Position    string // the plan or pack, and the interval
	Key, Value  string // the key of the plan file that names the price, and its value
	Differences []string
}

// String describes the mismatch and what to do.
func (m Mismatch) String() string {
	remedy := "name a price that fits, or correct the plan file"
	if m.Key == keyLookupKey {
		remedy = "`usher plans push` creates a price that fits"
	}
	return fmt.Sprintf("%s: %s %q: %s: %s", m.Position, m.Key, m.Value, strings.Join(m.Differences, ", "), remedy)
}

// Explicit reports whether the file names the price by id, so that only a change of the file helps.
func (m Mismatch) Explicit() bool { return m.Key == keyPriceID }

// The keys of the plan file that name a price.
const (
	keyLookupKey = "lookup_key"
	keyPriceID   = "price_id"
)

// Mismatches lists the prices that can't be sold as the plan file says, given the prices found at
// Stripe: those of another interval, currency or type, and price ids that do not exist in the
// account and mode of the secret key. The price of [SinglePrice] fits: the file says nothing of it.
// A different amount is no mismatch: Stripe's is shown and charged.
func (c Catalog) Mismatches(found []StripePrice) []Mismatch {
	match := matcher(found)
	var mismatches []Mismatch
	check := func(position string, price Price, pack bool) {
		m := Mismatch{Position: position, Key: keyLookupKey, Value: price.LookupKey}
		if price.LookupKey == "" {
			m.Key, m.Value = keyPriceID, price.ID
		}
		stored, exists := match(price)
		switch {
		case exists:
			m.Differences = price.differences(stored, pack)
		case m.Explicit() && (pack || price.Interval != ""):
			m.Differences = []string{"there is no such price in this account and mode"}
		}
		if len(m.Differences) > 0 {
			mismatches = append(mismatches, m)
		}
	}
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			check(fmt.Sprintf("plan %s, price per %s", plan.ID, price.Interval), price, false)
		}
	}
	for _, pack := range c.Packs {
		check("pack "+pack.ID, pack.Price, true)
	}
	return mismatches
}

// differences describes how a price at Stripe differs in what makes it another kind of price.
func (p Price) differences(found StripePrice, pack bool) []string {
	if !pack && p.Interval == "" { // of SinglePrice
		return nil
	}
	var differences []string
	add := func(field, stripe, file string) {
		differences = append(differences, fmt.Sprintf("%s is %s at Stripe, %s in the plan file", field, stripe, file))
	}
	switch {
	case pack && found.Interval != "":
		add("the type", "recurring", "one-time")
	case !pack && found.Interval == "":
		add("the type", "one-time", "recurring")
	case found.Interval != p.Interval:
		add("the interval", string(found.Interval), string(p.Interval))
	}
	if !strings.EqualFold(found.Amount.Currency, p.Amount.Currency) {
		add("the currency", strings.ToUpper(cmp.Or(found.Amount.Currency, "none")), strings.ToUpper(p.Amount.Currency))
	}
	if found.Model != "" {
		add("the type", string(found.Model), "one amount per unit")
	}
	return differences
}

// matcher returns a function that finds the price at Stripe that a price of the plan file names.
// The last one found wins.
func matcher(found []StripePrice) func(Price) (StripePrice, bool) {
	byKey, byID := map[string]StripePrice{}, map[string]StripePrice{}
	for _, price := range found {
		byID[price.ID] = price
		if price.Active { // an archived price keeps its key, but can't be sold
			byKey[price.LookupKey] = price
		}
	}
	return func(price Price) (StripePrice, bool) {
		if price.LookupKey == "" {
			found, ok := byID[price.ID]
			return found, ok
		}
		found, ok := byKey[price.LookupKey]
		return found, ok
	}
}
