package locale

import (
	"context"

	"golang.org/x/text/language"
)

// Language is the primary subtag of a BCP 47 tag: en, de.
type Language string

// The languages of the program.
const (
	English Language = "en"
	German  Language = "de"
)

// Languages lists all languages. The first one is what everyone gets who accepts none of them.
var Languages = []Language{English, German}

// names are the languages' names in themselves, as language menus have them.
var names = map[Language]string{English: "English", German: "Deutsch"}

// Name is the language's name in itself: Deutsch.
func (l Language) Name() string { return names[l] }

// Named returns the language with this tag, and false if there is none.
func Named(tag string) (Language, bool) {
	l := Language(tag)
	_, known := names[l]
	return l, known
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

// Accepted returns the language that fits an Accept-Language header best (RFC 9110, section
// 12.5.4); English if the header is empty or cannot be read.
func Accepted(header string) Language {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return English
	}
	_, index, _ := matcher.Match(tags...)
	return Languages[index]
}

type contextKey struct{}

// With returns a context whose texts are in this language.
func With(ctx context.Context, l Language) context.Context {
	return context.WithValue(ctx, contextKey{}, l)
}

// Of returns the language of a context; English if none was set.
func Of(ctx context.Context) Language {
	if l, ok := ctx.Value(contextKey{}).(Language); ok {
		return l
	}
	return English
}
