package stripelocal

import (
	"encoding/json"
	"slices"
	"strings"
)

// eventLife is how long events can be read (docs: events, 30 days).
const eventLife = 30 * 24 * 60 * 60

// Event is something that happened, with the object as it was then.
type Event struct {
	Base
	Type           string
	Object         json.RawMessage
	Previous       json.RawMessage `json:",omitempty"`
	Pending        int64           // deliveries that have neither arrived nor been given up
	RequestID      string
	IdempotencyKey string
}

func eventResource() resource {
	return resource{
		kind: "event",
		render: finder(func(s *state) *table[*Event] { return s.Events },
			func(a *act, e *Event) object { return renderEvent(e, APIVersion) }),
		routes: []route{
			{"GET /v1/events", listParams + "type types[] delivery_success:bool", (*act).listEvents},
			{"GET /v1/events/{id}", "", (*act).getEvent},
		},
	}
}

// emit says that something happened to an object. It is published when the act
// ends; the object is taken as it is now, and is not to be changed any more.
func (a *act) emit(kind string, o object) {
	a.changed = true
	a.pending = append(a.pending, &Event{
		Base: Base{Created: a.at}, Type: kind, Object: a.encoder.encodeOnce(o),
		RequestID: a.cause.RequestID, IdempotencyKey: a.cause.IdempotencyKey,
	})
}

// emitUpdate is emit with what the changed attributes were before; where
// nothing changed nothing happened.
func (a *act) emitUpdate(kind string, before, after object) {
	previous := changes(before, after)
	if len(previous) == 0 {
		return
	}
	a.emit(kind, after)
	a.pending[len(a.pending)-1].Previous = encode(previous)
}

// changes are the attributes of before that after has otherwise. Of nested
// objects only what changed is shown, lists are shown whole.
func changes(before, after object) object {
	out := object{}
	for name, was := range before {
		is := after[name]
		if isHidden(was) || sameValue(was, is) {
			continue
		}
		out[name] = was
		wasObject, ok := was.(object)
		isObject, also := is.(object)
		if ok && also {
			out[name] = changes(wasObject, isObject)
		}
	}
	for name := range after {
		if _, had := before[name]; !had && !isHidden(after[name]) {
			out[name] = nil
		}
	}
	return out
}

func isHidden(v any) bool {
	_, is := v.(hidden)
	return is
}

// publish stores the act's events in the order asked for and hands them to
// the courier.
func (a *act) publish() {
	for _, e := range reorder(a.pending, a.order) {
		e.ID = a.ids.long("evt_1")
		a.state.Events.insert(e)
		for _, w := range a.state.Endpoints.all {
			if w.wants(e.Type) {
				a.courier.post(a.newDelivery(e, w))
			}
		}
	}
	a.pending = nil
	a.dropOldEvents()
}

// dropOldEvents drops events older than eventLife, oldest first, up to one that is still to be
// delivered: a jump of the clock ages events that were created a moment ago by real time.
func (a *act) dropOldEvents() {
	events := a.state.Events
	for len(events.all) > 0 && events.all[0].Created < a.at-eventLife && events.all[0].Pending == 0 {
		events.dropFirst()
	}
}

// reorder brings events into the order of the types named, each name standing
// for one event. The others come, in their own order, before the last.
func reorder(events []*Event, order []string) []*Event {
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

func (a *act) getEvent(in *input) (any, error) {
	e, ok := a.state.Events.get(in.path("id"))
	if !ok {
		return nil, notFound("event", in.path("id"), "id")
	}
	return renderEvent(e, APIVersion), nil
}

func (a *act) listEvents(in *input) (any, error) {
	if in.has("type") && in.has("types") {
		return nil, invalid("", "", "You may only specify one of these parameters: type, types.")
	}
	types := in.strs("types")
	if len(types) > 20 {
		return nil, invalid("", "types", "You may specify at most 20 event types.")
	}
	if in.has("type") {
		types = []string{in.str("type")}
	}
	return listing[*Event]{
		what: "event", table: a.state.Events, rows: a.eventsOf(types),
		keep: func(e *Event) bool {
			return (len(types) == 0 || matchesAny(e.Type, types)) &&
				(!in.has("delivery_success") || a.allDelivered(e) == in.flag("delivery_success"))
		},
		render: func(e *Event) object { return renderEvent(e, APIVersion) },
	}.page(in)
}

// eventsOf narrows by index where one plain type is asked for.
func (a *act) eventsOf(types []string) []*Event {
	if len(types) == 1 && !strings.HasSuffix(types[0], "*") {
		return a.state.Events.by("type", types[0])
	}
	return a.state.Events.all
}

// allDelivered says whether no delivery of the event is pending or given up.
func (a *act) allDelivered(e *Event) bool {
	for _, d := range a.state.Deliveries.by("event", e.ID) {
		if d.Status != "succeeded" {
			return false
		}
	}
	return e.Pending == 0
}

// matchesAny knows * as everything and name.* as everything below name.
func matchesAny(kind string, patterns []string) bool {
	for _, p := range patterns {
		head, wild := strings.CutSuffix(p, "*")
		if kind == p || wild && strings.HasPrefix(kind, head) {
			return true
		}
	}
	return false
}

func renderEvent(e *Event, version string) object {
	data := object{"object": reshape(e.Object, version)}
	if e.Previous != nil {
		data["previous_attributes"] = e.Previous
	}
	return object{
		"id": e.ID, "object": "event", "api_version": version, "created": e.Created, "data": data,
		"livemode": false, "pending_webhooks": e.Pending, "type": e.Type,
		"request": object{"id": orNull(e.RequestID), "idempotency_key": orNull(e.IdempotencyKey)},
	}
}
