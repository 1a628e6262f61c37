package views_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// Words of neighboring elements have a space between them: "billing here. Add", not
// "billing here.Add".
func wordsAreApart(t *testing.T, doc *goquery.Document) {
	for _, glued := range gluedWords(doc) {
		t.Errorf("no space between %s", glued)
	}
}

func gluedWords(doc *goquery.Document) []string {
	r := &textReader{apart: true}
	for _, body := range doc.Find("body").Nodes {
		r.read(body)
	}
	return r.glued
}

// textReader reads the text of a document in its order. Only text that is laid out in one line can
// run together: blocks, columns and drawings keep it apart.
type textReader struct {
	last  string // the last text
	apart bool   // something keeps the next text apart from it
	glued []string
}

var (
	inlineElements = []string{"a", "span", "bdi", "b", "strong", "em", "i", "code", "time", "abbr", "small"}
	blockClasses   = []string{"block", "flex", "grid", "hidden", "sr-only", "absolute", "inline-block"}
	flexClasses    = []string{"flex", "grid", "inline-flex"}
	unreadElements = []string{"script", "style", "svg", "template"}
)

func (r *textReader) read(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		r.readText(n.Data)
		return
	case n.Type == html.ElementNode && slices.Contains(unreadElements, n.Data):
		r.apart = true
		return
	}
	block := n.Type == html.ElementNode && (!slices.Contains(inlineElements, n.Data) || hasClass(n, blockClasses))
	r.apart = r.apart || block
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		r.read(child)
		r.apart = r.apart || hasClass(n, flexClasses)
	}
	r.apart = r.apart || block
}

func (r *textReader) readText(text string) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		r.apart = r.apart || text != ""
		return
	}
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(r.last)
	if !r.apart && unicode.IsLetter(first) && (unicode.IsLetter(last) || strings.ContainsRune(".,:;?", last)) {
		r.glued = append(r.glued, strings.TrimSpace(r.last)+" | "+trimmed)
	}
	r.last, r.apart = text, false
	if end, _ := utf8.DecodeLastRuneInString(text); unicode.IsSpace(end) {
		r.apart = true
	}
}

func hasClass(n *html.Node, classes []string) bool {
	for _, attribute := range n.Attr {
		if attribute.Key == "class" {
			return slices.ContainsFunc(strings.Fields(attribute.Val), func(class string) bool { return slices.Contains(classes, class) })
		}
	}
	return false
}

func TestGluedWordsAreFound(t *testing.T) {
	for page, want := range map[string]int{
		`<p>Nobody manages billing here.<a href="/">Add someone</a></p>`:                   1,
		`<p><span>28 Nov 2026, 14:02 UTC</span><span>to 29 Nov</span></p>`:                 1,
		`<p>Nobody manages billing here. <a href="/">Add someone</a></p>`:                  0,
		`<p>It is <bdi>Ana</bdi>'s.</p>`:                                                   0,
		`<p class="flex gap-2"><span>Ana</span><span>Lima</span></p>`:                      0,
		`<h2>Pro</h2><p>Active</p>`:                                                        0,
		`<td>Pro<span class="block">yearly</span></td>`:                                    0,
		`<a href="/" class="inline-flex gap-2">Icon<span>Text</span></a> <b>b</b><i>c</i>`: 1,
	} {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader("<body>" + page))
		if err != nil {
			t.Fatal(err)
		}
		if got := gluedWords(doc); len(got) != want {
			t.Errorf("%s: %q, want %d", page, got, want)
		}
	}
}
