package wire

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNesting limits the nesting of a form name: a[b][c]… The deepest parameter of Stripe has six
// levels.
const maxNesting = 16

// Value is one value of a decoded form: a scalar, or children by key in the order they were sent.
// Lists are children with the keys 0, 1, 2….
type Value struct {
	name     string // as sent: items[0][price]
	scalar   string
	isScalar bool
	keys     []string
	children map[string]*Value
}

// DecodeForm decodes application/x-www-form-urlencoded text: a[b]=v, a[0][b]=v, a[]=v and a[][b]=v.
// In the last form, a name that the last element already has starts a new element.
func DecodeForm(raw string) (*Value, *Error) {
	root := &Value{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if err := root.decodePair(pair); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func (n *Value) decodePair(pair string) *Error {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, nameErr := url.QueryUnescape(rawName)
	value, valueErr := url.QueryUnescape(rawValue)
	if nameErr != nil || valueErr != nil {
		return Invalid("", "", "Invalid request: the form could not be decoded.")
	}
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return Invalid("", "", "Invalid request: the form is not UTF-8.")
	}
	path, ok := splitName(name)
	if !ok {
		return Invalid("", name, "Invalid parameter name: "+name)
	}
	return n.put(path, name, strings.Clone(value)) // a stored value must not keep the whole form
}

// splitName splits a[b][] into a, b and an empty key.
func splitName(name string) ([]string, bool) {
	head, rest, nested := strings.Cut(name, "[")
	path := []string{head}
	if !nested {
		return path, head != ""
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(rest, "]"), "][") {
		path = append(path, part)
	}
	return path, head != "" && strings.HasSuffix(rest, "]") && len(path) <= maxNesting
}

func (n *Value) put(path []string, name, value string) *Error {
	at := n
	for i, key := range path {
		if at.isScalar {
			return Invalid("", name, "Invalid parameter: "+name+" is given both as a value and as a set of values.")
		}
		if key == "" {
			key = at.nextIndex(path[i+1:])
		}
		at = at.child(key)
	}
	if len(at.keys) > 0 {
		return Invalid("", name, "Invalid parameter: "+name+" is given both as a value and as a set of values.")
	}
	at.scalar, at.isScalar = value, true
	return nil
}

// nextIndex is the index that a[] or a[][rest] refers to.
func (n *Value) nextIndex(rest []string) string {
	if last := len(n.keys) - 1; last >= 0 && len(rest) > 0 && !n.children[n.keys[last]].has(rest) {
		return n.keys[last]
	}
	return strconv.Itoa(len(n.keys))
}

func (n *Value) has(path []string) bool {
	for _, key := range path {
		next, ok := n.children[key]
		if !ok {
			return false
		}
		n = next
	}
	return true
}

func (n *Value) child(key string) *Value {
	if c, ok := n.children[key]; ok {
		return c
	}
	c := &Value{name: key}
	if n.name != "" {
		c.name = n.name + "[" + key + "]"
	}
	if n.children == nil {
		n.children = map[string]*Value{}
	}
	n.children[key] = c
	n.keys = append(n.keys, key)
	return c
}

// Elements returns the elements of a list, by index.
func (n *Value) Elements() []*Value {
	keys := slices.Clone(n.keys)
	slices.SortStableFunc(keys, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	out := make([]*Value, len(keys))
	for i, key := range keys {
		out[i] = n.children[key]
	}
	return out
}

// IsList reports whether every key is an index.
func (n *Value) IsList() bool {
	for _, key := range n.keys {
		if _, err := strconv.ParseUint(key, 10, 31); err != nil {
			return false
		}
	}
	return !n.isScalar
}
