package wire

import "reflect"

// Encoder writes rendered values as JSON. One that is kept remembers the order
// of the fields of each kind of object, which else takes a sort every time, and
// the object it wrote last, which mostly is told of in several events at once.
// One that is kept is for one user at a time; the zero encoder remembers nothing.
type Encoder struct {
	fieldOrders map[objectShape][]field
	last        Object
	raw         []byte
}

// objectShape is what objects with the same fields have in common; it does not
// prove that they have.
type objectShape struct {
	kind   string
	fields int
}

// field is the name of a field, and how it begins in JSON.
type field struct{ name, text string }

func NewEncoder() *Encoder { return &Encoder{fieldOrders: map[objectShape][]field{}} }

// Encode writes a rendered value as JSON.
func Encode(v any) []byte { return (&Encoder{}).append(nil, v) }

// EncodeOnce is encode for an object that is not changed any more.
func (e *Encoder) EncodeOnce(o Object) []byte {
	if e.last == nil || reflect.ValueOf(o).Pointer() != reflect.ValueOf(e.last).Pointer() {
		e.last, e.raw = o, e.append(nil, o)
	}
	return e.raw
}

// appendObject writes id and object first, then the rest by name, as Stripe does.
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

// appendFields writes an object's fields in a given order, if they are those.
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
