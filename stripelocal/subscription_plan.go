package stripelocal

// change is what is asked of a subscription's items, trial and anchor.
type change struct {
	items     []itemChange
	extra     []newItem // one-time prices for the next invoice
	behavior  string    // of prorations; empty is create_prorations
	date      int64     // that prorations count from; 0 is now
	trialEnd  int64     // 0 leaves the trial alone; a moment not after now ends it
	anchorNow bool
}

// itemChange is what an update does to one item; item is nil for a new one,
// price is nil for one that goes.
type itemChange struct {
	item     *SubscriptionItem
	price    *Price
	quantity int64
	metadata params
}

func (c itemChange) changesBilling() bool {
	return c.item == nil || c.price == nil || c.price.ID != c.item.Price || c.quantity != c.item.Quantity
}

// standing is where a subscription stands in time.
type standing struct {
	Status     string
	Anchor     int64
	Start      int64
	End        int64
	TrialStart int64
	TrialEnd   int64
}

func (x *Subscription) standing() standing {
	return standing{x.Status, x.BillingCycleAnchor, x.CurrentPeriodStart, x.CurrentPeriodEnd, x.TrialStart, x.TrialEnd}
}

func (x *Subscription) stand(s standing) {
	x.Status, x.BillingCycleAnchor, x.CurrentPeriodStart, x.CurrentPeriodEnd = s.Status, s.Anchor, s.Start, s.End
	if s.TrialEnd != x.TrialEnd {
		x.TrialWarned = false
	}
	x.TrialStart, x.TrialEnd = s.TrialStart, s.TrialEnd
}

// plannedItem is an item as it is to be; new ones have their id already.
type plannedItem struct {
	ID       string
	Price    string
	Quantity int64
	Metadata map[string]string
}

// plan is what comes of a change, worked out before anything is touched. The
// update and its preview both are made of it, so they cannot differ.
type plan struct {
	items      []plannedItem
	prorations []*InvoiceItem // and what else waits for an invoice; not stored yet
	after      standing
	date       int64
	moved      bool // a new period begins now
	billsNow   bool
}

func (a *act) plan(sub *Subscription, ch change) plan {
	now := a.timeOn(sub.TestClock)
	p := plan{items: a.itemsAfter(sub, ch.items), date: now}
	if ch.date != 0 {
		p.date = ch.date
	}
	p.after, p.moved = a.standingAfter(sub, ch, p.items, now)
	if ch.behavior != "none" {
		p.prorations = a.prorations(sub, ch, p)
	}
	for _, e := range ch.extra {
		p.prorations = append(p.prorations, a.extraItem(sub, e, now))
	}
	p.billsNow = p.moved || ch.behavior == "always_invoice" && len(p.prorations) > 0
	return p
}

func (a *act) itemsAfter(sub *Subscription, changes []itemChange) []plannedItem {
	byItem := map[string]itemChange{}
	for _, c := range changes {
		if c.item != nil {
			byItem[c.item.ID] = c
		}
	}
	var out []plannedItem
	for _, item := range a.items(sub) {
		c, changed := byItem[item.ID]
		switch {
		case !changed:
			out = append(out, plannedItem{item.ID, item.Price, item.Quantity, item.Metadata})
		case c.price != nil:
			metadata := item.Metadata
			c.metadata.setMetadata(&metadata)
			out = append(out, plannedItem{item.ID, c.price.ID, c.quantity, metadata})
		}
	}
	for _, c := range changes {
		if c.item == nil {
			out = append(out, plannedItem{a.ids.short("si_"), c.price.ID, c.quantity, c.metadata.metadata()})
		}
	}
	return out
}

// standingAfter says where the change leaves the subscription, and whether a
// new period, billed at once, begins with it: when a trial begins or ends, the
// interval changes, a free subscription begins to cost something, or the
// anchor is moved (docs: change the billing cycle).
func (a *act) standingAfter(sub *Subscription, ch change, items []plannedItem, now int64) (standing, bool) {
	s := sub.standing()
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
	case !ch.anchorNow && !a.intervalChanges(sub, items) && !a.becomesPaid(sub, items):
		return s, false
	}
	s.Start, s.Anchor = now, now
	if price, ok := a.state.Prices.get(items[0].Price); ok {
		s.End = periodAfter(now, price, now)
	}
	return s, true
}

func (a *act) intervalChanges(sub *Subscription, items []plannedItem) bool {
	was, had := a.renewalPrice(sub)
	is, has := a.state.Prices.get(items[0].Price)
	return had && has && (was.Interval != is.Interval || was.IntervalCount != is.IntervalCount)
}

func (a *act) becomesPaid(sub *Subscription, items []plannedItem) bool {
	return a.cost(a.itemsAfter(sub, nil)) == 0 && a.cost(items) > 0
}

// cost is what the items come to in a full period.
func (a *act) cost(items []plannedItem) int64 {
	var sum int64
	for _, item := range items {
		if p, ok := a.state.Prices.get(item.Price); ok {
			sum += p.amount(item.Quantity)
		}
	}
	return sum
}

// carryOut does what was planned, but for the billing.
func (a *act) carryOut(sub *Subscription, p plan) {
	a.putItems(sub, p.items)
	a.storeProrations(p)
	sub.stand(p.after)
}

func (a *act) storeProrations(p plan) {
	for _, i := range p.prorations {
		a.addInvoiceItem(i)
	}
}

// putItems brings a subscription's items to those given.
func (a *act) putItems(sub *Subscription, items []plannedItem) {
	kept := map[string]bool{}
	for _, i := range items {
		kept[i.ID] = true
		item, ok := a.state.Items.get(i.ID)
		if !ok {
			a.state.Items.insert(&SubscriptionItem{
				Base:     Base{ID: i.ID, Created: a.timeOn(sub.TestClock)},
				Metadata: i.Metadata, Price: i.Price, Quantity: i.Quantity, Subscription: sub.ID,
			})
			continue
		}
		item.Price, item.Quantity, item.Metadata = i.Price, i.Quantity, i.Metadata
	}
	for _, item := range append([]*SubscriptionItem{}, a.items(sub)...) {
		if !kept[item.ID] {
			a.state.Items.remove(item.ID)
		}
	}
}

// billPlan makes the invoice that a plan calls for, if it does.
func (a *act) billPlan(sub *Subscription, p plan) (*Invoice, bool) {
	if !p.billsNow {
		return nil, false
	}
	inv := a.assemble(sub, "subscription_update", a.pendingItems(sub), a.planLines(sub, p))
	inv.SubProrationDate = p.date
	a.issue(sub, inv)
	return inv, true
}

// planLines are the lines of the period that begins with a plan, if one does.
func (a *act) planLines(sub *Subscription, p plan) []InvoiceLine {
	if !p.moved {
		return nil
	}
	return a.periodLines(sub, p.items, p.after)
}
