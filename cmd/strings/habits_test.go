package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// exceptionsFile has the texts that still have one of the [habits], one a line. It may only shrink:
// -prune removes what is not needed any more, and nothing adds to it.
const exceptionsFile = "testdata/exceptions.txt"

var prune = flag.Bool("prune", false, "remove exceptions that are not needed any more")

// habits are words of earlier versions that no native writer would use in a product, and what to
// write instead.
var habits = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\bstands?\b`), "is, is shown"},
	{regexp.MustCompile(`(?i)\btold\b`), "Billing starts when you choose a plan."},
	{regexp.MustCompile(`(?i)\bgo(es)? on\b`), "continues, renews"},
	{regexp.MustCompile(`(?i)\bby itself\b`), "automatically"},
	{regexp.MustCompile(`(?i)\b(does not|doesn't) count\b`), "is no longer valid"},
	{regexp.MustCompile(`(?i)\bleave this be\b`), "ignore this e-mail"},
	{regexp.MustCompile(`(?i)\bnobody\b`), "no one, or name who does"},
	{regexp.MustCompile(`(?i)\boops\b`), "what happened"},
	{regexp.MustCompile(`!`), "a full stop"},
}

// TestTextsHaveNoLostHabits reads every text of the pages, messages and e-mails.
func TestTextsHaveNoLostHabits(t *testing.T) {
	phrases, err := collect(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(phrases) < 1500 {
		t.Fatalf("%d texts, want 1500 or more: some are not found", len(phrases))
	}
	excepted, needed := readExceptions(t), map[string]bool{}
	for _, p := range phrases {
		for _, habit := range habits {
			switch text := strings.TrimSpace(p.text); {
			case !habit.pattern.MatchString(text):
			case slices.Contains(excepted, text):
				needed[text] = true
			default:
				t.Errorf("%s:%d: %q: instead of %q write: %s", p.file, p.line, text, habit.pattern.FindString(text), habit.instead)
			}
		}
	}
	checkExceptions(t, excepted, needed)
}

func readExceptions(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(exceptionsFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' })
}

// checkExceptions fails for exceptions that no text needs, or removes them.
func checkExceptions(t *testing.T, excepted []string, needed map[string]bool) {
	t.Helper()
	left := slices.DeleteFunc(slices.Clone(excepted), func(text string) bool { return !needed[text] })
	switch {
	case len(left) == len(excepted):
	case *prune:
		if err := os.WriteFile(exceptionsFile, []byte(strings.Join(left, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%d of %d exceptions are not needed any more: go test ./cmd/strings -prune", len(excepted)-len(left), len(excepted))
	}
}

// TestCollect checks that texts are found where people read them, and that codes are left out.
func TestCollect(t *testing.T) {
	templ := `package p

import "usher/views/ui"

const note = "Your card was declined."

templ Page(p Props) {
	<p class="mt-2 text-quiet" title="The exact time">Paid &amp; done <a href="/billing">See it</a></p>
	if p.Open {
		@ui.Button(ui.ButtonProps{Label: "Pay", Name: "pay", Kind: ui.Primary})
	}
	{ "You keep " + p.Plan }
	<input name="email" placeholder="name@example.com"/>
}
`
	found, err := templPhrases(templ)
	if err != nil {
		t.Fatal(err)
	}
	wantTexts(t, found, []string{
		"5 Your card was declined.", "8 The exact time", "8 Paid & done ", "8 See it", "10 Pay", "12 You keep ", "13 name@example.com",
	})
	code := "package p\n\nimport \"errors\"\n\ntype row struct {\n\tID string `db:\"Not a text\"`\n}\n\n" +
		"var a = apperr.Errorf(apperr.CodeConflict, MessageTaken)\n" +
		"const MessageTaken = \"This name is taken.\"\n" +
		"var b = fmt.Errorf(\"Read the row of %s: %w\", x, err)\n" +
		"var c = problem{Title: \"Failed\", Href: \"/a b\"}\n"
	wantTexts(t, goPhrases(code, true), []string{"10 This name is taken.", "12 Failed"})
	wantTexts(t, htmlPhrases("<h2>{{if .Card}}Payment{{else}}Contact{{end}}</h2>\n<p>Still due</p>"), []string{"1 Payment", "1 Contact", "2 Still due"})
}

func wantTexts(t *testing.T, found []phrase, want []string) {
	t.Helper()
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprint(p.line, " ", p.text))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
