package catalog

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder fills structs from TOML tables. It collects every mistake instead of stopping at the
// first, as toml.Decode does, and names the table by its number.
type decoder struct {
	file     string
	mistakes []error
}

// wrong records a mistake; position is the table, empty for the file itself.
func (d *decoder) wrong(position, format string, args ...any) {
	if position != "" {
		position += ": "
	}
	d.mistakes = append(d.mistakes, fmt.Errorf("%s: %s%s", d.file, position, fmt.Sprintf(format, args...)))
}

// table fills the fields of target (a pointer to a struct) that have a toml tag, and rejects all
// other keys. Fields of absent keys keep their value, the default. More tags check a value:
//   - required:"true" rejects an absent key and an empty text.
//   - max is the maximum of a number, or of a text's characters.
//   - oneof lists the accepted words.
//   - identifier:"true" rejects other than [identifier].
func (d *decoder) table(position string, values map[string]any, target any) {
	var known []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(target).Elem()) {
		name, ok := field.Tag.Lookup("toml")
		if !ok {
			continue
		}
		known = append(known, name)
		k := key{name: name, tag: field.Tag, wrong: func(format string, args ...any) {
			d.wrong(position, "%s %s", name, fmt.Sprintf(format, args...))
		}}
		if value, given := values[name]; given {
			k.decode(reflect.ValueOf(target).Elem().FieldByIndex(field.Index), value)
		} else if k.required() {
			k.wrong("is missing%s", field.Tag.Get("example"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			d.wrong(position, "key %q is not known; there are %s", name, strings.Join(known, ", "))
		}
	}
}

// key is a key of a table, with the tags of its field.
type key struct {
	name  string
	tag   reflect.StructTag
	wrong func(format string, args ...any)
}

func (k key) required() bool { return k.tag.Get("required") == "true" }

// max returns the tag's value, 500 without one.
func (k key) max() int {
	limit, err := strconv.Atoi(k.tag.Get("max"))
	if err != nil {
		return 500
	}
	return limit
}

// decode sets the field to a valid value and leaves it unchanged otherwise.
func (k key) decode(field reflect.Value, value any) {
	var decoded any
	var ok bool
	switch field.Interface().(type) {
	case bool:
		if decoded, ok = value.(bool); !ok {
			k.wrong("must be true or false, without quotes")
		}
	case int:
		decoded, ok = k.number(value)
	case decimal:
		decoded, ok = k.decimal(value)
	case []string:
		decoded, ok = k.texts(value)
	case map[string]any:
		if decoded, ok = value.(map[string]any); !ok {
			k.wrong("must be written with one bracket, [%s], and its keys below it", k.name)
		}
	case []map[string]any:
		if decoded, ok = value.([]map[string]any); !ok {
			k.wrong("must be written with two brackets, [[%s]], once for each", k.name)
		}
	default:
		decoded, ok = k.text(value)
	}
	if ok {
		field.Set(reflect.ValueOf(decoded).Convert(field.Type()))
	}
}

func (k key) number(value any) (int, bool) {
	number, ok := value.(int64)
	if !ok {
		k.wrong("must be a whole number, without quotes")
		return 0, false
	}
	if number < 0 || number > int64(k.max()) {
		k.wrong("is %d, it must be from 0 to %d", number, k.max())
		return 0, false
	}
	return int(number), true
}

func (k key) text(value any) (string, bool) {
	text, ok := value.(string)
	text = strings.TrimSpace(text)
	words := strings.Fields(k.tag.Get("oneof"))
	switch count := utf8.RuneCountInString(text); {
	case !ok:
		k.wrong(`must be a text in quotes, for example %s = "…"`, k.name)
	case text == "" && k.required():
		k.wrong("is missing")
	case count > k.max():
		k.wrong("has %d characters, at most %d fit", count, k.max())
	case k.tag.Get("identifier") == "true" && !identifier.MatchString(text):
		k.wrong("%q will not do: %s", text, identifierMeaning)
	case len(words) > 0 && !slices.Contains(words, text):
		last := len(words) - 1
		k.wrong("%q is not known: %s or %s", text, strings.Join(words[:last], ", "), words[last])
	default:
		return text, true
	}
	return "", false
}

// texts decodes a list of different texts.
func (k key) texts(value any) (texts []string, ok bool) {
	list, ok := value.([]any)
	if !ok {
		k.wrong(`must be a list of texts, for example %s = ["…", "…"]`, k.name)
		return nil, false
	}
	for _, item := range list {
		text, isText := item.(string)
		switch text = strings.TrimSpace(text); {
		case !isText:
			k.wrong("holds %v, which is no text in quotes", item)
		case text == "":
			k.wrong("holds an empty text")
		case slices.Contains(texts, text):
			k.wrong("holds %q twice", text)
		}
		texts = append(texts, text)
	}
	return texts, true
}

// decimal is an amount in the currency's main unit, as written in the file.
type decimal string

// decimal decodes an amount. Floats are rejected: 9.10 has no exact float.
func (k key) decimal(value any) (decimal, bool) {
	switch amount := value.(type) {
	case int64:
		return decimal(strconv.FormatInt(amount, 10)), true
	case string:
		if amount = strings.TrimSpace(amount); amount != "" {
			return decimal(amount), true
		}
		k.wrong("is empty, not a decimal number such as 9 or 9.50")
	case float64:
		k.wrong(`%v must stand in quotes, since it has decimals: %s = "9.50"`, amount, k.name)
	default:
		k.wrong(`must be a number: %s = 9 or %s = "9.50"`, k.name, k.name)
	}
	return "", false
}
