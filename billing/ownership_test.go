package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

// Recognized prices of the tests: two of plans, one of a pack, some that belong to neither.
func ownershipCatalog() catalog.Catalog {
	plan := func(id, priceID string) catalog.Plan {
		return catalog.Plan{ID: id, PerSeat: true, Prices: []catalog.Price{{Interval: catalog.Monthly, ID: priceID}}}
	}
	return catalog.Catalog{
		Plans: []catalog.Plan{plan("starter", "price_starter"), plan("pro", "price_pro")},
		Packs: []catalog.Pack{{ID: "credits", Price: catalog.Price{ID: "price_pack"}}},
	}.WithForeign([]string{"price_support", "price_hosting"})
}

// A subscription is ours if one of its items has a price of a plan, and that item has the seats.
func TestClassified(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	item := func(id, priceID string, minute int) SubscriptionItem {
		return SubscriptionItem{ID: id, PriceID: priceID, Quantity: 4, CreatedAt: at.Add(time.Duration(minute) * time.Minute)}
	}
	metered := func(i SubscriptionItem) SubscriptionItem { i.Metered, i.Quantity = true, 0; return i }
	marked := func(i SubscriptionItem) SubscriptionItem { i.Seats = true; return i }
	type result struct {
		foreign         bool
		itemID, priceID string
		quantity        int
	}
	for name, test := range map[string]struct {
		items []SubscriptionItem
		want  result
	}{
		"one of a plan":                {[]SubscriptionItem{item("a", "price_pro", 0)}, result{false, "a", "price_pro", 4}},
		"one of something else":        {[]SubscriptionItem{item("a", "price_support", 0)}, result{true, "", "price_support", 0}},
		"a pack is no plan":            {[]SubscriptionItem{item("a", "price_pack", 0)}, result{true, "", "price_pack", 0}},
		"none":                         {nil, result{true, "", "", 0}},
		"an older item of another":     {[]SubscriptionItem{item("a", "price_support", 0), item("b", "price_pro", 1)}, result{false, "b", "price_pro", 4}},
		"a marked item of another":     {[]SubscriptionItem{marked(item("a", "price_support", 0)), item("b", "price_pro", 1)}, result{false, "b", "price_pro", 4}},
		"two of something else":        {[]SubscriptionItem{item("a", "price_support", 0), marked(item("b", "price_hosting", 1))}, result{true, "", "price_support", 0}},
		"two plans, the older":         {[]SubscriptionItem{item("b", "price_starter", 1), item("a", "price_pro", 0)}, result{false, "a", "price_pro", 4}},
		"two plans, the same second":   {[]SubscriptionItem{item("b", "price_starter", 0), item("a", "price_pro", 0)}, result{false, "a", "price_pro", 4}},
		"two plans, the marked":        {[]SubscriptionItem{item("a", "price_pro", 0), marked(item("b", "price_starter", 1))}, result{false, "b", "price_starter", 4}},
		"a metered one has no seats":   {[]SubscriptionItem{metered(item("a", "price_pro", 0))}, result{false, "", "price_pro", 0}},
		"metered and licensed":         {[]SubscriptionItem{metered(item("a", "price_pro", 0)), item("b", "price_starter", 1)}, result{false, "b", "price_starter", 4}},
		"metered, marked and licensed": {[]SubscriptionItem{metered(marked(item("a", "price_pro", 0))), item("b", "price_pro", 1)}, result{false, "b", "price_pro", 4}},
	} {
		t.Run(name, func(t *testing.T) {
			// The fields of an earlier classification must not remain.
			s := Subscription{Items: test.items, Foreign: !test.want.foreign, ItemID: "si_x", PriceID: "price_x", Quantity: 9}
			got := s.Classified(ownershipCatalog())
			if r := (result{got.Foreign, got.ItemID, got.PriceID, got.Quantity}); r != test.want {
				t.Errorf("got %+v, want %+v", r, test.want)
			}
		})
	}
}

func TestUnknownPriceIsNotClassifiable(t *testing.T) {
	plans := ownershipCatalog()
	for priceID, want := range map[string]bool{"price_pro": true, "price_support": true, "price_pack": true, "price_new": false} {
		s := Subscription{Items: []SubscriptionItem{{ID: "a", PriceID: "price_pro"}, {ID: "b", PriceID: priceID}}}
		if got := s.classifiable(plans); got != want {
			t.Errorf("%s: classifiable %v, want %v", priceID, got, want)
		}
	}
}

// A foreign subscription is never the current one, however old and active it is.
func TestForeignIsNeverCurrent(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	foreign := Subscription{ID: "sub_1", Status: StatusActive, CreatedAt: at, Foreign: true}
	ended := Subscription{ID: "sub_2", Status: StatusCanceled, CreatedAt: at.Add(time.Hour)}
	if got, ok := chooseCurrent([]Subscription{foreign, ended}); !ok || got.ID != "sub_2" {
		t.Errorf("current %s, %v, want the ended one of ours", got.ID, ok)
	}
	if got, ok := chooseCurrent([]Subscription{foreign}); ok {
		t.Errorf("current %s, want none", got.ID)
	}
}
