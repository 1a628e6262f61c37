package stripelocal

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a rendered resource, or a part of one. Its values are those that
// an encoder knows. One that was rendered belongs to whoever asked for it.
type object map[string]any

// ref is a reference to another object: its id, null where empty, the whole
// object where the request expands it.
type reference struct {
	kind string // an object type of the API, such as customer
	id   string
}

// refTo is a reference to the object of a type with an id.
func refTo(kind, id string) reference { return reference{kind, id} }

// hidden is a part that appears only where the request expands it.
type hidden func() any

// orNull is null for an empty string, a zero time.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func textsOrNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func timeOrNull(t int64) any {
	if t == 0 {
		return nil
	}
	return t
}

// listObject is a page of rendered objects.
func listObject(url string, data []any, more bool) object {
	return object{"object": "list", "data": data, "has_more": more, "url": url}
}

// append knows every type that a rendered value may have.
func (e *encoder) append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case object:
		return e.appendObject(b, v)
	case []any:
		return appendList(e, b, v)
	case []object:
		return appendList(e, b, v)
	case reference:
		if v.id == "" {
			return append(b, "null"...)
		}
		return appendString(b, v.id)
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

func appendList[T any](e *encoder, b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.append(b, v)
	}
	return append(b, ']')
}

func orderedNames(o object) []string {
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

// isPlainText says whether a string is in JSON as it is. U+2028 and U+2029 are
// the only ones beyond ASCII that encoding/json escapes.
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

// rawOrNull shows stored JSON.
func rawOrNull(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return raw
}
