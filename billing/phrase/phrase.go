// Package phrase holds texts that the domain makes and that pages and e-mails translate where they
// are shown: why an amount is on an invoice, who changed a seat, a date in an error.
//
// It contains no translation; package views/locale shows a [Phrase] in a language.
package phrase

import (
	"fmt"
	"strconv"
	"time"

	"usher/billing/catalog"
)

// Phrase is a text in English, which is the key of its translations, and what fills its verbs. It
// survives JSON, so that it can be stored with an e-mail.
type Phrase struct {
	// Format is a format of package fmt with a verb %s for each of Args, in the order of English.
	Format string `json:"format"`
	// Several replaces Format if the text depends on a number that is not 1. Both have the verb %s
	// for the number, before those of Args.
	Several string `json:"several,omitempty"`
	Number  int    `json:"number,omitempty"`
	Args    []Arg  `json:"args,omitempty"`
}

// Arg fills a verb. One of its fields is set.
type Arg struct {
	Name   string         `json:"name,omitempty"` // of people, plans and the like: the same in every language
	Phrase *Phrase        `json:"phrase,omitempty"`
	Money  *catalog.Money `json:"money,omitempty"`
	Date   *time.Time     `json:"date,omitempty"` // the day with its year, UTC
	Day    *time.Time     `json:"day,omitempty"`  // the day without its year, UTC
}

// Of returns a phrase. The format is found by the list of texts to translate if it is a literal.
func Of(format string, args ...Arg) Phrase { return Phrase{Format: format, Args: args} }

// Count returns a phrase that depends on a number: Count(2, "%s seat", "%s seats").
func Count(n int, one, several string, args ...Arg) Phrase {
	return Phrase{Format: one, Several: several, Number: n, Args: args}
}

// Verbatim returns a phrase that is the same in every language.
func Verbatim(text string) Phrase { return Phrase{Format: verbatim, Args: []Arg{Name(text)}} }

const verbatim = "%s"

// IsVerbatim reports whether the phrase is the same in every language.
func (p Phrase) IsVerbatim() bool { return p.Format == verbatim && len(p.Args) == 1 }

// IsZero reports whether there is no text.
func (p Phrase) IsZero() bool { return p.Format == "" }

// Name returns an argument that is the same in every language.
func Name(text string) Arg { return Arg{Name: text} }

// Number returns an argument for a small number.
func Number(n int) Arg { return Name(strconv.Itoa(n)) }

// In returns an argument that is a phrase itself.
func In(p Phrase) Arg { return Arg{Phrase: &p} }

// Money returns an argument for an amount.
func Money(m catalog.Money) Arg { return Arg{Money: &m} }

// Date returns an argument for a day with its year: 1 Dec 2026.
func Date(t time.Time) Arg { return Arg{Date: &t} }

// Day returns an argument for a day whose year is known: 1 Dec.
func Day(t time.Time) Arg { return Arg{Day: &t} }

// String returns the English text.
func (p Phrase) String() string {
	var args []any
	format := p.Format
	if p.Several != "" {
		args = append(args, strconv.Itoa(p.Number))
		if p.Number != 1 {
			format = p.Several
		}
	}
	for _, arg := range p.Args {
		args = append(args, arg)
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// String returns the English text.
func (a Arg) String() string {
	switch {
	case a.Phrase != nil:
		return a.Phrase.String()
	case a.Money != nil:
		return a.Money.Format()
	case a.Date != nil:
		return a.Date.UTC().Format("2 Jan 2006")
	case a.Day != nil:
		return a.Day.UTC().Format("2 Jan")
	}
	return a.Name
}

// Join joins phrases with semicolons.
func Join(phrases []Phrase) Phrase {
	var joined Phrase
	for _, p := range phrases {
		if joined.IsZero() {
			joined = p
			continue
		}
		joined = Of("%s; %s", In(joined), In(p))
	}
	return joined
}

// namesShown is how many names a text has before it counts the others.
const namesShown = 3

// Names lists names: "Bo", "Bo and Cy", "Bo, Cy and 3 more".
func Names(names []string) Phrase {
	switch n := len(names); {
	case n == 0:
		return Phrase{}
	case n == 1:
		return Verbatim(names[0])
	case n == 2:
		return Of("%s and %s", Name(names[0]), Name(names[1]))
	case n == namesShown:
		return Of("%s, %s and %s", Name(names[0]), Name(names[1]), Name(names[2]))
	}
	return Of("%s, %s and %s more", Name(names[0]), Name(names[1]), Number(len(names)-2))
}
