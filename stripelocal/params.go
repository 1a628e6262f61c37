package stripelocal

import (
	"maps"
	"strconv"
)

// params reads a form that has passed its shape's check.
type params struct{ n *node }

// newParams reads the parameters of a decoded form.
func newParams(n *node) params { return params{n} }

// names are the names of the parameters sent, in the order they were sent.
func (p params) names() []string {
	if p.n == nil {
		return nil
	}
	return p.n.keys
}

// isScalar reports whether a single value was sent where a set is possible.
func (p params) isScalar() bool { return p.n != nil && p.n.isScalar }

// withoutPrefix are those of the named parameters that were sent with a prefix, under their names
// without it.
func (p params) withoutPrefix(prefix string, names []string) params {
	found := &node{children: map[string]*node{}}
	for _, name := range names {
		if p.has(prefix + name) {
			found.keys = append(found.keys, name)
			found.children[name] = p.n.children[prefix+name]
		}
	}
	return params{found}
}

// inRange reports whether a time satisfies a range parameter: created=T, or any of created[gt],
// [gte], [lt] and [lte]. An absent parameter is satisfied by every time.
func (p params) inRange(name string, t int64) bool {
	if !p.has(name) {
		return true
	}
	if exact := p.n.children[name]; exact.isScalar {
		return t == p.num(name)
	}
	r := p.at(name)
	return (!r.has("gt") || t > r.num("gt")) && (!r.has("gte") || t >= r.num("gte")) &&
		(!r.has("lt") || t < r.num("lt")) && (!r.has("lte") || t <= r.num("lte"))
}

func (p params) has(name string) bool { return p.n != nil && p.n.children[name] != nil }

// at is a nested set of parameters; an absent one is empty.
func (p params) at(name string) params {
	if !p.has(name) {
		return params{}
	}
	return params{p.n.children[name]}
}

// name is how the client wrote the parameter, for error messages.
func (p params) name(of string) string {
	if p.n == nil || p.n.name == "" {
		return of
	}
	return p.n.name + "[" + of + "]"
}

// nameIn is name for parameters whose set, called set, may be absent.
func (p params) nameIn(set, of string) string {
	if p.n == nil {
		return set + "[" + of + "]"
	}
	return p.name(of)
}

func (p params) str(name string) string {
	if !p.has(name) {
		return ""
	}
	return p.n.children[name].scalar
}

func (p params) num(name string) int64 {
	v, _ := strconv.ParseInt(p.str(name), 10, 64)
	return v
}

// numOr is num, or otherwise where the parameter is absent.
func (p params) numOr(name string, otherwise int64) int64 {
	if !p.has(name) {
		return otherwise
	}
	return p.num(name)
}

func (p params) flag(name string) bool { return p.str(name) == "true" }

func (p params) flagOr(name string, otherwise bool) bool {
	if !p.has(name) {
		return otherwise
	}
	return p.flag(name)
}

func (p params) strOr(name, otherwise string) string {
	if v := p.str(name); v != "" {
		return v
	}
	return otherwise
}

// list are the elements of a list of sets.
func (p params) list(name string) []params {
	if !p.has(name) {
		return nil
	}
	var out []params
	for _, e := range p.n.children[name].elements() {
		out = append(out, params{e})
	}
	return out
}

// strs are the elements of a list of strings.
func (p params) strs(name string) []string {
	var out []string
	for _, e := range p.list(name) {
		out = append(out, e.n.scalar)
	}
	return out
}

// setStr, setNum and setFlag take the parameter over where it was sent; an
// empty string unsets.
func (p params) setStr(name string, into *string) {
	if p.has(name) {
		*into = p.str(name)
	}
}

func (p params) setNum(name string, into *int64) {
	if p.has(name) {
		*into = p.num(name)
	}
}

func (p params) setFlag(name string, into *bool) {
	if p.has(name) {
		*into = p.flag(name)
	}
}

// setMetadata merges: an empty value unsets its key, an empty metadata all.
// The old map is never changed, since events may still show it.
func (p params) setMetadata(into *map[string]string) {
	if !p.has("metadata") {
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

// metadata is what a new object's metadata begins with.
func (p params) metadata() map[string]string {
	m := map[string]string{}
	p.setMetadata(&m)
	return m
}

func (p params) setStrs(name string, into *[]string) {
	if p.has(name) {
		*into = p.strs(name)
	}
}
