package locale

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/leonelquinteros/gotext"
)

//go:embed de.po
var germanFile []byte

// translations are the languages other than English.
var translations = map[Language]translation{German: parse(germanFile)}

// translation holds the two lookups of a gettext file. They return the key if a text is missing.
type translation struct {
	one  func(text string, args ...any) string
	many func(one, many string, n int, args ...any) string
}

func parse(file []byte) translation {
	po := gotext.NewPo()
	po.Parse(file)
	return translation{one: po.Get, many: po.GetN}
}

// T translates a text into the language of the context. With arguments the text is a format of
// package fmt: a whole sentence with a verb for each part that varies, so that a translation can
// put them in another order (%[2]s).
func T(ctx context.Context, text string, args ...any) string {
	if translation, ok := translationFor(ctx, text); ok {
		return translation.one(text, args...)
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// N translates a text that depends on a number. Both forms have the verb %s for it, which
// [Count] fills; args follow.
func N(ctx context.Context, one, many string, n int, args ...any) string {
	args = append([]any{Count(ctx, n)}, args...)
	if translation, ok := translations[Of(ctx)]; ok {
		return translation.many(one, many, n, args...)
	}
	if n == 1 {
		return fmt.Sprintf(one, args...)
	}
	return fmt.Sprintf(many, args...)
}

// Mark marks a text that is kept in a variable, so that it gets a translation. [Lookup] translates
// it where it is shown.
func Mark(text string) string { return text }

// Lookup translates a text that was marked, or that comes with an error. Any other text is returned
// as it is.
func Lookup(ctx context.Context, text string) string {
	if translation, ok := translationFor(ctx, text); ok {
		return translation.one(text)
	}
	return text
}

// translationFor returns the translation into the language of the context; false if the text is
// shown as it is.
func translationFor(ctx context.Context, text string) (translation, bool) {
	found, ok := translations[Of(ctx)]
	return found, ok && text != "" // the empty key is the file's header
}
