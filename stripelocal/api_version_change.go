package stripelocal

import (
	"maps"
	"strings"

	"usher/stripelocal/wire"
)

// objectChange changes a rendered object to the shape of the next version. Its parts have been
// translated before. It may look up what the object refers to.
type objectChange func(r *request, o wire.Object)

// without removes fields.
func without(names ...string) objectChange {
	return func(_ *request, o wire.Object) {
		for _, name := range names {
			delete(o, name)
		}
	}
}

// with adds a field, unless the object has it.
func with(name string, value any) objectChange {
	return withValue(name, func(*request, wire.Object) any { return value })
}

// withNull adds fields that are null here.
func withNull(names ...string) objectChange {
	return func(_ *request, o wire.Object) {
		for _, name := range names {
			if _, there := o[name]; !there {
				o[name] = nil
			}
		}
	}
}

// withValue adds a field that follows from the object, unless the object has it.
func withValue(name string, value func(r *request, o wire.Object) any) objectChange {
	return func(r *request, o wire.Object) {
		if _, there := o[name]; !there {
			o[name] = value(r, o)
		}
	}
}

// withObject adds an object with constant fields.
func withObject(name string, fields wire.Object) objectChange {
	return withValue(name, func(*request, wire.Object) any { return maps.Clone(fields) })
}

// replaced removes a field and adds another one, whose value follows from the removed one.
func replaced(name, by string, value func(r *request, old any) any) objectChange {
	return func(r *request, o wire.Object) {
		if old, there := o[name]; there {
			delete(o, name)
			o[by] = value(r, old)
		}
	}
}

// renamedValues changes the values of a field.
func renamedValues(name string, to map[string]string) objectChange {
	return func(_ *request, o wire.Object) {
		if old, _ := o[name].(string); to[old] != "" {
			o[name] = to[old]
		}
	}
}

// inside applies changes to an object, or to each object of a list, at a dotted path. What a call
// must expand is changed when it does.
func inside(path string, changes ...objectChange) objectChange {
	first, rest, deeper := strings.Cut(path, ".")
	if deeper {
		return inside(first, inside(rest, changes...))
	}
	apply := func(r *request, v any) any {
		for _, part := range objectsOf(v) {
			for _, change := range changes {
				change(r, part)
			}
		}
		return v
	}
	return func(r *request, o wire.Object) {
		if later, ok := o[first].(wire.Expandable); ok {
			o[first] = wire.Expandable(func() any { return apply(r, later()) })
			return
		}
		apply(r, o[first])
	}
}

// objectsOf returns an object, or the objects of a list.
func objectsOf(v any) []wire.Object {
	switch v := v.(type) {
	case wire.Object:
		return []wire.Object{v}
	case []any:
		var out []wire.Object
		for _, e := range v {
			if o, ok := e.(wire.Object); ok {
				out = append(out, o)
			}
		}
		return out
	}
	return nil
}

// idOf returns the id of a reference, of an expanded object or of a decoded one.
func idOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case wire.Reference:
		return v.ID
	case wire.Object:
		id, _ := v["id"].(string)
		return id
	}
	return ""
}
