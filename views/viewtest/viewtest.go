// Package viewtest renders components for tests and reads the HTML that comes out.
//
// Only tests import it.
package viewtest

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
)

// HTML renders a component and returns its markup.
func HTML(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(context.Background(), &out); err != nil {
		t.Fatalf("render: %v", err)
	}
	return out.String()
}

// Render renders a component and parses its markup.
func Render(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(HTML(t, c)))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return doc
}

// Text returns the text of a selection with runs of white space collapsed to one space.
func Text(s *goquery.Selection) string { return strings.Join(strings.Fields(s.Text()), " ") }

// outlineLimit bounds how much of an element [Outline] returns, in bytes.
const outlineLimit = 160

// Outline returns the beginning of an element's markup, for failure messages.
func Outline(s *goquery.Selection) string {
	markup, err := goquery.OuterHtml(s)
	if err != nil {
		return goquery.NodeName(s)
	}
	markup = strings.Join(strings.Fields(markup), " ")
	return markup[:min(outlineLimit, len(markup))]
}
