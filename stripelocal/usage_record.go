package stripelocal

import (
	"maps"
	"slices"

	"usher/stripelocal/wire"
)

// UsageRecord is the usage of an item of a metered price without a meter, at one time (API
// reference: usage records).
type UsageRecord struct {
	Base
	Item      string
	Quantity  int64
	Timestamp int64
}

// usageRecords serves usage records and their summaries, under /v1/subscription_items.
type usageRecords struct{ *request }

func usageRecordResource() resource {
	return resource{
		objectType: "usage_record",
		render: renderFrom(func(s *store) *table[*UsageRecord] { return s.UsageRecords },
			func(_ *request, u *UsageRecord) wire.Object { return u.render() }),
		routes: []route{
			on("POST /v1/subscription_items/{subscription_item}/usage_records", "quantity:int! action:increment|set timestamp:now|time", usageRecords.create),
			on("GET /v1/subscription_items/{subscription_item}/usage_record_summaries", pageParams, usageRecords.summaries),
		},
	}
}

// create sets or, by default, increments the usage at a time of the current period.
func (h usageRecords) create(in *input) (any, error) {
	item, sub, err := h.item(in)
	if err != nil {
		return nil, err
	}
	now := h.timeOnClock(sub.TestClock)
	at := now
	if in.Has("timestamp") && in.String("timestamp") != "now" {
		at = in.Int("timestamp")
	}
	switch {
	case in.Int("quantity") < 0:
		return nil, wire.Invalid("parameter_invalid_integer", "quantity", "This value must be greater than or equal to 0.")
	case at > now+meterEventFuture:
		return nil, wire.Invalid("timestamp_too_far", "timestamp", "Cannot create the usage record with this timestamp because it is in the future.")
	case at < sub.CurrentPeriodStart || at > sub.CurrentPeriodEnd:
		return nil, wire.Invalid("", "timestamp", "Cannot create the usage record with this timestamp because timestamps must be within the subscription's current period.")
	}
	for _, u := range h.store.UsageRecords.by("item", item.ID) {
		if u.Timestamp == at {
			u.Quantity = added(u.Quantity, in)
			return u.render(), nil
		}
	}
	u := &UsageRecord{Base: Base{ID: h.ids.longID("mbur_1"), Created: now}, Item: item.ID, Quantity: in.Int("quantity"), Timestamp: at}
	h.store.UsageRecords.insert(u)
	return u.render(), nil
}

func added(quantity int64, in *input) int64 {
	if in.String("action") == "set" {
		return in.Int("quantity")
	}
	return quantity + in.Int("quantity")
}

// item returns an item whose usage is reported by usage records.
func (h usageRecords) item(in *input) (*SubscriptionItem, *Subscription, error) {
	id := in.pathValue("subscription_item")
	item, ok := h.store.SubscriptionItems.get(id)
	if !ok {
		return nil, nil, wire.NotFound("subscription_item", id, "id")
	}
	price, _ := h.store.Prices.get(item.Price)
	if !price.Metered || price.Meter != "" {
		return nil, nil, wire.Invalid("", "", "Usage records can only be created for a subscription item with a metered price that has no meter. The price of "+id+" is "+price.ID+".")
	}
	sub, _ := h.store.Subscriptions.get(item.Subscription)
	if sub.hasEnded() {
		return nil, nil, wire.Invalid("", "", "Usage cannot be reported for a subscription that has ended.")
	}
	return item, sub, nil
}

// aggregate is an item's usage from a time until another, as the price's aggregate_usage says.
func (h usageRecords) aggregate(item *SubscriptionItem, p *Price, from, until int64) int64 {
	var sum, most int64
	var last *UsageRecord
	for _, u := range h.store.UsageRecords.by("item", item.ID) {
		if u.Timestamp >= until || u.Timestamp < from && p.AggregateUsage != "last_ever" {
			continue
		}
		sum, most = sum+u.Quantity, max(most, u.Quantity)
		if last == nil || u.Timestamp >= last.Timestamp {
			last = u
		}
	}
	switch {
	case p.AggregateUsage == "max":
		return most
	case last != nil && (p.AggregateUsage == "last_ever" || p.AggregateUsage == "last_during_period"):
		return last.Quantity
	}
	return sum
}

// summaries returns the usage by period, newest first: the current one, and those that were
// invoiced.
func (h usageRecords) summaries(in *input) (any, error) {
	item, ok := h.store.SubscriptionItems.get(in.pathValue("subscription_item"))
	if !ok {
		return nil, wire.NotFound("subscription_item", in.pathValue("subscription_item"), "id")
	}
	sub, _ := h.store.Subscriptions.get(item.Subscription)
	price, _ := h.store.Prices.get(item.Price)
	data := []any{h.summary(item, price, sub.CurrentPeriodStart, sub.CurrentPeriodEnd, "")}
	for _, inv := range slices.Backward(h.store.Invoices.by("subscription", sub.ID)) {
		for _, l := range inv.Lines {
			if l.SubscriptionItem == item.ID && l.PeriodEnd <= sub.CurrentPeriodStart && l.PeriodEnd > l.PeriodStart && !l.Proration {
				data = append(data, h.summary(item, price, l.PeriodStart, l.PeriodEnd, inv.ID))
				break
			}
		}
	}
	return pageOf(wire.List(in.url, data, false), in)
}

func (h usageRecords) summary(item *SubscriptionItem, p *Price, from, until int64, invoice string) wire.Object {
	id := "sis_" + item.ID
	if invoice != "" {
		id += "_" + invoice
	}
	return wire.Object{
		"id": id, "object": "usage_record_summary", "invoice": wire.StringOrNull(invoice), "livemode": false,
		"period": wire.Object{"end": until, "start": from}, "subscription_item": item.ID, "total_usage": h.aggregate(item, p, from, until),
	}
}

func (u *UsageRecord) render() wire.Object {
	return wire.Object{
		"id": u.ID, "object": "usage_record", "livemode": false, "quantity": u.Quantity, "subscription_item": u.Item, "timestamp": u.Timestamp,
	}
}

func sortedDescending(set map[int64]bool) []int64 {
	out := slices.Sorted(maps.Keys(set))
	slices.Reverse(out)
	return out
}
