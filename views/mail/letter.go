package mail

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"unicode"

	"usher/billing/mail"
	"usher/views/brand"
	"usher/views/locale"
	"usher/views/ui"
)

// letter is the content of an e-mail. Text and HTML are rendered from the same letter, so they
// agree.
type letter struct {
	subject string
	name    string // of the recipient; empty if unknown
	amount  string // the heading instead of the subject; empty if no amount is the point
	// amountIs says what the amount is, such as "to pay for Lyric Street".
	amountIs string
	opening  []string
	lines    []string // facts, rendered as a list
	button   ui.LinkButtonProps
	closing  []string
	why      string // why the recipient gets the e-mail
	brand    brand.Brand
}

// Renderer writes e-mails. It implements [billing.Renderer]. The zero value writes Usher's own.
type Renderer struct {
	Brand brand.Brand
}

// Render returns the subject, the text and the HTML of an e-mail. The subject is one line. It
// fails if the kind is unknown.
func (r Renderer) Render(ctx context.Context, m mail.Message) (mail.Rendered, error) {
	write, known := letters[m.Kind]
	if !known {
		return mail.Rendered{}, fmt.Errorf("no words for mail of kind %q", m.Kind)
	}
	if language, known := locale.Named(cmp.Or(m.Language, m.Data.SenderLanguage)); known {
		ctx = locale.With(ctx, language)
	}
	ctx = locale.WithProduct(ctx, r.Brand.Name)
	l := write(ctx, m.Data)
	l.brand = r.Brand
	l.name, l.subject, l.amountIs = oneLine(m.Data.Name), oneLine(l.subject), oneLine(l.amountIs)
	var html bytes.Buffer
	if err := document(l).Render(ctx, &html); err != nil {
		return mail.Rendered{}, fmt.Errorf("render mail %s: %w", m.Kind, err)
	}
	return mail.Rendered{Subject: l.subject, Text: l.text(ctx), HTML: recolor(html.String(), r.Brand.Palette)}, nil
}

// oneLine replaces line breaks and control characters by spaces and removes bidirectional controls.
// Names are input of other people and must not add mail headers or reverse the text that follows.
func oneLine(s string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.In(r, unicode.Bidi_Control):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(clean), " ")
}

func (l letter) greeting(ctx context.Context) string {
	if l.name == "" {
		return locale.T(ctx, "Hello,")
	}
	return locale.T(ctx, "Hello %s,", l.name)
}

// text is the plain text of the letter. The link has a line of its own, so that mail programs
// detect it.
func (l letter) text(ctx context.Context) string {
	parts := append([]string{l.greeting(ctx)}, l.opening...)
	if len(l.lines) > 0 {
		parts = append(parts, "- "+strings.Join(l.lines, "\n- "))
	}
	parts = append(parts, l.button.Label+":\n"+l.button.Href)
	parts = append(parts, l.closing...)
	parts = append(parts, strings.Join(l.signature(ctx), "\n"))
	return strings.Join(parts, "\n\n") + "\n"
}

func (l letter) signature(ctx context.Context) []string {
	lines := []string{"-- ", l.brand.DisplayName(), l.why}
	for _, link := range ui.BrandLinks(ctx, l.brand) {
		lines = append(lines, link.Label+": "+strings.TrimPrefix(link.Href, "mailto:"))
	}
	return lines
}
