package stripelocal

import (
	"bytes"
	"encoding/json"

	"usher/stripelocal/wire"
)

// renderEvent renders an event with its object in the shape of a version.
func (r *request) renderEvent(e *Event, version string) wire.Object {
	data := wire.Object{"object": json.RawMessage(e.Object.text())}
	if !e.PreviousAttributes.isEmpty() {
		data["previous_attributes"] = json.RawMessage(e.PreviousAttributes.text())
	}
	if t := r.translatorTo(version); len(t.steps) > 0 {
		t.eventData(data)
	}
	return wire.Object{
		"id": e.ID, "object": "event", "api_version": version, "created": e.Created, "data": data,
		"livemode": false, "pending_webhooks": e.PendingWebhooks, "type": e.Type,
		"request": wire.Object{"id": wire.StringOrNull(e.RequestID), "idempotency_key": wire.StringOrNull(e.IdempotencyKey)},
	}
}

// eventData translates an event's object. The previous attributes are the difference between the
// translations of the object before and after the change.
func (t translator) eventData(data wire.Object) {
	after, ok := decodeRendered(data["object"])
	if !ok {
		return
	}
	previous, changed := decodeRendered(data["previous_attributes"])
	if changed {
		before, _ := decodeRendered(data["object"])
		restore(before, previous)
		t.object(before)
		defer func() { data["previous_attributes"] = wire.PreviousAttributes(before, after) }()
	}
	t.object(after)
	data["object"] = after
}

// restore puts previous attributes back. Nested objects hold only what changed; metadata and lists
// are whole.
func restore(o, previous wire.Object) {
	for name, was := range previous {
		inner, partial := was.(wire.Object)
		is, ok := o[name].(wire.Object)
		if partial && ok {
			restore(is, inner)
			continue
		}
		o[name] = was
	}
}

// decodeRendered decodes encoded JSON to the types of rendered values.
func decodeRendered(raw any) (wire.Object, bool) {
	text, ok := raw.(json.RawMessage)
	if !ok {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if d.Decode(&v) != nil {
		return nil, false
	}
	return renderedObject(v), true
}

func renderedObject(m map[string]any) wire.Object {
	o := wire.Object{}
	for name, v := range m {
		o[name] = renderedValue(v)
		if fields, ok := v.(map[string]any); ok && name == "metadata" {
			o[name] = metadataOf(fields)
		}
	}
	return o
}

func renderedValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return renderedObject(v)
	case []any:
		for i, e := range v {
			v[i] = renderedValue(e)
		}
	}
	return v
}

func metadataOf(fields map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range fields {
		out[name], _ = v.(string)
	}
	return out
}
