package mail

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode"

	"usher/billing"
	"usher/views/ui"
)

// letter is what an e-mail says; its text and its HTML are two ways to write it down, so that they can't differ.
type letter struct {
	subject string
	name    string // whom it is to; empty: not known
	opening []string
	lines   []string // facts, a line each, set as a list
	button  ui.LinkButtonProps
	closing []string
	why     string // why this came to the reader
}

// Renderer puts e-mails into words. It implements [billing.Renderer].
type Renderer struct{}

// RenderMail writes an e-mail as a subject of one line, as text and as HTML. Error: a kind that has no words.
func (Renderer) RenderMail(ctx context.Context, m billing.Mail) (billing.RenderedMail, error) {
	write, known := letters[m.Kind]
	if !known {
		return billing.RenderedMail{}, fmt.Errorf("no words for mail of kind %q", m.Kind)
	}
	l := write(m.Data)
	l.name, l.subject = oneLine(m.Data.Name), oneLine(l.subject)
	var html bytes.Buffer
	if err := document(l).Render(ctx, &html); err != nil {
		return billing.RenderedMail{}, fmt.Errorf("render mail %s: %w", m.Kind, err)
	}
	return billing.RenderedMail{Subject: l.subject, Text: l.text(), HTML: html.String()}, nil
}

// oneLine takes out what could end a header line or turn the direction of what follows: names are other people's choice.
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

func (l letter) greeting() string {
	if l.name == "" {
		return "Hello,"
	}
	return "Hello " + l.name + ","
}

// text writes the letter for programs that show no HTML. The link stands on a line of its own, so that all of them make it one.
func (l letter) text() string {
	parts := append([]string{l.greeting()}, l.opening...)
	if len(l.lines) > 0 {
		parts = append(parts, "- "+strings.Join(l.lines, "\n- "))
	}
	parts = append(parts, l.button.Label+":\n"+l.button.Href)
	parts = append(parts, l.closing...)
	parts = append(parts, "-- \nUsher\n"+l.why)
	return strings.Join(parts, "\n\n") + "\n"
}
