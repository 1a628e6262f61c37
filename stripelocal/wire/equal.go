package wire

import (
	"bytes"
	"maps"
	"slices"
)

// Equal reports whether two rendered values encode to the same JSON. It encodes only values of
// different types.
func Equal(x, y any) bool {
	switch x := x.(type) {
	case Object:
		if y, ok := y.(Object); ok {
			return equalObjects(x, y)
		}
	case []any:
		if y, ok := y.([]any); ok {
			return slices.EqualFunc(x, y, Equal)
		}
	case Reference:
		if y, ok := y.(Reference); ok {
			return x.ID == y.ID
		}
	case map[string]string:
		if y, ok := y.(map[string]string); ok {
			return maps.Equal(x, y)
		}
	}
	return equalPlain(x, y)
}

func equalPlain(x, y any) bool {
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			return x == y
		}
	case bool:
		if y, ok := y.(bool); ok {
			return x == y
		}
	case int64:
		if y, ok := y.(int64); ok {
			return x == y
		}
	case int:
		if y, ok := y.(int); ok {
			return x == y
		}
	case nil:
		if y == nil {
			return true
		}
	}
	return bytes.Equal(Encode(x), Encode(y))
}

// equalObjects ignores unexpanded fields, as the encoder does.
func equalObjects(x, y Object) bool {
	for name, was := range x {
		is, had := y[name]
		if isExpandable(was) && (!had || isExpandable(is)) {
			continue
		}
		if !had || isExpandable(was) || isExpandable(is) || !Equal(was, is) {
			return false
		}
	}
	for name, is := range y {
		if _, had := x[name]; !had && !isExpandable(is) {
			return false
		}
	}
	return true
}
