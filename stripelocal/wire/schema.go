package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Schema is what a parameter may be. A route writes its parameters as a line:
//
//	customer! items[]{id price quantity:int} cancel_at:time? mode:payment|subscription metadata:map?
//
// A name may be followed by [] (a list), {…} (its fields), |{…} (a single string too, such as an
// id) or :type, then by ! (required) and ? (an empty string unsets it). Types are str (the
// default), int, bool, time (unix seconds), when (time or "now"), decimal, range (time or gt gte lt
// lte), currency (of ISO 4217, in any case), map (metadata) and any (taken, whatever it is); words
// with | between them are an enumeration, in which the word time is unix seconds; any other word is
// the only value; a number is a string of at most so many characters.
type Schema struct {
	Name      string
	Kind      string
	Choices   []string
	Max       int // characters of a str
	List      bool
	Scalar    bool // a hash for which a single string may be sent
	Required  bool
	Clearable bool
	Fields    map[string]*Schema
	Order     []string
}

// kinds are the types of parameters. Any other word is an enumeration of that word alone.
const kinds = " any bool currency decimal enum int map range str time when "

const rangeFields = "gt:int gte:int lt:int lte:int"

// Locales is the locale parameter of hosted pages.
const Locales = "locale:auto|bg|cs|da|de|el|en|en-GB|es|es-419|et|fi|fil|fr|fr-CA|hr|hu|id|it|ja|ko|lt|lv|ms|mt|nb|nl|pl|pt|pt-BR|ro|ru|sk|sl|sv|th|tr|vi|zh|zh-HK|zh-TW"

// ParseSchema parses a parameter line. An error is a mistake in the route.
func ParseSchema(line string) (*Schema, error) {
	p := &schemaParser{text: line}
	root := &Schema{Kind: "hash"}
	if err := p.fields(root); err != nil {
		return nil, fmt.Errorf("parameters %q: %w", line, err)
	}
	if p.text != "" {
		return nil, fmt.Errorf("parameters %q: unexpected %q", line, p.text)
	}
	return root, nil
}

type schemaParser struct{ text string }

func (p *schemaParser) fields(into *Schema) error {
	into.Fields = map[string]*Schema{}
	for {
		p.text = strings.TrimLeft(p.text, " \n\t")
		if p.text == "" || p.text[0] == '}' {
			return nil
		}
		field, err := p.field()
		if err != nil {
			return err
		}
		into.Fields[field.Name] = field
		into.Order = append(into.Order, field.Name)
	}
}

func (p *schemaParser) field() (*Schema, error) {
	f := &Schema{Name: p.word("[{:!? }\n\t"), Kind: "str", Max: maxString}
	f.Name, f.Scalar = strings.CutSuffix(f.Name, "|")
	if f.Name == "" {
		return nil, fmt.Errorf("a name is missing before %q", p.text)
	}
	f.List = p.take("[]")
	if err := p.content(f); err != nil {
		return nil, err
	}
	f.Required = p.take("!")
	f.Clearable = p.take("?")
	return f, nil
}

func (p *schemaParser) content(f *Schema) error {
	switch {
	case p.take("{"):
		f.Kind = "hash"
		if err := p.fields(f); err != nil {
			return err
		}
		if !p.take("}") {
			return fmt.Errorf("%s is not closed", f.Name)
		}
	case p.take(":"):
		f.Kind = p.word("!? }\n\t")
		if strings.Contains(f.Kind, "|") {
			f.Choices, f.Kind = strings.Split(f.Kind, "|"), "enum"
		}
		if most, err := strconv.Atoi(f.Kind); err == nil {
			f.Max, f.Kind = most, "str"
		}
		if !strings.Contains(kinds, " "+f.Kind+" ") {
			f.Choices, f.Kind = []string{f.Kind}, "enum"
		}
	}
	return nil
}

func (p *schemaParser) word(stop string) string {
	end := strings.IndexAny(p.text, stop)
	if end < 0 {
		end = len(p.text)
	}
	word := p.text[:end]
	p.text = p.text[end:]
	return word
}

func (p *schemaParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.text, s)
	p.text = rest
	return ok
}
