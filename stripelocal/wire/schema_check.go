package wire

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxString is the default maximum length of a string.
const maxString = 5000

var decimalPattern = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,12})?$`)

// Check checks a decoded form against the schema. Params can read a form that passes without
// further checks.
func (sh *Schema) Check(n *Value) *Error {
	if err := sh.checkUnknown(n); err != nil {
		return err
	}
	for _, name := range sh.Order {
		field, value := sh.Fields[name], n.children[name]
		if value == nil {
			if field.Required {
				return MissingParam(child(n, name))
			}
			continue
		}
		if err := field.checkValue(value); err != nil {
			return err
		}
	}
	return nil
}

func child(n *Value, name string) string {
	if n.name == "" {
		return name
	}
	return n.name + "[" + name + "]"
}

func (sh *Schema) checkUnknown(n *Value) *Error {
	var unknown []*Value
	for _, key := range n.keys {
		if sh.Fields[key] == nil {
			unknown = append(unknown, n.children[key])
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return UnknownParam(unknown[0], unknown[1:]...)
}

func (sh *Schema) checkValue(n *Value) *Error {
	if n.isScalar && n.scalar == "" {
		return sh.checkEmpty(n)
	}
	if sh.List {
		return sh.checkList(n)
	}
	return sh.checkOne(n)
}

func (sh *Schema) checkEmpty(n *Value) *Error {
	if sh.Clearable || sh.Kind == "any" {
		return nil
	}
	return Invalid("parameter_invalid_empty", n.name, fmt.Sprintf("You passed an empty string for '%s'. We assume empty values are an attempt to unset a parameter; however '%s' cannot be unset. You should remove '%s' from your request or supply a non-empty value.", n.name, n.name, n.name))
}

func (sh *Schema) checkList(n *Value) *Error {
	if !n.IsList() {
		return Invalid("", n.name, "Invalid array")
	}
	element := *sh
	element.List, element.Clearable = false, false
	for _, e := range n.Elements() {
		if err := element.checkValue(e); err != nil {
			return err
		}
	}
	return nil
}

func (sh *Schema) checkOne(n *Value) *Error {
	switch sh.Kind {
	case "any":
		return nil
	case "hash", "map":
		return sh.checkHash(n)
	case "range":
		if !n.isScalar {
			return rangeSchema.Check(n)
		}
	}
	if !n.isScalar {
		return Invalid("", n.name, "Invalid string: {"+strings.Join(n.keys, ", ")+"}")
	}
	return sh.checkScalar(n)
}

// rangeSchema is never modified.
var rangeSchema = func() *Schema {
	sh, err := ParseSchema(rangeFields)
	if err != nil {
		panic(err)
	}
	return sh
}()

func (sh *Schema) checkHash(n *Value) *Error {
	switch {
	case n.isScalar && sh.Scalar:
		return nil
	case n.isScalar:
		return Invalid("", n.name, "Invalid object")
	}
	if sh.Kind == "hash" {
		return sh.Check(n)
	}
	return checkMap(n)
}

// checkMap checks metadata against its published limits.
func checkMap(n *Value) *Error {
	if len(n.keys) > 50 {
		return Invalid("", n.name, "You can only have up to 50 metadata keys.")
	}
	for _, key := range n.keys {
		v := n.children[key]
		switch {
		case !v.isScalar:
			return Invalid("", v.name, "Metadata values must be strings, but a value of type hash was passed. If your metadata value is a hash or array, you should serialize it first.")
		case utf8.RuneCountInString(key) > 40:
			return Invalid("", n.name, fmt.Sprintf("Metadata keys can have up to 40 characters, but you passed in a key that is %d characters. Invalid key: %s", utf8.RuneCountInString(key), key))
		case utf8.RuneCountInString(v.scalar) > 500:
			return Invalid("", n.name, fmt.Sprintf("Metadata values can have up to 500 characters, but you passed in a value that is %d characters. Invalid value: %s", utf8.RuneCountInString(v.scalar), v.scalar))
		}
	}
	return nil
}

func (sh *Schema) checkScalar(n *Value) *Error {
	switch sh.Kind {
	case "int", "time", "range":
		return checkInteger(n)
	case "when":
		if n.scalar == "now" {
			return nil
		}
		return checkInteger(n)
	case "currency":
		return checkCurrency(n)
	case "bool":
		n.scalar = strings.ToLower(n.scalar) // Python's True, recorded by liberapay
		if n.scalar != "true" && n.scalar != "false" {
			return Invalid("", n.name, "Invalid boolean: "+n.scalar)
		}
	case "decimal":
		if !decimalPattern.MatchString(n.scalar) {
			return Invalid("parameter_invalid_decimal", n.name, "Invalid decimal: "+n.scalar)
		}
	case "enum":
		return sh.checkEnum(n)
	}
	return sh.checkLength(n)
}

func (sh *Schema) checkLength(n *Value) *Error {
	if sh.Kind != "str" || utf8.RuneCountInString(n.scalar) <= sh.Max {
		return nil
	}
	shown := []rune(n.scalar)
	return Invalid("parameter_invalid_string", n.name, fmt.Sprintf("Invalid string: %s...%s; must be at most %d characters", string(shown[:min(10, len(shown))]), string(shown[len(shown)-min(5, len(shown)):]), sh.Max))
}

// checkCurrency takes a currency in any case, as Stripe does (recorded by spree_stripe).
func checkCurrency(n *Value) *Error {
	code := strings.ToLower(n.scalar)
	if !IsCurrency(code) {
		return Invalid("", n.name, "Invalid currency: "+code+". Stripe currently supports these currencies: "+strings.Join(currencies, ", "))
	}
	n.scalar = code
	return nil
}

func checkInteger(n *Value) *Error {
	if _, err := strconv.ParseInt(n.scalar, 10, 64); err != nil {
		return Invalid("parameter_invalid_integer", n.name, "Invalid integer: "+n.scalar)
	}
	return nil
}

func (sh *Schema) checkEnum(n *Value) *Error {
	for _, c := range sh.Choices {
		if c == n.scalar || c == "time" && checkInteger(n) == nil {
			return nil
		}
	}
	return Invalid("", n.name, fmt.Sprintf("Invalid %s: must be one of %s", n.name, orList(sh.Choices)))
}

// orList joins words: a, b, or c.
func orList(words []string) string {
	last := len(words) - 1
	switch len(words) {
	case 0, 1:
		return strings.Join(words, "")
	case 2:
		return words[0] + " or " + words[1]
	}
	return strings.Join(words[:last], ", ") + ", or " + words[last]
}
