package ui

import (
	"context"
	"io"
	"regexp"
	"strconv"

	"github.com/a-h/templ"
)

// marker is the place of a part in a text: {1}.
var marker = regexp.MustCompile(`\{([1-9])\}`)

// Sentence is a text with components inside it: "Renews on {1}." with a date. {1} is the first
// part. Because the whole sentence is one text, translations can move its parts. A marker without
// a part is left as it is.
func Sentence(text string, parts ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		at := 0
		for _, match := range marker.FindAllStringSubmatchIndex(text, -1) {
			n, err := strconv.Atoi(text[match[2]:match[3]])
			if err != nil || n > len(parts) {
				continue
			}
			if _, err := io.WriteString(w, templ.EscapeString(text[at:match[0]])); err != nil {
				return err
			}
			if err := parts[n-1].Render(ctx, w); err != nil {
				return err
			}
			at = match[1]
		}
		_, err := io.WriteString(w, templ.EscapeString(text[at:]))
		return err
	})
}

// Text is a text as a component, for [Sentence].
func Text(text string) templ.Component { return Sentence(text) }
