package stripelocal

import (
	"fmt"
	"strings"
)

// maxExpandDepth is how many levels one expand[] may go down.
const maxExpandDepth = 4

// expandAll replaces references by what they refer to, along each dotted path.
func (r *request) expandAll(o object, paths []string) *Error {
	for _, path := range paths {
		steps := strings.Split(path, ".")
		if depth(steps) > maxExpandDepth {
			return invalid("", "expand", fmt.Sprintf("You cannot expand more than %d levels of a property. Property: %s", maxExpandDepth, path))
		}
		if err := r.expand(o, steps, path); err != nil {
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

func (r *request) expand(o object, steps []string, path string) *Error {
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
	case ref:
		return r.expandRef(o, v, steps, path)
	case hidden:
		o[steps[0]] = v()
		return r.expand(o, steps, path)
	case object:
		return r.expand(v, steps[1:], path)
	case []any:
		return r.expandEach(v, steps, path)
	}
	return cannotExpand(path)
}

func (r *request) expandRef(o object, to ref, steps []string, path string) *Error {
	if to.id == "" {
		return nil
	}
	render := r.renders[to.kind]
	if render == nil {
		return cannotExpand(path)
	}
	whole, ok := render(r, to.id)
	if !ok {
		return nil
	}
	o[steps[0]] = whole
	return r.expand(whole, steps[1:], path)
}

// expandEach goes into the elements of a list; elements that are references
// themselves are replaced in place.
func (r *request) expandEach(list []any, steps []string, path string) *Error {
	for i, e := range list {
		holder := object{steps[0]: e}
		rest := steps
		if inner, ok := e.(object); ok {
			holder, rest = inner, steps[1:]
		}
		if err := r.expand(holder, rest, path); err != nil {
			return err
		}
		if _, ok := e.(ref); ok {
			list[i] = holder[steps[0]]
		}
	}
	return nil
}

func cannotExpand(path string) *Error {
	return invalid("", "expand", fmt.Sprintf("This property cannot be expanded (%s).", path))
}
