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

// translation holds the lookups of a gettext file. The first two return the key if a text is
// missing.
type translation struct {
	one   func(text string, args ...any) string
	many  func(one, many string, n int, args ...any) string
	known func(text string) bool
}

func parse(file []byte) translation {
	po := gotext.NewPo()
	po.Parse(file)
	return translation{one: po.Get, many: po.GetN, known: po.IsTranslated}
}

// T translates a text into the language of the context. With arguments the text is a format of
// package fmt: a whole sentence with a verb for each part that varies, so that a translation can
// put them in another order (%[2]s).
func T(ctx context.Context, text string, args ...any) string {
	if translation, ok := translationFor(ctx, text); ok {
		text = translation.one(text)
	}
	return fill(ctx, text, args)
}

// fill names the product in a translated text and fills its verbs. The arguments are the input of
// people and stay as they are.
func fill(ctx context.Context, text string, args []any) string {
	if len(args) == 0 {
		return withProduct(ctx, text, "%")
	}
	return fmt.Sprintf(withProduct(ctx, text, "%%"), args...)
}

// N translates a text that depends on a number. Both forms have the verb %s for it, which
// [Count] fills; args follow.
func N(ctx context.Context, one, many string, n int, args ...any) string {
	args = append([]any{Count(ctx, n)}, args...)
	if translation, ok := translations[Of(ctx)]; ok {
		return fill(ctx, translation.many(one, many, n), args)
	}
	if n == 1 {
		return fill(ctx, one, args)
	}
	return fill(ctx, many, args)
}

// Mark marks a text that is kept in a variable, so that it gets a translation. [Lookup] translates
// it where it is shown.
func Mark(text string) string { return text }

// Lookup translates a text that was marked, or that comes with an error. Any other text is returned
// as it is.
func Lookup(ctx context.Context, text string) string {
	shown := text
	if translation, ok := translationFor(ctx, text); ok {
		shown = translation.one(text)
	}
	if translations[German].known(text) { // no name in it
		shown = withProduct(ctx, shown, "%")
	}
	return shown
}

// translationFor returns the translation into the language of the context; false if the text is
// shown as it is.
func translationFor(ctx context.Context, text string) (translation, bool) {
	found, ok := translations[Of(ctx)]
	return found, ok && text != "" // the empty key is the file's header
}
