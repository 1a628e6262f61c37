package stripelocal

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"usher/stripelocal/wire"
)

// StateProblems checks the invariants of the whole state: indexes that match their tables,
// references that resolve, amounts that add up. It returns nil if all hold.
func (s *Server) StateProblems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &stateChecker{request: s.newRequest(s.clock(), requestInfo{})}
	i.checkTables()
	i.checkReferences()
	i.checkPrices()
	i.checkCustomers()
	i.checkSubscriptions()
	i.checkInvoices()
	i.checkPayments()
	i.checkConfigurations()
	i.checkFile()
	return i.found
}

type stateChecker struct {
	*request
	found []string
}

func (i *stateChecker) report(format string, args ...any) {
	if len(i.found) < 20 {
		i.found = append(i.found, fmt.Sprintf(format, args...))
	}
}

// checkedTable is a table of any row type.
type checkedTable interface {
	problems() []string
	ids() []string
}

func (i *stateChecker) each(f func(name string, t checkedTable)) {
	v := reflect.ValueOf(i.store).Elem()
	for n := range v.NumField() {
		if t, ok := v.Field(n).Interface().(checkedTable); ok {
			f(v.Type().Field(n).Name, t)
		}
	}
}

func (i *stateChecker) checkTables() {
	i.each(func(name string, t checkedTable) {
		for _, p := range t.problems() {
			i.report("%s: %s", name, p)
		}
	})
}

func (t *table[T]) ids() []string {
	var out []string
	for _, r := range t.all {
		out = append(out, r.base().ID)
	}
	return out
}

func (t *table[T]) problems() []string {
	var out []string
	if len(t.rows) != len(t.all) {
		out = append(out, fmt.Sprintf("%d rows by id, %d in order", len(t.rows), len(t.all)))
	}
	last := int64(0)
	for _, r := range t.all {
		if r.base().Seq <= last || r.base().Seq > t.lastSeq || r.base().ID == "" {
			out = append(out, fmt.Sprintf("%q has place %d after %d of %d", r.base().ID, r.base().Seq, last, t.lastSeq))
		}
		last = r.base().Seq
	}
	for name, ix := range t.indexes {
		out = append(out, t.indexProblems(name, ix)...)
	}
	return out
}

// indexProblems rebuilds an index and compares it.
func (t *table[T]) indexProblems(name string, ix *index[T]) []string {
	fresh := map[string][]string{}
	for _, r := range t.all {
		if key := ix.key(r); key != "" {
			fresh[key] = append(fresh[key], r.base().ID)
		}
	}
	kept := map[string][]string{}
	for key, rows := range ix.rows {
		for _, r := range rows {
			kept[key] = append(kept[key], r.base().ID)
		}
	}
	if maps.EqualFunc(fresh, kept, slices.Equal[[]string]) {
		return nil
	}
	return []string{fmt.Sprintf("index %s holds %v, should hold %v", name, kept, fresh)}
}

// checkReferences renders every object and resolves each reference in it.
func (i *stateChecker) checkReferences() {
	owned := map[string]string{}
	i.each(func(_ string, t checkedTable) {
		for _, id := range t.ids() {
			for kind, render := range i.renderers {
				if render == nil || kind == "card" || owned[id] != "" {
					continue
				}
				if o, ok := render(i.request, id); ok {
					owned[id] = kind
					i.follow(kind+" "+id, o)
				}
			}
		}
	})
}

func (i *stateChecker) follow(where string, v any) {
	switch v := v.(type) {
	case wire.Reference:
		render := i.renderers[v.Kind]
		if v.ID == "" {
			return
		}
		if render == nil {
			i.report("%s refers to a %s, which cannot be rendered", where, v.Kind)
		} else if _, ok := render(i.request, v.ID); !ok {
			i.report("%s refers to %s %s, which does not exist", where, v.Kind, v.ID)
		}
	case wire.Object:
		for name, inner := range v {
			i.follow(where+" "+name, inner)
		}
	case []any:
		for _, inner := range v {
			i.follow(where, inner)
		}
	}
}

func (i *stateChecker) checkPrices() {
	holders := map[string]string{}
	for _, p := range i.store.Prices.all {
		if other := holders[p.LookupKey]; p.LookupKey != "" && other != "" {
			i.report("lookup key %s belongs to %s and %s", p.LookupKey, other, p.ID)
		}
		holders[p.LookupKey] = p.ID
		if product, ok := i.store.Products.get(p.Product); !ok || product.Deleted {
			i.report("price %s is of %s, which does not exist", p.ID, p.Product)
		}
	}
}

func (i *stateChecker) checkCustomers() {
	for _, c := range i.store.Customers.all {
		for _, id := range []string{c.DefaultPaymentMethod, c.DefaultSource} {
			if pm, ok := i.store.PaymentMethods.get(id); id != "" && !c.Deleted && (!ok || pm.Customer != c.ID) {
				i.report("customer %s pays with %s, which is not theirs", c.ID, id)
			}
		}
		for _, sub := range i.store.Subscriptions.by("customer", c.ID) {
			if c.Deleted && !sub.hasEnded() {
				i.report("customer %s is deleted, subscription %s is %s", c.ID, sub.ID, sub.Status)
			}
		}
	}
}

func (i *stateChecker) checkSubscriptions() {
	for _, sub := range i.store.Subscriptions.all {
		if sub.CurrentPeriodEnd < sub.CurrentPeriodStart {
			i.report("subscription %s has a period from %d to %d", sub.ID, sub.CurrentPeriodStart, sub.CurrentPeriodEnd)
		}
		items := i.store.SubscriptionItems.by("subscription", sub.ID)
		if len(items) == 0 {
			i.report("subscription %s has no items", sub.ID)
		}
		for _, item := range items {
			if p, ok := i.store.Prices.get(item.Price); !ok || p.Interval == "" || !p.supports(sub.Currency) {
				i.report("item %s of subscription %s has price %s", item.ID, sub.ID, item.Price)
			}
			if item.Quantity < 0 {
				i.report("item %s has quantity %d", item.ID, item.Quantity)
			}
		}
	}
}

func (i *stateChecker) checkInvoices() {
	numbers := map[string]string{}
	for _, inv := range i.store.Invoices.all {
		o := i.invoices.render(inv)
		due, got, left := o["amount_due"].(int64), o["amount_paid"].(int64), o["amount_remaining"].(int64)
		if due < 0 || left < 0 || left != due-got && inv.Status != "paid" {
			i.report("invoice %s (%s): due %d, paid %d, remaining %d", inv.ID, inv.Status, due, got, left)
		}
		if inv.Status == "paid" && left != 0 {
			i.report("invoice %s is paid, %d remains", inv.ID, left)
		}
		if inv.Number == "" && inv.Status != "draft" {
			i.report("invoice %s is %s and has no number", inv.ID, inv.Status)
		}
		if other := numbers[inv.Number]; inv.Number != "" && other != "" {
			i.report("invoices %s and %s have number %s", inv.ID, other, inv.Number)
		}
		numbers[inv.Number] = inv.ID
	}
}

func (i *stateChecker) checkPayments() {
	taken := map[string]int64{}
	for _, ch := range i.store.Charges.all {
		if ch.AmountRefunded < 0 || ch.AmountRefunded > ch.Amount {
			i.report("of charge %s over %d, %d is refunded", ch.ID, ch.Amount, ch.AmountRefunded)
		}
		if ch.Failure == nil {
			taken[ch.PaymentIntent] += ch.Amount
		}
	}
	for _, pi := range i.store.PaymentIntents.all {
		if pi.AmountReceived > pi.Amount || pi.Status != "succeeded" && pi.AmountReceived != 0 {
			i.report("payment intent %s (%s) over %d received %d", pi.ID, pi.Status, pi.Amount, pi.AmountReceived)
		}
		if pi.Status == "succeeded" && taken[pi.ID] != pi.Amount {
			i.report("payment intent %s over %d has charges over %d", pi.ID, pi.Amount, taken[pi.ID])
		}
	}
}

func (i *stateChecker) checkConfigurations() {
	count := 0
	for _, c := range i.store.PortalConfigurations.all {
		if renderPortalConfiguration(c)["is_default"] == true {
			count++
		}
	}
	if count > 1 {
		i.report("%d portal configurations are the default", count)
	}
}

// checkFile encodes the state, decodes it and encodes it again.
func (i *stateChecker) checkFile() {
	first, err := i.store.encode()
	if err != nil {
		i.report("the state cannot be written: %v", err)
		return
	}
	again, err := decodeStore(first, &archive{})
	if err != nil {
		i.report("the state cannot be read: %v", err)
		return
	}
	second, err := again.encode()
	if err != nil || !bytes.Equal(first, second) {
		at := 0
		for at < min(len(first), len(second)) && first[at] == second[at] {
			at++
		}
		i.report("the state is read as another (%v), from %q", err, first[max(0, at-60):min(len(first), at+60)])
	}
}
