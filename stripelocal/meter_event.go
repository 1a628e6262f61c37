package stripelocal

import (
	"fmt"
	"math/big"
	"time"

	"usher/stripelocal/wire"
)

// MeterEvent is an event that a meter has taken. Meter and Customer together are an index.
type MeterEvent struct {
	Base
	Customer   string
	Identifier string
	Meter      string
	Timestamp  int64
	Value      string // decimal
}

const (
	// meterEventPast and meterEventFuture are how far the time of an event may be from now, in
	// seconds (API reference: create a billing meter event).
	meterEventPast   = 35 * 24 * 60 * 60
	meterEventFuture = 5 * 60
	// meterEventCancelable is how long an event can be canceled, in seconds (API reference: create
	// a billing meter event adjustment).
	meterEventCancelable = 24 * 60 * 60
)

// meterEvents serves /v1/billing/meter_events and /v1/billing/meter_event_adjustments.
type meterEvents struct{ *request }

func meterEventResource() resource {
	return resource{
		objectType: "billing.meter_event",
		routes: []route{
			on("POST /v1/billing/meter_events", "event_name:100! payload:map! identifier:100 timestamp:time", meterEvents.create),
			on("POST /v1/billing/meter_event_adjustments", "event_name:100! type:cancel! cancel{identifier:100}", meterEvents.adjust),
		},
	}
}

func (e *MeterEvent) usageKey() string { return e.Meter + " " + e.Customer }

// create takes an event at once. Stripe takes it within minutes (docs: record usage).
func (h meterEvents) create(in *input) (any, error) {
	m, payload, err := h.meterOf(in)
	if err != nil {
		return nil, err
	}
	c, ok := h.store.Customers.get(payload[m.CustomerKey])
	if !ok || c.Deleted {
		return nil, wire.NoSuch("customer", payload[m.CustomerKey], "payload["+m.CustomerKey+"]")
	}
	now := h.timeFor(c)
	at := in.IntOr("timestamp", now)
	if at < now-meterEventPast || at > now+meterEventFuture {
		return nil, wire.Invalid("timestamp_too_far", "timestamp", "The timestamp must be within the past 35 days, and at most 5 minutes in the future.")
	}
	e := &MeterEvent{
		Base: Base{ID: h.ids.longID("mtrevt_1"), Created: now}, Meter: m.ID, Customer: c.ID, Timestamp: at, Value: payload[m.ValueKey],
		Identifier: in.StringOr("identifier", h.ids.token(32)),
	}
	if h.byIdentifier(e.Identifier) != nil {
		return nil, wire.Invalid("duplicate_meter_event", "identifier", "An event already exists with identifier "+e.Identifier+".")
	}
	if m.Formula == "count" {
		e.Value = "1"
	}
	h.store.MeterEvents.insert(e)
	h.alerts.check(m, c)
	return wire.Object{
		"object": "billing.meter_event", "created": e.Created, "event_name": m.EventName, "identifier": e.Identifier,
		"livemode": false, "payload": payload, "timestamp": e.Timestamp,
	}, nil
}

// meterOf returns the meter of an event, and the payload as far as the meter reads it.
func (h meterEvents) meterOf(in *input) (*Meter, map[string]string, error) {
	m, ok := h.meters.active(in.String("event_name"))
	if !ok {
		return nil, nil, wire.Invalid("no_meter", "event_name", "No active meter found for event name "+in.String("event_name")+".")
	}
	payload := map[string]string{}
	for _, name := range in.At("payload").Names() {
		payload[name] = in.At("payload").String(name)
	}
	if payload[m.CustomerKey] == "" {
		return nil, nil, wire.MissingParam("payload[" + m.CustomerKey + "]")
	}
	value := payload[m.ValueKey]
	if _, number := new(big.Rat).SetString(value); m.Formula == "sum" && !number {
		return nil, nil, wire.Invalid("meter_event_invalid_value", "payload["+m.ValueKey+"]", "The value of the event must be a number: "+value)
	}
	return m, payload, nil
}

func (h meterEvents) byIdentifier(identifier string) *MeterEvent {
	if rows := h.store.MeterEvents.by("identifier", identifier); len(rows) > 0 {
		return rows[0]
	}
	return nil
}

// adjust cancels an event. It counts for nothing from then on, and what was invoiced stays.
func (h meterEvents) adjust(in *input) (any, error) {
	identifier := in.At("cancel").String("identifier")
	if identifier == "" {
		return nil, wire.MissingParam("cancel[identifier]")
	}
	e := h.byIdentifier(identifier)
	if e == nil {
		return nil, wire.Invalid("resource_missing", "cancel[identifier]", "No such event: '"+identifier+"'")
	}
	m, _ := h.store.Meters.get(e.Meter)
	if m.EventName != in.String("event_name") {
		return nil, wire.Invalid("", "event_name", "The event "+identifier+" has the event name `"+m.EventName+"`.")
	}
	if h.timeForCustomer(e.Customer) > e.Created+meterEventCancelable {
		return nil, wire.Invalid("", "cancel[identifier]", "An event can be canceled within 24 hours.")
	}
	h.store.MeterEvents.remove(e.ID)
	return wire.Object{
		"object": "billing.meter_event_adjustment", "cancel": wire.Object{"identifier": identifier}, "event_name": m.EventName,
		"livemode": false, "status": "complete", "type": "cancel",
	}, nil
}

// usage is what a meter has counted or summed for a customer from a time until another.
func (h meters) usage(m *Meter, customer string, from, until int64) *big.Rat {
	sum := new(big.Rat)
	for _, e := range h.store.MeterEvents.by("usage", (&MeterEvent{Meter: m.ID, Customer: customer}).usageKey()) {
		if value, ok := new(big.Rat).SetString(e.Value); ok && e.Timestamp >= from && e.Timestamp < until {
			sum.Add(sum, value)
		}
	}
	return sum
}

// summaries returns the usage of a span, or of each day or hour in it that has usage, newest first
// (that the others are left out is inferred).
func (h meters) summaries(in *input) (any, error) {
	m, err := h.find(in)
	if err != nil {
		return nil, err
	}
	from, until, window := in.Int("start_time"), in.Int("end_time"), in.String("value_grouping_window")
	step := map[string]int64{"": 60, "hour": 60 * 60, "day": 24 * 60 * 60}[window]
	switch {
	case from%step != 0 || until%step != 0:
		return nil, wire.Invalid("", "start_time", "The start and end time must be aligned with the minute, or with the `value_grouping_window`.")
	case until <= from:
		return nil, wire.Invalid("", "end_time", "The end time must be after the start time.")
	}
	if window == "" {
		return pageOf(wire.List(in.url, []any{h.summary(m, in.String("customer"), from, until)}, false), in)
	}
	data := []any{}
	for _, at := range h.windows(m, in.String("customer"), from, until, step) {
		data = append(data, h.summary(m, in.String("customer"), at, at+step))
	}
	return pageOf(wire.List(in.url, data, false), in)
}

// windows are the starts of the windows with events, newest first.
func (h meters) windows(m *Meter, customer string, from, until, step int64) []int64 {
	used := map[int64]bool{}
	for _, e := range h.store.MeterEvents.by("usage", (&MeterEvent{Meter: m.ID, Customer: customer}).usageKey()) {
		if e.Timestamp >= from && e.Timestamp < until {
			used[e.Timestamp-e.Timestamp%step] = true
		}
	}
	return sortedDescending(used)
}

func (h meters) summary(m *Meter, customer string, from, until int64) wire.Object {
	value, _ := h.usage(m, customer, from, until).Float64()
	return wire.Object{
		"id":     fmt.Sprintf("mtrusg_test_%s%s", customer, time.Unix(from, 0).UTC().Format("20060102150405")),
		"object": "billing.meter_event_summary", "aggregated_value": value, "end_time": until, "livemode": false, "meter": m.ID, "start_time": from,
	}
}
