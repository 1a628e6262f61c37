package stripelocal

import (
	"encoding/json"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// eventRetention is how long the API returns events, in seconds (docs: events, 30 days).
const eventRetention = 30 * 24 * 60 * 60

// Event is an API event with the object as it was at that time.
type Event struct {
	Base
	Type               string
	Object             archived
	PreviousAttributes archived `json:",omitzero"`
	PendingWebhooks    int64    `json:",omitzero"` // deliveries that are neither successful nor given up
	RequestID          string   `json:",omitzero"`
	IdempotencyKey     string   `json:",omitzero"`
}

// events serves /v1/events.
type events struct{ *request }

func eventResource() resource {
	return resource{
		objectType: "event",
		render: renderFrom(func(s *store) *table[*Event] { return s.Events },
			func(r *request, e *Event) wire.Object { return r.renderEvent(e, APIVersion) }),
		routes: []route{
			on("GET /v1/events", listParams+"type types[] delivery_success:bool", events.list),
			on("GET /v1/events/{id}", "", events.get),
			on("POST /v1/events/{id}/retry", "webhook_endpoint account for_stripecli:bool", events.retry),
		},
	}
}

// emit records an event with the object's current state. It is published at the end of the
// transaction, unless that is a seed's. The caller must not change the object afterwards.
func (r *request) emit(kind string, o wire.Object) {
	r.changed = true
	if r.seeding {
		return
	}
	r.unpublished = append(r.unpublished, &Event{
		Base: Base{Created: r.now}, Type: kind, Object: r.archive.add(r.encoder.EncodeOnce(o)),
		RequestID: r.info.RequestID, IdempotencyKey: r.info.IdempotencyKey,
	})
}

// emitUpdate is emit with previous_attributes. It emits nothing if nothing changed.
func (r *request) emitUpdate(kind string, before, after wire.Object) {
	previous := wire.PreviousAttributes(before, after)
	if len(previous) == 0 || r.seeding {
		return
	}
	r.emit(kind, after)
	r.unpublished[len(r.unpublished)-1].PreviousAttributes = r.archive.add(wire.Encode(previous))
}

// publish stores the transaction's events in eventOrder and enqueues their deliveries.
func (r *request) publish() {
	for _, e := range reorderEvents(r.unpublished, r.eventOrder) {
		e.ID = r.ids.longID("evt_1")
		r.store.Events.insert(e)
		for _, w := range r.store.WebhookEndpoints.all {
			if w.accepts(e.Type) && r.hasEvents(e.Type, w.apiVersion()) {
				r.webhooks.enqueue(r.deliveries.create(e, w))
			}
		}
		r.cli.sendEvent(r, e)
	}
	r.unpublished = nil
	r.pruneEvents()
}

// recordInvoiceDelivery sets webhooks_delivered_at of an invoice once its invoice.created has no
// delivery left. Stripe sends no event for that (inferred).
func (s *Server) recordInvoiceDelivery(e *Event) {
	if e.Type != "invoice.created" || e.PendingWebhooks > 0 {
		return
	}
	var o struct{ ID string }
	if json.Unmarshal(e.Object.text(), &o) != nil {
		return
	}
	if inv, ok := s.store.Invoices.get(o.ID); ok && inv.WebhooksDeliveredAt == 0 {
		inv.WebhooksDeliveredAt = s.clock()
	}
}

// pruneEvents removes events older than eventRetention, oldest first. An event with a delivery
// still pending stays, and so do those after it: the account's clock may jump by months while
// deliveries take real time.
func (r *request) pruneEvents() {
	for len(r.store.Events.all) > 0 {
		oldest := r.store.Events.all[0]
		if !oldest.expired(r.now) || oldest.PendingWebhooks > 0 {
			return
		}
		r.store.Events.removeOldest()
	}
}

// expired reports whether the API no longer returns the event.
func (e *Event) expired(now int64) bool { return e.Created < now-eventRetention }

// reorderEvents sorts events by a list of types, in which each entry stands for one event. Events
// that are not listed keep their order and come before the last listed one.
func reorderEvents(events []*Event, order []string) []*Event {
	rest := slices.Clone(events)
	var out []*Event
	for _, kind := range order {
		at := slices.IndexFunc(rest, func(e *Event) bool { return e.Type == kind })
		if at >= 0 {
			out = append(out, rest[at])
			rest = slices.Delete(rest, at, at+1)
		}
	}
	return slices.Insert(out, max(0, len(out)-1), rest...)
}

func (h events) get(in *input) (any, error) {
	e, ok := h.store.Events.get(in.pathValue("id"))
	if !ok || e.expired(h.now) {
		return nil, wire.NotFound("event", in.pathValue("id"), "id")
	}
	return h.renderEvent(e, APIVersion), nil
}

func (h events) list(in *input) (any, error) {
	if in.Has("type") && in.Has("types") {
		return nil, wire.Invalid("", "", "You may only specify one of these parameters: type, types.")
	}
	types := in.Strings("types")
	if len(types) > 20 {
		return nil, wire.Invalid("", "types", "You may specify at most 20 event types.")
	}
	if in.Has("type") {
		types = []string{in.String("type")}
	}
	return listing[*Event]{
		resource: "event", table: h.store.Events, rows: h.byTypes(types),
		filter: func(e *Event) bool {
			return !e.expired(h.now) && h.hasEvents(e.Type, in.version) && (len(types) == 0 || matchesEventType(e.Type, types)) &&
				(!in.Has("delivery_success") || h.allDelivered(e) == in.Bool("delivery_success"))
		},
		render: func(e *Event) wire.Object { return h.renderEvent(e, APIVersion) },
	}.page(in)
}

// byTypes uses the index if a single type without a wildcard is requested.
func (h events) byTypes(types []string) []*Event {
	if len(types) == 1 && !strings.HasSuffix(types[0], "*") {
		return h.store.Events.by("type", types[0])
	}
	return h.store.Events.all
}

// allDelivered reports whether every delivery of the event succeeded.
func (h events) allDelivered(e *Event) bool {
	for _, d := range h.store.Deliveries.by("event", e.ID) {
		if d.Status != "succeeded" {
			return false
		}
	}
	return e.PendingWebhooks == 0
}

// matchesEventType reports whether a type matches one of the patterns: a type, name.* or *.
func matchesEventType(kind string, patterns []string) bool {
	for _, p := range patterns {
		head, wild := strings.CutSuffix(p, "*")
		if kind == p || wild && strings.HasPrefix(kind, head) {
			return true
		}
	}
	return false
}
