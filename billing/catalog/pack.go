package catalog

import "slices"

// Pack is a number of credits bought once, in Checkout's payment mode. They do not expire with the
// plan's credits. The tags are its keys in a plan file.
type Pack struct {
	ID      string  `toml:"id" required:"true" identifier:"true"`
	Name    string  `toml:"name" required:"true" max:"80"`
	Credits int     `toml:"credits" max:"1000000000"`
	Price   Price   // without an interval
	Former  []Price // no longer sold, with their own amounts
}

// Pack returns the pack with an id.
func (c Catalog) Pack(id string) (Pack, bool) {
	i := slices.IndexFunc(c.Packs, func(p Pack) bool { return p.ID == id })
	if i < 0 {
		return Pack{}, false
	}
	return c.Packs[i], true
}

// PackByPrice returns the pack of a Stripe price id. Former ids match: a session opened before the
// price changed can be paid after it.
func (c Catalog) PackByPrice(priceID string) (Pack, bool) {
	for _, pack := range c.Packs {
		if _, known := findPrice(priceID, []Price{pack.Price}, pack.Former); known {
			return pack, true
		}
	}
	return Pack{}, false
}
