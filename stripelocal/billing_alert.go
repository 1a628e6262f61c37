package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// BillingAlert sends billing.alert.triggered once for each customer whose usage of a meter reaches
// a threshold (API reference: billing alerts).
type BillingAlert struct {
	Base
	Customer  string // empty is every customer
	Meter     string
	Status    string // active, inactive or archived
	Threshold int64
	Title     string
	Triggered []string // customers
}

// alerts serves /v1/billing/alerts.
type alerts struct{ *request }

func billingAlertResource() resource {
	return resource{
		objectType: "billing.alert",
		render: renderFrom(func(s *store) *table[*BillingAlert] { return s.BillingAlerts },
			func(_ *request, a *BillingAlert) wire.Object { return a.render() }),
		routes: []route{
			on("POST /v1/billing/alerts", "alert_type:usage_threshold! title:256! filter{customer} usage_threshold_config{gte:int! meter recurrence:one_time!}", alerts.create),
			on("GET /v1/billing/alerts", pageParams+"alert_type:usage_threshold meter", alerts.list),
			on("GET /v1/billing/alerts/{id}", "", alerts.get),
			on("POST /v1/billing/alerts/{id}/activate", "", alerts.activate),
			on("POST /v1/billing/alerts/{id}/deactivate", "", alerts.deactivate),
			on("POST /v1/billing/alerts/{id}/archive", "", alerts.archive),
		},
	}
}

func (h alerts) create(in *input) (any, error) {
	t := in.At("usage_threshold_config")
	if !in.Has("usage_threshold_config") {
		return nil, wire.MissingParam("usage_threshold_config")
	}
	if !t.Has("meter") {
		return nil, wire.MissingParam(t.Name("meter"))
	}
	if _, ok := h.store.Meters.get(t.String("meter")); !ok {
		return nil, wire.NoSuch("billing meter", t.String("meter"), t.Name("meter"))
	}
	a := &BillingAlert{
		Base: Base{ID: h.ids.longID("alrt_1"), Created: h.now}, Title: in.String("title"), Meter: t.String("meter"), Threshold: t.Int("gte"), Status: "active",
	}
	if filter := in.At("filter"); filter.Has("customer") {
		c, err := h.customers.fromParam(filter, "customer")
		if err != nil {
			return nil, err
		}
		a.Customer = c.ID
	}
	h.store.BillingAlerts.insert(a)
	return a.render(), nil
}

func (h alerts) find(in *input) (*BillingAlert, error) {
	a, ok := h.store.BillingAlerts.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("billing alert", in.pathValue("id"), "id")
	}
	return a, nil
}

func (h alerts) get(in *input) (any, error) {
	a, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return a.render(), nil
}

func (h alerts) activate(in *input) (any, error)   { return h.setStatus(in, "inactive", "active") }
func (h alerts) deactivate(in *input) (any, error) { return h.setStatus(in, "active", "inactive") }
func (h alerts) archive(in *input) (any, error)    { return h.setStatus(in, "", "archived") }

// setStatus changes the status of an alert that has another one. An archived alert stays archived.
func (h alerts) setStatus(in *input, from, to string) (any, error) {
	a, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if a.Status == "archived" || from != "" && a.Status != from {
		return nil, wire.Invalid("", "", "This alert is "+a.Status+" and cannot become "+to+".")
	}
	a.Status = to
	return a.render(), nil
}

func (h alerts) list(in *input) (any, error) {
	return listing[*BillingAlert]{
		resource: "billing alert", table: h.store.BillingAlerts, rows: h.store.BillingAlerts.all,
		filter: func(a *BillingAlert) bool { return !in.Has("meter") || a.Meter == in.String("meter") },
		render: (*BillingAlert).render,
	}.page(in)
}

// check triggers the alerts that a customer's usage has reached. Usage counts from the alert's
// creation (inferred).
func (h alerts) check(m *Meter, c *Customer) {
	for _, a := range h.store.BillingAlerts.all {
		if a.Meter != m.ID || a.Status != "active" || a.Customer != "" && a.Customer != c.ID || slices.Contains(a.Triggered, c.ID) {
			continue
		}
		used := wire.Round(h.meters.usage(m, c.ID, a.Created, h.timeFor(c)+meterEventFuture+1))
		if used >= a.Threshold {
			a.Triggered = append(a.Triggered, c.ID)
			h.emit("billing.alert.triggered", wire.Object{
				"object": "billing.alert_triggered", "alert": a.render(), "created": h.now, "customer": c.ID, "livemode": false, "value": used,
			})
		}
	}
}

func (a *BillingAlert) render() wire.Object {
	var filter any
	if a.Customer != "" {
		filter = wire.Object{"customer": wire.Ref("customer", a.Customer)}
	}
	return wire.Object{
		"id": a.ID, "object": "billing.alert", "alert_type": "usage_threshold", "livemode": false, "status": a.Status, "title": a.Title, "filter": filter,
		"usage_threshold_config": wire.Object{"gte": a.Threshold, "meter": wire.Ref("billing.meter", a.Meter), "recurrence": "one_time"},
	}
}
