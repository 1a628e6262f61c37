package stripelocal_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// formTree is a decoded form: strings, and trees by name. It is decoded independently of the
// server's code, so that each checks the other.
type formTree map[string]any

// readForm decodes a=1, a[b]=1, a[0][b]=1, a[]=1 and a[][b]=1.
func readForm(raw string) (formTree, error) {
	root := formTree{}
	for _, pair := range strings.Split(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		plainName, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		plainValue, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		if err := root.set(splitBrackets(plainName), plainValue); err != nil {
			return nil, fmt.Errorf("%s: %w", plainName, err)
		}
	}
	return root, nil
}

// splitBrackets splits a[b][] into a, b and an empty name. Brackets inside a name belong to it.
func splitBrackets(name string) []string {
	head, rest, nested := strings.Cut(name, "[")
	if !nested {
		return []string{head}
	}
	return append([]string{head}, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
}

func (f formTree) set(path []string, value string) error {
	key := path[0]
	if key == "" {
		key = f.pushKey(path[1:])
	}
	if len(path) == 1 {
		f[key] = value
		return nil
	}
	if f[key] == nil {
		f[key] = formTree{}
	}
	inner, ok := f[key].(formTree)
	if !ok {
		return fmt.Errorf("%s is a value and a set", key)
	}
	return inner.set(path[1:], value)
}

// pushKey is the element that empty brackets refer to: the last one, until it has the following
// names.
func (f formTree) pushKey(rest []string) string {
	last := strconv.Itoa(len(f) - 1)
	inner, ok := f[last].(formTree)
	if !ok || len(rest) == 0 {
		return strconv.Itoa(len(f))
	}
	if _, taken := inner[rest[0]]; taken && len(rest) == 1 {
		return strconv.Itoa(len(f))
	}
	return last
}

// typed converts a form value to the JSON type of its schema. A value that does not fit stays as it
// is, for the check to find.
func typed(s *openapi3.Schema, v any) any {
	if len(s.AnyOf) > 0 {
		return typedAny(s.AnyOf, v)
	}
	switch tree, isTree := v.(formTree); {
	case isTree && s.Type.Is("array"):
		return typedList(s, tree)
	case isTree:
		return typedObject(s, tree)
	}
	return typedScalar(s, v.(string))
}

func typedAny(choices openapi3.SchemaRefs, v any) any {
	var out any
	for i, c := range choices {
		made := typed(c.Value, v)
		if c.Value.VisitJSON(made) == nil {
			return made
		}
		if i == 0 {
			out = made
		}
	}
	return out
}

func typedList(s *openapi3.Schema, tree formTree) any {
	keys := make([]int, 0, len(tree))
	for key := range tree {
		n, err := strconv.Atoi(key)
		if err != nil {
			return typedObject(s, tree)
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	out := []any{}
	for _, n := range keys {
		out = append(out, typed(s.Items.Value, tree[strconv.Itoa(n)]))
	}
	return out
}

func typedObject(s *openapi3.Schema, tree formTree) any {
	out := map[string]any{}
	for name, v := range tree {
		inner := &openapi3.Schema{}
		if p := s.Properties[name]; p != nil {
			inner = p.Value
		} else if more := s.AdditionalProperties.Schema; more != nil {
			inner = more.Value
		}
		out[name] = typed(inner, v)
	}
	return out
}

func typedScalar(s *openapi3.Schema, v string) any {
	switch {
	case s.Type.Is("integer"):
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return float64(n)
		}
	case s.Type.Is("number"):
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	case s.Type.Is("boolean"):
		if v == "true" || v == "false" {
			return v == "true"
		}
	}
	return v
}

func TestOracleDecodesClientForms(t *testing.T) {
	got, err := readForm("a=1&b[c]=2&d[0][e]=3&d[1][e]=4&f[]=5&f[]=6&g[][h]=7&g[][i]=8&g[][h]=9")
	if err != nil {
		t.Fatal(err)
	}
	want := "map[a:1 b:map[c:2] d:map[0:map[e:3] 1:map[e:4]] f:map[0:5 1:6] g:map[0:map[h:7 i:8] 1:map[h:9]]]"
	if fmt.Sprint(map[string]any(got)) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
