package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/catalog"
)

// SubscriptionItem is an item of a subscription at Stripe
// (https://docs.stripe.com/api/subscription_items/object).
type SubscriptionItem struct {
	ID        string    `json:"id"` // si_…
	PriceID   string    `json:"priceId"`
	ProductID string    `json:"productId"`
	Name      string    `json:"name,omitempty"` // of its price or product; empty: not known
	Quantity  int       `json:"quantity"`       // 0 for a metered item
	CreatedAt time.Time `json:"createdAt"`
	Metered   bool      `json:"metered,omitempty"` // billed by reported usage
	Seats     bool      `json:"seats,omitempty"`   // its metadata has usher=seats
}

// Classified returns the snapshot with the fields that follow from its items and the catalog:
// Foreign, PriceID, ItemID and Quantity. It is the one place that decides whether a subscription
// is ours: one of its items has a price of a plan, current or former. That item is the seat item.
// The other items are left alone. It is a pure function.
//
// A foreign subscription has the price of its first item, for display, and no seat item.
func (s Subscription) Classified(plans catalog.Catalog) Subscription {
	seat, ours := s.planItem(plans)
	s.Foreign, s.PriceID, s.ItemID, s.Quantity = !ours, "", "", 0
	switch {
	case ours && seat.Metered: // there is no quantity to set
		s.PriceID = seat.PriceID
	case ours:
		s.PriceID, s.ItemID, s.Quantity = seat.PriceID, seat.ID, seat.Quantity
	case len(s.Items) > 0:
		s.PriceID = s.Items[0].PriceID
	}
	s.classifyChanges()
	return s
}

// classifyChanges sets what a pending update and the next phase of a schedule do to the seat item.
// Phases have no item ids: the item at the seat item's position replaces it. A snapshot that is
// read from the store, or whose payload has no phases, keeps its values.
func (s *Subscription) classifyChanges() {
	for _, item := range s.PendingItems {
		if item.ID == s.ItemID && s.ItemID != "" {
			s.PendingPriceID, s.PendingQuantity = item.PriceID, item.Quantity
		}
	}
	if len(s.PendingItems) > 0 && s.PendingPriceID == "" {
		s.PendingUntil = nil
	}
	position := max(0, slices.IndexFunc(s.CurrentPhase, func(i SubscriptionItem) bool { return i.PriceID == s.PriceID }))
	if position < len(s.NextPhase) {
		s.ScheduledPriceID, s.ScheduledQuantity = s.NextPhase[position].PriceID, s.NextPhase[position].Quantity
	}
}

// planItem returns the item with a price of a plan: the licensed one with metadata usher=seats,
// else the oldest licensed one, with the lowest id; a metered one only if none is licensed.
func (s Subscription) planItem(plans catalog.Catalog) (SubscriptionItem, bool) {
	var best SubscriptionItem
	found := false
	for _, item := range s.Items {
		if plans.Recognize(item.PriceID) == catalog.PriceOfPlan && (!found || item.before(best)) {
			best, found = item, true
		}
	}
	return best, found
}

func (i SubscriptionItem) before(o SubscriptionItem) bool {
	switch {
	case i.Metered != o.Metered:
		return o.Metered
	case i.Seats != o.Seats:
		return i.Seats
	}
	return cmp.Or(i.CreatedAt.Compare(o.CreatedAt), cmp.Compare(i.ID, o.ID)) < 0
}

// OtherItems lists the items of our subscription that are not the seat item.
func (s Subscription) OtherItems() []SubscriptionItem {
	var others []SubscriptionItem
	for _, item := range s.Items {
		if item.ID != s.ItemID && (s.ItemID != "" || item.PriceID != s.PriceID) {
			others = append(others, item)
		}
	}
	return others
}

// priceIDs lists the prices of all items.
func (s Subscription) priceIDs() []string {
	ids := make([]string, 0, len(s.Items))
	for _, item := range s.Items {
		ids = append(ids, item.PriceID)
	}
	return ids
}

// classifiable reports whether the catalog recognizes every price. A subscription with an unknown
// price may be ours: the price is fetched before the snapshot is interpreted, see
// [Prices.ensureKnown].
func (s Subscription) classifiable(plans catalog.Catalog) bool {
	return !slices.ContainsFunc(s.Items, func(i SubscriptionItem) bool { return plans.Recognize(i.PriceID) == catalog.PriceUnknown })
}

// itemsText describes the items, for comparisons and operators.
func (s Subscription) itemsText() string {
	lines := make([]string, 0, len(s.Items))
	for _, item := range s.Items {
		lines = append(lines, fmt.Sprintf("%s %s × %d", item.ID, item.PriceID, item.Quantity))
	}
	return strings.Join(lines, ", ")
}
