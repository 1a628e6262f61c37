package stripelocal

import "usher/stripelocal/wire"

// checkUsage checks how a recurring price or plan is used: licensed, or metered by usage records or
// by a meter (API reference: create a price; the wording is inferred).
func (h prices) checkUsage(p wire.Params) error {
	metered := p.String("usage_type") == "metered"
	switch {
	case !metered && p.Has("meter"):
		return wire.Invalid("", p.Name("meter"), "`meter` can only be set if `usage_type` is `metered`.")
	case !metered && p.Has("aggregate_usage"):
		return wire.Invalid("", p.Name("aggregate_usage"), "`aggregate_usage` can only be set if `usage_type` is `metered`.")
	case p.Has("meter") && p.Has("aggregate_usage"):
		return wire.Invalid("", p.Name("aggregate_usage"), "`aggregate_usage` cannot be set with a `meter`, which has an aggregation of its own.")
	case !p.Has("meter"):
		return nil
	}
	m, ok := h.store.Meters.get(p.String("meter"))
	switch {
	case !ok:
		return wire.NoSuch("billing meter", p.String("meter"), p.Name("meter"))
	case m.DeactivatedAt != 0:
		return wire.Invalid("", p.Name("meter"), "The meter "+m.ID+" is inactive.")
	}
	return nil
}

func (p *Price) setUsage(from wire.Params) {
	p.Metered, p.Meter = from.String("usage_type") == "metered", from.String("meter")
	if p.Metered && p.Meter == "" {
		p.AggregateUsage = from.StringOr("aggregate_usage", "sum")
	}
}

func (p *Price) usageType() string {
	if p.Metered {
		return "metered"
	}
	return "licensed"
}

// quantityFrom reads an item's quantity: without one 1, or 0 if the price is metered.
func (p *Price) quantityFrom(item wire.Params) int64 {
	if p.Metered {
		return item.IntOr("quantity", 0)
	}
	return item.IntOr("quantity", 1)
}

// fixedAmount is what a quantity costs in advance: nothing if the price is metered, whose usage is
// billed afterwards and never prorated (docs: usage-based billing).
func (p *Price) fixedAmount(quantity int64) int64 {
	if p.Metered {
		return 0
	}
	return p.amount(quantity)
}

// usages bills the usage of metered prices.
type usages struct{ *request }

// of is the usage of an item from a time until another. Usage counts from the item's creation.
func (h usages) of(sub *Subscription, item *SubscriptionItem, p *Price, from, until int64) int64 {
	from = max(from, item.Created)
	if m, ok := h.store.Meters.get(p.Meter); ok {
		return wire.Round(h.meters.usage(m, sub.Customer, from, until))
	}
	return h.usageRecords.aggregate(item, p, from, until)
}

// lines bill the usage of a span by all metered items. Usage in a trial is free (inferred).
func (h usages) lines(sub *Subscription, from, until int64) []InvoiceLine {
	var out []InvoiceLine
	for _, item := range h.subscriptions.items(sub) {
		price, ok := h.prices.inCurrency(item.Price, sub.Currency)
		if !ok || !price.Metered {
			continue
		}
		parts := h.prices.periodAmounts(price, h.of(sub, item, price, from, until))
		if sub.Status == "trialing" {
			parts = []InvoiceLine{{Description: h.prices.describeTrial(price)}}
		}
		out = append(out, linesOf(parts, sub, price, item.ID, from, until)...)
	}
	return out
}

// opening are the lines over 0 that announce metered items on the invoice of a period that begins
// (inferred).
func (h usages) opening(sub *Subscription) []InvoiceLine {
	var out []InvoiceLine
	for _, item := range h.subscriptions.items(sub) {
		if price, ok := h.prices.inCurrency(item.Price, sub.Currency); ok && price.Metered {
			part := InvoiceLine{Description: h.prices.describeLine(price, 0)}
			if sub.Status == "trialing" {
				part.Description = h.prices.describeTrial(price)
			}
			out = append(out, linesOf([]InvoiceLine{part}, sub, price, item.ID, sub.CurrentPeriodStart, sub.CurrentPeriodEnd)...)
		}
	}
	return out
}

// unbilled are the lines of the usage since the current period's start, if there is any.
func (h usages) unbilled(sub *Subscription) []InvoiceLine {
	if sub.Status == "trialing" || sub.Status == "incomplete" || sub.Status == "paused" {
		return nil
	}
	var out []InvoiceLine
	for _, l := range h.lines(sub, sub.CurrentPeriodStart, min(sub.CurrentPeriodEnd, h.timeOnClock(sub.TestClock))) {
		if l.Quantity > 0 {
			out = append(out, l)
		}
	}
	return out
}

// linesOf completes the lines of an item for a span.
func linesOf(parts []InvoiceLine, sub *Subscription, p *Price, item string, from, until int64) []InvoiceLine {
	for i := range parts {
		l := &parts[i]
		l.Type, l.Metadata, l.PeriodStart, l.PeriodEnd = "subscription", sub.Metadata, from, until
		l.Price, l.Subscription, l.SubscriptionItem = p.ID, sub.ID, item
	}
	return parts
}
