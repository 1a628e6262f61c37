package wire

import "reflect"

// Encoder encodes rendered values as JSON. A reused Encoder caches the field order of each object
// type, which otherwise requires a sort, and the last encoded object, which often appears in
// several events. A reused Encoder is not safe for concurrent use. The zero Encoder caches nothing.
type Encoder struct {
	fieldOrders map[objectShape][]field
	last        Object
	raw         []byte
}

// objectShape is the cache key for a field order. Equal shapes do not guarantee equal fields.
type objectShape struct {
	kind   string
	fields int
}

// field is the name of a field and its encoded prefix.
type field struct{ name, text string }

func NewEncoder() *Encoder { return &Encoder{fieldOrders: map[objectShape][]field{}} }

// Encode encodes a rendered value as JSON.
func Encode(v any) []byte { return (&Encoder{}).append(nil, v) }

// EncodeOnce encodes an object that does not change afterwards, and reuses the result for the same
// object.
func (e *Encoder) EncodeOnce(o Object) []byte {
	if e.last == nil || reflect.ValueOf(o).Pointer() != reflect.ValueOf(e.last).Pointer() {
		e.last, e.raw = o, e.append(nil, o)
	}
	return e.raw
}

// appendObject encodes id and object first, then the other fields by name, as Stripe does.
func (e *Encoder) appendObject(b []byte, o Object) []byte {
	kind, _ := o["object"].(string)
	like := objectShape{kind, len(o)}
	if out, fits := e.appendFields(b, o, e.fieldOrders[like]); fits {
		return out
	}
	fields := orderedFields(o)
	if e.fieldOrders != nil {
		e.fieldOrders[like] = fields
	}
	out, _ := e.appendFields(b, o, fields)
	return out
}

// appendFields encodes an object's fields in the given order. It reports false if the fields are
// different ones.
func (e *Encoder) appendFields(b []byte, o Object, order []field) ([]byte, bool) {
	if len(order) != len(o) {
		return nil, false
	}
	b = append(b, '{')
	first := true
	for _, f := range order {
		v, has := o[f.name]
		if !has {
			return nil, false
		}
		if isExpandable(v) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = e.append(append(b, f.text...), v)
	}
	return append(b, '}'), true
}

func orderedFields(o Object) []field {
	out := make([]field, 0, len(o))
	for _, name := range orderedNames(o) {
		out = append(out, field{name, string(append(appendString(nil, name), ':'))})
	}
	return out
}
