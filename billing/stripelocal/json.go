package stripelocal

import (
	"encoding/json"
	"slices"
	"strconv"
)

// object is a rendered resource, or a part of one. Its values are those that
// appendJSON knows. One that was rendered belongs to whoever asked for it.
type object map[string]any

// ref is a reference to another object: its id, null where empty, the whole
// object where the request expands it.
type ref struct {
	kind string // a name of the table in resources.go
	id   string
}

// hidden is a part that appears only where the request expands it.
type hidden func() any

// orNull is null for an empty string, a zero time.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
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

// encode writes a rendered value as JSON.
func encode(v any) []byte { return appendJSON(nil, v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case object:
		return appendObject(b, v)
	case []any:
		return appendList(b, v)
	case []object:
		return appendList(b, v)
	case ref:
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
		return appendList(b, v)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic("stripelocal: a rendered value cannot be JSON: " + err.Error())
	}
	return append(b, raw...)
}

func appendList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	return append(b, ']')
}

// appendObject writes id and object first, then the rest by name, as Stripe does.
func appendObject(b []byte, o object) []byte {
	b = append(b, '{')
	first := true
	for _, name := range orderedNames(o) {
		if _, ok := o[name].(hidden); ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, name), ':')
		b = appendJSON(b, o[name])
	}
	return append(b, '}')
}

func orderedNames(o object) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := rankName(a), rankName(b); x != y {
			return x - y
		}
		if a < b {
			return -1
		}
		return 1
	})
	return names
}

func rankName(name string) int {
	switch name {
	case "id":
		return 0
	case "object":
		return 1
	}
	return 2
}

func appendMap(b []byte, m map[string]string) []byte {
	if m == nil {
		return append(b, "{}"...)
	}
	raw, _ := json.Marshal(m) // a map of strings always encodes
	return append(b, raw...)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			raw, _ := json.Marshal(s) // a string always encodes
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
