package catalog

import "slices"

// Pack is a number of credits bought once, by Checkout in payment mode. They do not expire with the plan's.
type Pack struct {
	ID      string
	Name    string
	Credits int
	Price   Price // without an interval
}

// Pack finds a pack by its id.
func (c Catalog) Pack(id string) (Pack, bool) {
	i := slices.IndexFunc(c.Packs, func(p Pack) bool { return p.ID == id })
	if i < 0 {
		return Pack{}, false
	}
	return c.Packs[i], true
}

// PackByPrice finds the pack that a Stripe price id belongs to. Former ids count: a session that was opened before the price changed can be paid
// after it.
func (c Catalog) PackByPrice(priceID string) (Pack, bool) {
	for _, pack := range c.Packs {
		if priceID != "" && (pack.Price.ID == priceID || slices.Contains(pack.Price.FormerIDs, priceID)) {
			return pack, true
		}
	}
	return Pack{}, false
}
