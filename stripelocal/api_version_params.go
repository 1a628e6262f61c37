package stripelocal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// paramChange changes a form of a newer version to the parameters of the version before it. It
// rejects what the older version cannot express.
type paramChange func(form *wire.Value) *wire.Error

// unknownParams rejects parameters that a version no longer has, also inside the elements of a list
// (phases[][iterations]).
func unknownParams(names ...string) paramChange {
	return func(form *wire.Value) *wire.Error {
		var found []*wire.Value
		for _, name := range names {
			if v := form.Lookup(name); v != nil {
				found = append(found, v)
			}
		}
		if len(found) == 0 {
			return nil
		}
		return wire.UnknownParam(found[0], found[1:]...)
	}
}

// replacedParam rejects a parameter as unknownParams does, and names the one that took its place
// (recorded by onetimesecret for the price of invoice items).
func replacedParam(name, by string) paramChange {
	return func(form *wire.Value) *wire.Error {
		v := form.Lookup(name)
		if v == nil {
			return nil
		}
		e := wire.UnknownParam(v)
		e.Message += ". Did you mean " + by + "?"
		return e
	}
}

// eachOf changes each element of a list.
func eachOf(list string, changes ...paramChange) paramChange {
	return func(form *wire.Value) *wire.Error {
		elements := form.Lookup(list)
		if elements == nil {
			return nil
		}
		for _, e := range elements.Elements() {
			for _, change := range changes {
				if err := change(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// requiredParams rejects a call without one of the parameters.
func requiredParams(names ...string) paramChange {
	return func(form *wire.Value) *wire.Error {
		for _, name := range names {
			if form.Lookup(name) == nil {
				return wire.MissingParam(name)
			}
		}
		return nil
	}
}

// optionalParam sends an older version an empty value of a parameter that it requires.
func optionalParam(name string) paramChange {
	return func(form *wire.Value) *wire.Error {
		if form.Lookup(name) == nil {
			empty := &wire.Value{}
			empty.SetText("")
			form.Put(name, empty)
		}
		return nil
	}
}

// movedParam accepts a parameter at a new place.
func movedParam(from, to string) paramChange {
	return func(form *wire.Value) *wire.Error {
		if v := form.Take(from); v != nil {
			form.Put(to, v)
		}
		return nil
	}
}

// renamedChoices accepts new words for the values of a parameter, and rejects any other.
func renamedChoices(name string, words map[string]string) paramChange {
	return func(form *wire.Value) *wire.Error {
		v := form.Lookup(name)
		if v == nil {
			return nil
		}
		old, ok := words[v.Text()]
		if !ok {
			return wire.Invalid("", name, fmt.Sprintf("Invalid %s: must be one of %s", name, strings.Join(slices.Sorted(maps.Keys(words)), ", ")))
		}
		v.SetText(old)
		return nil
	}
}

// onlyChoice accepts a parameter with the one value that this package implements.
func onlyChoice(name, value, why string) paramChange {
	return func(form *wire.Value) *wire.Error {
		v := form.Take(name)
		if v == nil || v.Text() == value {
			return nil
		}
		return wire.Invalid("", v.SentName(), fmt.Sprintf("%s: this local Stripe supports only `%s` here. %s", v.SentName(), value, why))
	}
}

// typedParam accepts a hash with a type where older versions have a word, or a time of that name
// (billing_cycle_anchor[type]=timestamp, billing_cycle_anchor[timestamp]=…).
func typedParam(name string) paramChange {
	return func(form *wire.Value) *wire.Error {
		v := form.Lookup(name)
		if v == nil {
			return nil
		}
		kind := v.Lookup("type")
		if kind == nil {
			return wire.Invalid("", v.SentName(), "Invalid object")
		}
		if at := v.Lookup(kind.Text()); at != nil {
			kind = at
		}
		form.Put(name, kind)
		return nil
	}
}

// toOwnParams changes a decoded form of the requested version to the parameters of APIVersion.
func (c apiCall) toOwnParams(form *wire.Value) *wire.Error {
	steps := c.stepsTo(c.version)
	for i := len(steps) - 1; i >= 0; i-- {
		for _, change := range steps[i].params[c.route.pattern] {
			if err := change(form); err != nil {
				return err
			}
		}
	}
	return nil
}
