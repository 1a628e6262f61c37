package wire

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Object is a rendered object or a part of one. Its values are of the types that Encoder supports.
// It belongs to the caller that rendered it.
type Object map[string]any

// Reference is a reference to another object. It encodes as its id, or null if empty. Expand
// replaces it by the object.
type Reference struct {
	Kind string // an object type of the API, such as customer
	ID   string
}

// Ref is a reference to the object of a type with an id.
func Ref(kind, id string) Reference { return Reference{kind, id} }

// Expandable is a field that is omitted unless it is expanded.
type Expandable func() any

// StringOrNull is nil for an empty string.
func StringOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func StringsOrNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func IntOrNull(t int64) any {
	if t == 0 {
		return nil
	}
	return t
}

// List is a list object.
func List(url string, data []any, more bool) Object {
	return Object{"object": "list", "data": data, "has_more": more, "url": url}
}

// append encodes the types that rendered values have. Others use encoding/json.
func (e *Encoder) append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case Object:
		return e.appendObject(b, v)
	case []any:
		return appendList(e, b, v)
	case []Object:
		return appendList(e, b, v)
	case Reference:
		if v.ID == "" {
			return append(b, "null"...)
		}
		return appendString(b, v.ID)
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	case json.RawMessage:
		return append(b, v...)
	case map[string]string:
		return appendMap(b, v)
	case []string:
		return appendList(e, b, v)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic("stripelocal: a rendered value cannot be JSON: " + err.Error())
	}
	return append(b, raw...)
}

func appendList[T any](e *Encoder, b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.append(b, v)
	}
	return append(b, ']')
}

func orderedNames(o Object) []string {
	names := make([]string, 0, len(o))
	for _, first := range []string{"id", "object"} {
		if _, ok := o[first]; ok {
			names = append(names, first)
		}
	}
	ranked := len(names)
	for name := range o {
		if name != "id" && name != "object" {
			names = append(names, name)
		}
	}
	slices.Sort(names[ranked:])
	return names
}

func appendMap(b []byte, m map[string]string) []byte {
	if m == nil {
		return append(b, "{}"...)
	}
	raw, _ := json.Marshal(m) // a map of strings always encodes
	return append(b, raw...)
}

func appendString(b []byte, s string) []byte {
	if !isPlainText(s) {
		raw, _ := json.Marshal(s) // a string always encodes
		return append(b, raw...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// isPlainText reports whether a string needs no escaping in JSON. U+2028 and U+2029 are the only
// characters beyond ASCII that encoding/json escapes.
func isPlainText(s string) bool {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s) && !strings.ContainsAny(s, "\u2028\u2029")
}

// RawOrNull is nil for empty JSON.
func RawOrNull(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return raw
}
