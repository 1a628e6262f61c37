package locale

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"
)

// product is the name of this program in the texts.
const product = "Usher"

type productKey struct{}

// WithProduct returns a context whose texts name this product instead of Usher; empty: Usher.
func WithProduct(ctx context.Context, name string) context.Context {
	if name == "" {
		return ctx
	}
	return context.WithValue(ctx, productKey{}, name)
}

// withProduct replaces the product's name in a text that is a key or a translation. A percent sign
// of the name is written as percent, since the text may be a format.
func withProduct(ctx context.Context, text, percent string) string {
	name, replaced := ctx.Value(productKey{}).(string)
	if !replaced || !strings.Contains(text, product) {
		return text
	}
	name = strings.ReplaceAll(name, "%", percent)
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, product)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if endsWord(after) {
			out.WriteString(name)
		} else { // such as the header Usher-Organization
			out.WriteString(product)
		}
		text = after
	}
}

func endsWord(after string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	return next != '-' && !unicode.IsLetter(next) && !unicode.IsDigit(next)
}
