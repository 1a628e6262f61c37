package stripelocal

import (
	"fmt"
	"strings"
)

// maxExpandDepth is how many levels one expand[] may go down.
const maxExpandDepth = 4

// resolver renders the object of a type with an id; nil where there is none. The second result is
// false where objects of this type cannot be expanded.
type resolver func(kind, id string) (object, bool)

// expandAll replaces references by what they refer to, along each dotted path.
func expandAll(o object, paths []string, resolve resolver) *Error {
	for _, path := range paths {
		steps := strings.Split(path, ".")
		if depth(steps) > maxExpandDepth {
			return invalid("", "expand", fmt.Sprintf("You cannot expand more than %d levels of a property. Property: %s", maxExpandDepth, path))
		}
		if err := resolve.expand(o, steps, path); err != nil {
			return err
		}
	}
	return nil
}

// depth does not count the data of lists.
func depth(steps []string) int {
	n := 0
	for _, s := range steps {
		if s != "data" {
			n++
		}
	}
	return n
}

func (resolve resolver) expand(o object, steps []string, path string) *Error {
	if len(steps) == 0 {
		return nil
	}
	value, ok := o[steps[0]]
	if !ok {
		return cannotExpand(path)
	}
	switch v := value.(type) {
	case nil:
		return nil
	case reference:
		return resolve.expandRef(o, v, steps, path)
	case hidden:
		o[steps[0]] = v()
		return resolve.expand(o, steps, path)
	case object:
		return resolve.expand(v, steps[1:], path)
	case []any:
		return resolve.expandEach(v, steps, path)
	}
	return cannotExpand(path)
}

func (resolve resolver) expandRef(o object, to reference, steps []string, path string) *Error {
	if to.id == "" {
		return nil
	}
	whole, expandable := resolve(to.kind, to.id)
	if !expandable {
		return cannotExpand(path)
	}
	if whole == nil {
		return nil
	}
	o[steps[0]] = whole
	return resolve.expand(whole, steps[1:], path)
}

// expandEach goes into the elements of a list; elements that are references
// themselves are replaced in place.
func (resolve resolver) expandEach(list []any, steps []string, path string) *Error {
	for i, e := range list {
		holder := object{steps[0]: e}
		rest := steps
		if inner, ok := e.(object); ok {
			holder, rest = inner, steps[1:]
		}
		if err := resolve.expand(holder, rest, path); err != nil {
			return err
		}
		if _, ok := e.(reference); ok {
			list[i] = holder[steps[0]]
		}
	}
	return nil
}

func cannotExpand(path string) *Error {
	return invalid("", "expand", fmt.Sprintf("This property cannot be expanded (%s).", path))
}
