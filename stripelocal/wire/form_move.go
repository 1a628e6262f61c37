package wire

import "strings"

// A path names a value of a form as it is sent: items, promotion[coupon]. An empty index stands for
// every element of a list: phases[][coupon].

func pathOf(name string) []string {
	path, _ := splitName(name)
	return path
}

// Lookup returns the first value at a path, or nil.
func (n *Value) Lookup(path string) *Value {
	return n.lookup(pathOf(path))
}

func (n *Value) lookup(path []string) *Value {
	if n == nil || len(path) == 0 {
		return n
	}
	if path[0] != "" {
		return n.children[path[0]].lookup(path[1:])
	}
	for _, e := range n.Elements() {
		if found := e.lookup(path[1:]); found != nil {
			return found
		}
	}
	return nil
}

// Take removes the value at a path without empty indexes and returns it, or nil. It removes the
// hashes that are empty afterwards.
func (n *Value) Take(path string) *Value {
	return n.take(pathOf(path))
}

func (n *Value) take(path []string) *Value {
	next := n.children[path[0]]
	if next == nil {
		return nil
	}
	taken := next
	if len(path) > 1 {
		if taken = next.take(path[1:]); taken == nil || len(next.keys) > 0 {
			return taken
		}
	}
	n.remove(path[0])
	return taken
}

func (n *Value) remove(key string) {
	delete(n.children, key)
	kept := n.keys[:0:0]
	for _, k := range n.keys {
		if k != key {
			kept = append(kept, k)
		}
	}
	n.keys = kept
}

// Put sets the value at a path. The value keeps the name under which it was sent, for errors.
func (n *Value) Put(path string, v *Value) {
	keys := pathOf(path)
	last := len(keys) - 1
	at := n
	for _, key := range keys[:last] {
		at = at.child(key)
	}
	at.child(keys[last])
	at.children[keys[last]] = v
}

// Text is a scalar's text. It is empty for hashes and lists.
func (n *Value) Text() string { return n.scalar }

// SetText replaces a scalar's text.
func (n *Value) SetText(text string) { n.scalar, n.isScalar = text, true }

// SentName is the name under which a value was sent.
func (n *Value) SentName() string { return n.name }

// UnknownParam is the error for parameters that a call does not have.
func UnknownParam(first *Value, more ...*Value) *Error {
	names := []string{first.name}
	for _, v := range more {
		names = append(names, v.name)
	}
	noun := "parameter"
	if len(names) > 1 {
		noun = "parameters"
	}
	return Invalid("parameter_unknown", first.name, "Received unknown "+noun+": "+strings.Join(names, ", "))
}
