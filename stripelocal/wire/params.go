package wire

import (
	"maps"
	"strconv"
)

// Params reads a form that has passed Schema.Check.
type Params struct{ n *Value }

// NewParams reads the parameters of a decoded form.
func NewParams(n *Value) Params { return Params{n} }

// Names are the names of the parameters sent, in the order they were sent.
func (p Params) Names() []string {
	if p.n == nil {
		return nil
	}
	return p.n.keys
}

// IsScalar reports whether a single value was sent where a hash is possible.
func (p Params) IsScalar() bool { return p.n != nil && p.n.isScalar }

// WithoutPrefix returns the named parameters that were sent with a prefix, under their names
// without it.
func (p Params) WithoutPrefix(prefix string, names []string) Params {
	found := &Value{children: map[string]*Value{}}
	for _, name := range names {
		if p.Has(prefix + name) {
			found.keys = append(found.keys, name)
			found.children[name] = p.n.children[prefix+name]
		}
	}
	return Params{found}
}

// With returns the parameters with a scalar one added, such as the id of a path.
func (p Params) With(name, value string) Params {
	added := &Value{children: map[string]*Value{}}
	if p.n != nil {
		added.name = p.n.name
		for _, key := range p.n.keys {
			added.keys = append(added.keys, key)
			added.children[key] = p.n.children[key]
		}
	}
	added.keys = append(added.keys, name)
	added.children[name] = &Value{name: name, scalar: value, isScalar: true}
	return Params{added}
}

// InRange reports whether a time satisfies a range parameter: created=T, or any of created[gt],
// [gte], [lt] and [lte]. An absent parameter is satisfied by every time.
func (p Params) InRange(name string, t int64) bool {
	if !p.Has(name) {
		return true
	}
	if exact := p.n.children[name]; exact.isScalar {
		return t == p.Int(name)
	}
	r := p.At(name)
	return (!r.Has("gt") || t > r.Int("gt")) && (!r.Has("gte") || t >= r.Int("gte")) &&
		(!r.Has("lt") || t < r.Int("lt")) && (!r.Has("lte") || t <= r.Int("lte"))
}

// Check checks a hash that the call's own schema takes as it is.
func (p Params) Check(sh *Schema) error {
	if p.n == nil {
		return nil
	}
	if err := sh.checkHash(p.n); err != nil {
		return err
	}
	return nil
}

func (p Params) Has(name string) bool { return p.n != nil && p.n.children[name] != nil }

// At returns a nested hash. An absent one is empty.
func (p Params) At(name string) Params {
	if !p.Has(name) {
		return Params{}
	}
	return Params{p.n.children[name]}
}

// Name is a parameter's full name as the client sent it, for error messages.
func (p Params) Name(of string) string {
	if p.n == nil || p.n.name == "" {
		return of
	}
	return p.n.name + "[" + of + "]"
}

// SentName is the name under which the client sent a parameter that Value.Put has moved, and the
// name itself for any other.
func (p Params) SentName(name string) string {
	if name == "" {
		return ""
	}
	if v := p.n.Lookup(name); v != nil {
		return v.name
	}
	return name
}

// NameIn is Name for a hash, called set, that may be absent.
func (p Params) NameIn(set, of string) string {
	if p.n == nil {
		return set + "[" + of + "]"
	}
	return p.Name(of)
}

func (p Params) String(name string) string {
	if !p.Has(name) {
		return ""
	}
	return p.n.children[name].scalar
}

func (p Params) Int(name string) int64 {
	v, _ := strconv.ParseInt(p.String(name), 10, 64)
	return v
}

// IntOr is Int with a default for an absent parameter.
func (p Params) IntOr(name string, otherwise int64) int64 {
	if !p.Has(name) {
		return otherwise
	}
	return p.Int(name)
}

func (p Params) Bool(name string) bool { return p.String(name) == "true" }

func (p Params) BoolOr(name string, otherwise bool) bool {
	if !p.Has(name) {
		return otherwise
	}
	return p.Bool(name)
}

func (p Params) StringOr(name, otherwise string) string {
	if v := p.String(name); v != "" {
		return v
	}
	return otherwise
}

// List returns the elements of a list of hashes.
func (p Params) List(name string) []Params {
	if !p.Has(name) {
		return nil
	}
	var out []Params
	for _, e := range p.n.children[name].Elements() {
		out = append(out, Params{e})
	}
	return out
}

// Strings returns the elements of a list of strings.
func (p Params) Strings(name string) []string {
	var out []string
	for _, e := range p.List(name) {
		out = append(out, e.n.scalar)
	}
	return out
}

// SetString, SetInt, SetBool and SetStrings copy a parameter if it was sent. An empty string
// clears.
func (p Params) SetString(name string, into *string) {
	if p.Has(name) {
		*into = p.String(name)
	}
}

func (p Params) SetInt(name string, into *int64) {
	if p.Has(name) {
		*into = p.Int(name)
	}
}

func (p Params) SetBool(name string, into *bool) {
	if p.Has(name) {
		*into = p.Bool(name)
	}
}

// SetMetadata merges metadata: an empty value removes its key, an empty metadata removes all. It
// builds a new map, because earlier events may refer to the old one.
func (p Params) SetMetadata(into *map[string]string) {
	if !p.Has("metadata") {
		return
	}
	sent := p.n.children["metadata"]
	merged := map[string]string{}
	if !sent.isScalar {
		maps.Copy(merged, *into)
	}
	for _, key := range sent.keys {
		if merged[key] = sent.children[key].scalar; merged[key] == "" {
			delete(merged, key)
		}
	}
	*into = merged
}

// Metadata returns the metadata of a new object.
func (p Params) Metadata() map[string]string {
	m := map[string]string{}
	p.SetMetadata(&m)
	return m
}

func (p Params) SetStrings(name string, into *[]string) {
	if p.Has(name) {
		*into = p.Strings(name)
	}
}
