package main

// itemChange is a change of a subscription's seat item.
type itemChange struct {
	past    *subscriptionPast
	n       int // of the event
	event   subscriptionEvent
	before  recordedSubscription
	was, is recordedItem
}

// changeAt returns the change of the seat item that an event tells of, if it can be charged.
func (s *subscriptionPast) changeAt(n int) (itemChange, bool) {
	c := itemChange{past: s, n: n, event: s.events[n], before: s.events[n-1].Data.Object}
	var had, has bool
	c.was, had = c.before.seatItem()
	c.is, has = c.event.Data.Object.seatItem()
	same := c.was.Price.ID == c.is.Price.ID && c.was.Quantity == c.is.Quantity
	return c, (had || has) && !same && c.before.Status != "trialing"
}

// charges lists what a change may charge: from each of the dates and with each of the discounts.
func (c itemChange) charges(dates ...int64) (alternatives [][]charge) {
	for _, at := range dates {
		for _, discount := range c.past.discountsAt(c.n) {
			alternatives = append(alternatives, c.lines(at, discount))
		}
	}
	return alternatives
}

// lines returns the credit for unused time and the charge for the rest of the period. A change that
// begins a new period is charged for that period.
func (c itemChange) lines(at int64, discount *recordedDiscount) (lines []charge) {
	is := c.event.Data.Object
	if c.was.Quantity > 0 {
		lines = append(lines, c.line(at, c.was, -netAmount(c.before, c.was, discount, c.event.Created)))
	}
	if c.is.Quantity > 0 && samePeriod(is, c.before) {
		lines = append(lines, c.line(at, c.is, netAmount(is, c.is, discount, c.event.Created)))
	}
	return lines
}

// line charges an item's share of an amount for the period.
func (c itemChange) line(at int64, item recordedItem, amount int64) charge {
	share := shareOf(amount, at, c.before.PeriodStart, c.before.PeriodEnd)
	return charge{item.Price.ID, at, c.before.PeriodEnd, item.Quantity, share, true}
}
