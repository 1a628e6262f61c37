package stripelocal

import (
	"fmt"
	"strconv"
	"strings"
)

// shape is what a parameter may be. A route writes its parameters as a line:
//
//	customer! items[]{id price quantity:int} cancel_at:time? mode:payment|subscription metadata:map?
//
// A name may be followed by [] (a list), {…} (its fields) or :type, then by !
// (required) and ? (an empty string unsets it). Types are str (the default),
// int, bool, time (unix seconds), when (time or "now"), decimal, range (time or
// gt gte lt lte), map (metadata) and any (taken, whatever it is); words with |
// between them are an enumeration; a number is a string of at most so many
// characters.
type shape struct {
	name      string
	kind      string
	choices   []string
	max       int // characters of a str
	list      bool
	required  bool
	clearable bool
	fields    map[string]*shape
	order     []string
}

const rangeFields = "gt:int gte:int lt:int lte:int"

// locales is the parameter of hosted pages that names their language.
const locales = "locale:auto|bg|cs|da|de|el|en|en-GB|es|es-419|et|fi|fil|fr|fr-CA|hr|hu|id|it|ja|ko|lt|lv|ms|mt|nb|nl|pl|pt|pt-BR|ro|ru|sk|sl|sv|th|tr|vi|zh|zh-HK|zh-TW"

// parseShape reads a route's line; an error is a mistake in this package.
func parseShape(line string) (*shape, error) {
	p := &shapeParser{text: line}
	root := &shape{kind: "hash"}
	if err := p.fields(root); err != nil {
		return nil, fmt.Errorf("parameters %q: %w", line, err)
	}
	if p.text != "" {
		return nil, fmt.Errorf("parameters %q: unexpected %q", line, p.text)
	}
	return root, nil
}

type shapeParser struct{ text string }

func (p *shapeParser) fields(into *shape) error {
	into.fields = map[string]*shape{}
	for {
		p.text = strings.TrimLeft(p.text, " \n\t")
		if p.text == "" || p.text[0] == '}' {
			return nil
		}
		field, err := p.field()
		if err != nil {
			return err
		}
		into.fields[field.name] = field
		into.order = append(into.order, field.name)
	}
}

func (p *shapeParser) field() (*shape, error) {
	f := &shape{name: p.word("[{:!? }\n\t"), kind: "str", max: maxString}
	if f.name == "" {
		return nil, fmt.Errorf("a name is missing before %q", p.text)
	}
	f.list = p.take("[]")
	if err := p.content(f); err != nil {
		return nil, err
	}
	f.required = p.take("!")
	f.clearable = p.take("?")
	return f, nil
}

func (p *shapeParser) content(f *shape) error {
	switch {
	case p.take("{"):
		f.kind = "hash"
		if err := p.fields(f); err != nil {
			return err
		}
		if !p.take("}") {
			return fmt.Errorf("%s is not closed", f.name)
		}
	case p.take(":"):
		f.kind = p.word("!? }\n\t")
		if strings.Contains(f.kind, "|") {
			f.choices, f.kind = strings.Split(f.kind, "|"), "enum"
		}
		if most, err := strconv.Atoi(f.kind); err == nil {
			f.max, f.kind = most, "str"
		}
	}
	return nil
}

func (p *shapeParser) word(stop string) string {
	end := strings.IndexAny(p.text, stop)
	if end < 0 {
		end = len(p.text)
	}
	word := p.text[:end]
	p.text = p.text[end:]
	return word
}

func (p *shapeParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.text, s)
	p.text = rest
	return ok
}
