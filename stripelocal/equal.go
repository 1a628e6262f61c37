package stripelocal

import (
	"bytes"
	"maps"
	"slices"
)

// sameValue says whether two rendered values are the same as JSON. Only what is
// of different types needs to be written to be compared.
func sameValue(x, y any) bool {
	switch x := x.(type) {
	case object:
		if y, ok := y.(object); ok {
			return sameObject(x, y)
		}
	case []any:
		if y, ok := y.([]any); ok {
			return slices.EqualFunc(x, y, sameValue)
		}
	case reference:
		if y, ok := y.(reference); ok {
			return x.id == y.id
		}
	case map[string]string:
		if y, ok := y.(map[string]string); ok {
			return maps.Equal(x, y)
		}
	}
	return samePlain(x, y)
}

func samePlain(x, y any) bool {
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
	return bytes.Equal(encode(x), encode(y))
}

// sameObject leaves out what is hidden, as JSON does.
func sameObject(x, y object) bool {
	for name, was := range x {
		is, had := y[name]
		if isHidden(was) && (!had || isHidden(is)) {
			continue
		}
		if !had || isHidden(was) || isHidden(is) || !sameValue(was, is) {
			return false
		}
	}
	for name, is := range y {
		if _, had := x[name]; !had && !isHidden(is) {
			return false
		}
	}
	return true
}
