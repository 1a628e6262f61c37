package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// subscriptionChange is a requested change of a subscription's items, trial or billing cycle.
type subscriptionChange struct {
	items             []itemChange
	invoiceItems      []newItem // one-time prices for the next invoice
	prorationBehavior string    // empty is create_prorations
	prorationDate     int64     // 0 is now
	trialEnd          int64     // 0 is no change; a time not after now ends the trial
	resetAnchor       bool
}

// itemChange changes one item. item is nil for a new item; price is nil for a removed one.
type itemChange struct {
	item     *SubscriptionItem
	price    *Price
	quantity int64
	metadata wire.Params
}

func (c itemChange) changesBilling() bool {
	return c.item == nil || c.price == nil || c.price.ID != c.item.Price || c.quantity != c.item.Quantity
}

// billingState is the status, trial and billing period of a subscription.
type billingState struct {
	Status     string
	Anchor     int64
	Start      int64
	End        int64
	TrialStart int64
	TrialEnd   int64
}

func (x *Subscription) billingState() billingState {
	return billingState{x.Status, x.BillingCycleAnchor, x.CurrentPeriodStart, x.CurrentPeriodEnd, x.TrialStart, x.TrialEnd}
}

func (x *Subscription) setBillingState(s billingState) {
	moved := s.Anchor != x.BillingCycleAnchor
	x.Status, x.BillingCycleAnchor, x.CurrentPeriodStart, x.CurrentPeriodEnd = s.Status, s.Anchor, s.Start, s.End
	if moved {
		x.schedulePendingInvoice(s.Start)
	}
	if s.TrialEnd != x.TrialEnd {
		x.TrialWillEndSent = false
	}
	x.TrialStart, x.TrialEnd = s.TrialStart, s.TrialEnd
}

// plannedItem is an item after a change. New items have an id already.
type plannedItem struct {
	ID       string
	Price    string
	Quantity int64
	Metadata map[string]string
}

// changePlan is the computed result of a change, before anything is stored. The update and its
// preview share it, so that they cannot differ.
type changePlan struct {
	items            []plannedItem
	prorations       []*InvoiceItem // and other items for the next invoice; not stored yet
	usage            []InvoiceLine  // of the period that a new one ends
	after            billingState
	prorationDate    int64
	newPeriod        bool // a new period starts now
	billsImmediately bool
}

// subscriptionChanges plans and applies changes of items, trial and billing cycle.
type subscriptionChanges struct{ *request }

func (h subscriptionChanges) plan(sub *Subscription, ch subscriptionChange) changePlan {
	now := h.timeOnClock(sub.TestClock)
	p := changePlan{items: h.itemsAfter(sub, ch.items), prorationDate: now}
	if ch.prorationDate != 0 {
		p.prorationDate = ch.prorationDate
	}
	p.after, p.newPeriod = h.billingStateAfter(sub, ch, p.items, now)
	if p.newPeriod {
		p.usage = h.usages.lines(sub, sub.CurrentPeriodStart, now)
	}
	if ch.prorationBehavior != "none" {
		p.prorations = h.prorations.forChange(sub, ch, p)
	}
	for _, e := range ch.invoiceItems {
		p.prorations = append(p.prorations, h.prorations.forInvoiceItem(sub, e, now))
	}
	p.billsImmediately = p.newPeriod || ch.prorationBehavior == "always_invoice" && len(p.prorations) > 0
	return p
}

func (h subscriptionChanges) itemsAfter(sub *Subscription, changes []itemChange) []plannedItem {
	byItem := map[string]itemChange{}
	for _, c := range changes {
		if c.item != nil {
			byItem[c.item.ID] = c
		}
	}
	var out []plannedItem
	for _, item := range h.subscriptions.items(sub) {
		c, changed := byItem[item.ID]
		switch {
		case !changed:
			out = append(out, plannedItem{item.ID, item.Price, item.Quantity, item.Metadata})
		case c.price != nil:
			metadata := item.Metadata
			c.metadata.SetMetadata(&metadata)
			out = append(out, plannedItem{item.ID, c.price.ID, c.quantity, metadata})
		}
	}
	for _, c := range changes {
		if c.item == nil {
			out = append(out, plannedItem{h.ids.shortID("si_"), c.price.ID, c.quantity, c.metadata.Metadata()})
		}
	}
	return out
}

// billingStateAfter returns the state after a change, and whether a new period starts that is
// billed immediately: if a trial starts or ends, the interval changes, a free subscription becomes
// paid, or the anchor is reset (docs: change the billing cycle).
func (h subscriptionChanges) billingStateAfter(sub *Subscription, ch subscriptionChange, items []plannedItem, now int64) (billingState, bool) {
	s := sub.billingState()
	trialing := s.Status == "trialing"
	switch {
	case ch.trialEnd > now:
		if !trialing {
			s.Start, s.TrialStart = now, now
		}
		s.Status, s.Anchor, s.End, s.TrialEnd = "trialing", ch.trialEnd, ch.trialEnd, ch.trialEnd
		return s, !trialing
	case trialing && ch.trialEnd == 0:
		return s, false
	case trialing:
		s.Status, s.TrialEnd = "active", now
	case !ch.resetAnchor && !h.intervalChanges(sub, items) && !h.stopsBeingFree(sub, items):
		return s, false
	}
	s.Start, s.Anchor = now, now
	if price, ok := h.store.Prices.get(items[0].Price); ok {
		s.End = price.periodAfter(now, now)
	}
	return s, true
}

func (h subscriptionChanges) intervalChanges(sub *Subscription, items []plannedItem) bool {
	was, had := h.subscriptions.firstPrice(sub)
	is, has := h.store.Prices.get(items[0].Price)
	return had && has && (was.Interval != is.Interval || was.IntervalCount != is.IntervalCount)
}

func (h subscriptionChanges) stopsBeingFree(sub *Subscription, items []plannedItem) bool {
	return h.periodTotal(sub, h.itemsAfter(sub, nil)) == 0 && h.periodTotal(sub, items) > 0
}

// periodTotal is the price of the items for a full period.
func (h subscriptionChanges) periodTotal(sub *Subscription, items []plannedItem) int64 {
	var sum int64
	for _, item := range items {
		if p, ok := h.prices.inCurrency(item.Price, sub.Currency); ok {
			sum += p.fixedAmount(item.Quantity)
		}
	}
	return sum
}

// apply applies a plan except for its invoice.
func (h subscriptionChanges) apply(sub *Subscription, p changePlan) {
	h.setItems(sub, p.items)
	h.storeProrations(p)
	sub.setBillingState(p.after)
}

func (h subscriptionChanges) storeProrations(p changePlan) {
	for _, i := range p.prorations {
		h.invoiceItems.insert(i)
	}
}

// setItems makes a subscription's items equal to the given ones.
func (h subscriptionChanges) setItems(sub *Subscription, items []plannedItem) {
	kept := map[string]bool{}
	for _, i := range items {
		kept[i.ID] = true
		item, ok := h.store.SubscriptionItems.get(i.ID)
		if !ok {
			h.store.SubscriptionItems.insert(&SubscriptionItem{
				Base:     Base{ID: i.ID, Created: h.timeOnClock(sub.TestClock)},
				Metadata: i.Metadata, Price: i.Price, Quantity: i.Quantity, Subscription: sub.ID,
			})
			continue
		}
		item.Price, item.Quantity, item.Metadata = i.Price, i.Quantity, i.Metadata
	}
	for _, item := range append([]*SubscriptionItem{}, h.subscriptions.items(sub)...) {
		if !kept[item.ID] {
			h.store.SubscriptionItems.remove(item.ID)
		}
	}
}

// createInvoice creates the plan's invoice if it bills immediately.
func (h subscriptionChanges) createInvoice(sub *Subscription, p changePlan) (*Invoice, bool) {
	if !p.billsImmediately {
		return nil, false
	}
	inv := h.invoicing.build(sub, "subscription_update", h.invoiceItems.pendingFor(sub), h.newPeriodLines(sub, p))
	h.invoicing.insert(sub, inv)
	return inv, true
}

// newPeriodLines are the lines of the period that starts with a plan, if one does.
func (h subscriptionChanges) newPeriodLines(sub *Subscription, p changePlan) []InvoiceLine {
	if !p.newPeriod {
		return nil
	}
	return slices.Concat(p.usage, h.subscriptions.periodLines(sub, p.items, p.after))
}
