package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// ActiveEntitlement is a feature that a customer has through one or more subscriptions.
type ActiveEntitlement struct {
	Base
	Customer      string
	Feature       string
	Subscriptions []string // that include the feature, never empty
}

// entitlements serves /v1/entitlements/active_entitlements.
type entitlements struct{ *request }

func entitlementResource() resource {
	return resource{
		objectType: "entitlements.active_entitlement",
		render: renderFrom(func(s *store) *table[*ActiveEntitlement] { return s.ActiveEntitlements },
			bind(entitlements.render)),
		routes: []route{
			on("GET /v1/entitlements/active_entitlements", pageParams+"customer!", entitlements.list),
			on("GET /v1/entitlements/active_entitlements/{id}", "", entitlements.get),
		},
	}
}

func (h entitlements) get(in *input) (any, error) {
	e, ok := h.store.ActiveEntitlements.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("active entitlement", in.pathValue("id"), "id")
	}
	return h.render(e), nil
}

func (h entitlements) list(in *input) (any, error) {
	return listing[*ActiveEntitlement]{
		resource: "active entitlement", table: h.store.ActiveEntitlements,
		rows: h.store.ActiveEntitlements.by("customer", in.String("customer")), render: h.render,
	}.page(in)
}

// refresh makes a customer's entitlements those of a subscription's products. It runs when a
// subscription begins, ends or renews and when its status or prices change: a feature that is
// attached to or detached from a product counts from the next period (docs: entitlements, add your
// features to products). That a past_due subscription keeps its features is inferred.
func (h entitlements) refresh(sub *Subscription) {
	if len(h.store.ProductFeatures.all) == 0 && len(h.store.ActiveEntitlements.all) == 0 {
		return
	}
	before, had := h.renderSummary(sub.Customer), len(h.store.ActiveEntitlements.by("customer", sub.Customer))
	included := h.featuresOf(sub)
	kept := setOf(nil)
	for _, e := range slices.Clone(h.store.ActiveEntitlements.by("customer", sub.Customer)) {
		kept[e.Feature] = h.setGrant(e, sub.ID, slices.Contains(included, e.Feature))
	}
	for _, feature := range included {
		if !kept[feature] {
			h.store.ActiveEntitlements.insert(&ActiveEntitlement{
				Base: Base{ID: h.ids.longID("ent_1"), Created: h.timeOnClock(sub.TestClock)}, Customer: sub.Customer,
				Feature: feature, Subscriptions: []string{sub.ID},
			})
		}
	}
	if after := h.renderSummary(sub.Customer); had > 0 || len(h.store.ActiveEntitlements.by("customer", sub.Customer)) > 0 {
		h.emitUpdate("entitlements.active_entitlement_summary.updated", before, after)
	}
}

// featuresOf returns the features of a subscription's products, each once.
func (h entitlements) featuresOf(sub *Subscription) []string {
	if sub.Status != "active" && sub.Status != "trialing" && sub.Status != "past_due" {
		return nil
	}
	var out []string
	for _, item := range h.subscriptions.items(sub) {
		price, _ := h.store.Prices.get(item.Price)
		for _, x := range h.store.ProductFeatures.by("product", price.Product) {
			if !slices.Contains(out, x.Feature) {
				out = append(out, x.Feature)
			}
		}
	}
	return out
}

// setGrant adds or removes a subscription of an entitlement. It reports whether the entitlement is
// left.
func (h entitlements) setGrant(e *ActiveEntitlement, sub string, grants bool) bool {
	at := slices.Index(e.Subscriptions, sub)
	switch {
	case grants && at < 0:
		e.Subscriptions = append(e.Subscriptions, sub)
	case !grants && at >= 0:
		e.Subscriptions = slices.Delete(e.Subscriptions, at, at+1)
	}
	if len(e.Subscriptions) == 0 {
		h.store.ActiveEntitlements.remove(e.ID)
		return false
	}
	return true
}

// summaryLimit is the number of entitlements in a summary, as in other lists inside objects.
const summaryLimit = 10

func (h entitlements) renderSummary(customer string) wire.Object {
	rows := h.store.ActiveEntitlements.by("customer", customer)
	data := []any{}
	for _, e := range slices.Backward(rows) {
		if len(data) == summaryLimit {
			break
		}
		data = append(data, h.render(e))
	}
	return wire.Object{
		"object": "entitlements.active_entitlement_summary", "customer": customer, "livemode": false,
		"entitlements": wire.List("/v1/customer/"+customer+"/entitlements", data, len(rows) > summaryLimit),
	}
}

func (h entitlements) render(e *ActiveEntitlement) wire.Object {
	f, _ := h.store.EntitlementFeatures.get(e.Feature)
	return wire.Object{
		"id": e.ID, "object": "entitlements.active_entitlement", "feature": wire.Ref("entitlements.feature", e.Feature),
		"livemode": false, "lookup_key": f.LookupKey,
	}
}
