package stripelocal

import "usher/stripelocal/wire"

// Meter counts or sums a customer's events (docs: usage-based billing, meters). Prices with a meter
// are billed by it.
type Meter struct {
	Base
	CustomerKey   string // of an event's payload
	DeactivatedAt int64  // 0 while the meter is active
	DisplayName   string
	EventName     string
	Formula       string // count or sum
	TimeWindow    string // day, hour or empty
	Updated       int64
	ValueKey      string // of an event's payload
}

// meters serves /v1/billing/meters.
type meters struct{ *request }

func meterResource() resource {
	return resource{
		objectType: "billing.meter",
		render: renderFrom(func(s *store) *table[*Meter] { return s.Meters },
			func(_ *request, m *Meter) wire.Object { return m.render() }),
		routes: []route{
			on("POST /v1/billing/meters", "display_name:250! event_name:100! default_aggregation{formula:count|sum!}! customer_mapping{event_payload_key:100! type:by_id!} event_time_window:day|hour value_settings{event_payload_key:100!}", meters.create),
			on("GET /v1/billing/meters", pageParams+"status:active|inactive", meters.list),
			on("GET /v1/billing/meters/{id}", "", meters.get),
			on("POST /v1/billing/meters/{id}", "display_name:250", meters.update),
			on("POST /v1/billing/meters/{id}/deactivate", "", meters.deactivate),
			on("POST /v1/billing/meters/{id}/reactivate", "", meters.reactivate),
			on("GET /v1/billing/meters/{id}/event_summaries", pageParams+"customer! start_time:time! end_time:time! value_grouping_window:day|hour", meters.summaries),
		},
	}
}

func (h meters) create(in *input) (any, error) {
	if _, taken := h.active(in.String("event_name")); taken {
		return nil, duplicateMeter(in.String("event_name"))
	}
	m := &Meter{
		Base: Base{ID: h.ids.longID("mtr_test_"), Created: h.now}, Updated: h.now, DisplayName: in.String("display_name"), EventName: in.String("event_name"),
		Formula: in.At("default_aggregation").String("formula"), TimeWindow: in.String("event_time_window"),
		CustomerKey: in.At("customer_mapping").StringOr("event_payload_key", "stripe_customer_id"),
		ValueKey:    in.At("value_settings").StringOr("event_payload_key", "value"),
	}
	h.store.Meters.insert(m)
	return m.render(), nil
}

// active returns the active meter of an event name. There is at most one (docs: create a meter; the
// wording is inferred).
func (h meters) active(eventName string) (*Meter, bool) {
	for _, m := range h.store.Meters.all {
		if m.EventName == eventName && m.DeactivatedAt == 0 {
			return m, true
		}
	}
	return nil, false
}

func duplicateMeter(eventName string) *wire.Error {
	return wire.Invalid("resource_already_exists", "event_name", "An active meter with the event name `"+eventName+"` already exists.")
}

func (h meters) find(in *input) (*Meter, error) {
	m, ok := h.store.Meters.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("billing meter", in.pathValue("id"), "id")
	}
	return m, nil
}

func (h meters) get(in *input) (any, error) {
	m, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return m.render(), nil
}

func (h meters) update(in *input) (any, error) {
	m, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.SetString("display_name", &m.DisplayName)
	m.Updated = h.now
	return m.render(), nil
}

// deactivate stops a meter: it takes no more events, and new prices cannot have it.
func (h meters) deactivate(in *input) (any, error) {
	m, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if m.DeactivatedAt != 0 {
		return nil, wire.Invalid("", "", "This meter is already inactive.")
	}
	m.DeactivatedAt, m.Updated = h.now, h.now
	return m.render(), nil
}

func (h meters) reactivate(in *input) (any, error) {
	m, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if m.DeactivatedAt == 0 {
		return nil, wire.Invalid("", "", "This meter is already active.")
	}
	if _, taken := h.active(m.EventName); taken {
		return nil, duplicateMeter(m.EventName)
	}
	m.DeactivatedAt, m.Updated = 0, h.now
	return m.render(), nil
}

func (h meters) list(in *input) (any, error) {
	return listing[*Meter]{
		resource: "billing meter", table: h.store.Meters, rows: h.store.Meters.all,
		filter: func(m *Meter) bool { return !in.Has("status") || m.status() == in.String("status") },
		render: (*Meter).render,
	}.page(in)
}

func (m *Meter) status() string {
	if m.DeactivatedAt != 0 {
		return "inactive"
	}
	return "active"
}

func (m *Meter) render() wire.Object {
	return wire.Object{
		"id": m.ID, "object": "billing.meter", "created": m.Created, "livemode": false, "updated": m.Updated,
		"customer_mapping":    wire.Object{"event_payload_key": m.CustomerKey, "type": "by_id"},
		"default_aggregation": wire.Object{"formula": m.Formula}, "display_name": m.DisplayName, "event_name": m.EventName,
		"event_time_window": wire.StringOrNull(m.TimeWindow), "status": m.status(),
		"status_transitions": wire.Object{"deactivated_at": wire.IntOrNull(m.DeactivatedAt)},
		"value_settings":     wire.Object{"event_payload_key": m.ValueKey},
	}
}
