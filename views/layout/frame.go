package layout

import (
	"bytes"
	"context"
	"io"

	"github.com/a-h/templ"
)

// htmxAttribute begins every attribute that htmx reads.
var htmxAttribute = []byte(" hx-")

// Page is the HTML document around a page's content, its children. The product's name is appended
// to the title. The content is rendered first, so that only pages that use htmx load it.
func Page(title string, p Props) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		content := templ.GetBuffer()
		defer templ.ReleaseBuffer(content)
		children := templ.GetChildren(ctx)
		ctx = templ.ClearChildren(ctx)
		if err := children.Render(ctx, content); err != nil {
			return err
		}
		rendered := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			_, err := w.Write(content.Bytes())
			return err
		})
		usesHTMX := bytes.Contains(content.Bytes(), htmxAttribute)
		return document(title, p, usesHTMX).Render(templ.WithChildren(ctx, rendered), w)
	})
}
