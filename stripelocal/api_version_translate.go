package stripelocal

import (
	"encoding/json"

	"usher/stripelocal/wire"
)

// translator changes rendered objects of APIVersion to a newer version. References stay
// references, so that expand[] finds them at their new places, and what it expands is translated by
// resolve.
type translator struct {
	*request
	steps []versionStep
}

func (r *request) translatorTo(version string) translator {
	return translator{r, r.stepsTo(version)}
}

// value translates an object or a list with all its parts.
func (t translator) value(v any) any {
	if len(t.steps) == 0 {
		return v
	}
	switch v := v.(type) {
	case wire.Object:
		t.object(v)
	case []any:
		for i, e := range v {
			v[i] = t.value(e)
		}
	case []wire.Object:
		for _, o := range v {
			t.object(o)
		}
	case json.RawMessage:
		if o, ok := decodeRendered(v); ok {
			t.object(o)
			return o
		}
	case wire.Expandable:
		return wire.Expandable(func() any { return t.value(v()) })
	}
	return v
}

// object translates the parts of an object before the object. An event has the version of its
// creation (API reference: events).
func (t translator) object(o wire.Object) {
	kind, _ := o["object"].(string)
	if kind == "event" || isTombstone(o) {
		return
	}
	for name, part := range o {
		o[name] = t.value(part)
	}
	for _, step := range t.steps {
		for _, change := range step.objects[kind] {
			change(t.request, o)
		}
	}
}

// isTombstone reports whether an object only says that it was deleted.
func isTombstone(o wire.Object) bool {
	deleted, _ := o["deleted"].(bool)
	return deleted && len(o) <= 3
}

// resolve renders a referenced object for expand[].
func (t translator) resolve(kind, id string) (wire.Object, bool) {
	render := t.renderers[kind]
	if render == nil {
		return nil, false
	}
	o, _ := render(t.request, id)
	if o != nil {
		t.object(o)
	}
	return o, true
}
