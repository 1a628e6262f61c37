package wire

import (
	"fmt"
	"strings"
)

// maxExpandDepth is the maximum depth of one expand[] path.
const maxExpandDepth = 4

// Resolver renders an object by type and id. The object is nil if it does not exist. The second
// result is false if objects of this type cannot be expanded.
type Resolver func(kind, id string) (Object, bool)

// Expand replaces references by the objects they refer to, along each dotted path. A path into a
// deleted object, which has no properties, has no effect: what can be expanded depends on the type
// (x-expansionResources of Stripe's specification), so a list with a deleted customer is answered
// too. That is inferred.
func Expand(o Object, paths []string, resolve Resolver) *Error {
	for _, path := range paths {
		steps := strings.Split(path, ".")
		if depth(steps) > maxExpandDepth {
			return Invalid("", "expand", fmt.Sprintf("You cannot expand more than %d levels of a property. Property: %s", maxExpandDepth, path))
		}
		if err := resolve.expand(o, steps, path); err != nil {
			return err
		}
	}
	return nil
}

// depth is the number of levels of a path, without the data of lists.
func depth(steps []string) int {
	n := 0
	for _, s := range steps {
		if s != "data" {
			n++
		}
	}
	return n
}

func (resolve Resolver) expand(o Object, steps []string, path string) *Error {
	if len(steps) == 0 {
		return nil
	}
	value, ok := o[steps[0]]
	if deleted, _ := o["deleted"].(bool); deleted && !ok {
		return nil
	}
	if !ok {
		return cannotExpand(path)
	}
	switch v := value.(type) {
	case nil:
		return nil
	case Reference:
		return resolve.expandRef(o, v, steps, path)
	case Expandable:
		o[steps[0]] = v()
		return resolve.expand(o, steps, path)
	case Object:
		return resolve.expand(v, steps[1:], path)
	case []any:
		return resolve.expandEach(v, steps, path)
	}
	return cannotExpand(path)
}

func (resolve Resolver) expandRef(o Object, to Reference, steps []string, path string) *Error {
	if to.ID == "" {
		return nil
	}
	rendered, expandable := resolve(to.Kind, to.ID)
	if !expandable {
		return cannotExpand(path)
	}
	if rendered == nil {
		return nil
	}
	o[steps[0]] = rendered
	return resolve.expand(rendered, steps[1:], path)
}

// expandEach expands the elements of a list. Elements that are references are replaced.
func (resolve Resolver) expandEach(list []any, steps []string, path string) *Error {
	for i, e := range list {
		holder := Object{steps[0]: e}
		rest := steps
		if inner, ok := e.(Object); ok {
			holder, rest = inner, steps[1:]
		}
		if err := resolve.expand(holder, rest, path); err != nil {
			return err
		}
		if _, ok := e.(Reference); ok {
			list[i] = holder[steps[0]]
		}
	}
	return nil
}

func cannotExpand(path string) *Error {
	return Invalid("", "expand", fmt.Sprintf("This property cannot be expanded (%s).", path))
}
