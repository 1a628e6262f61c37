package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leonelquinteros/gotext"
)

// TestGermanIsComplete compares the German file with the code: every message has a translation with
// the same verbs and markers, and there is no other entry.
func TestGermanIsComplete(t *testing.T) {
	found, err := messages(root)
	if err != nil {
		t.Fatal(err)
	}
	german, err := readGerman(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 1000 || len(german) < 1000 {
		t.Fatalf("%d messages and %d translations, want 1,000 or more of both", len(found), len(german))
	}
	used := map[string]bool{}
	for _, m := range found {
		used[m.text] = true
		if trimmed := strings.TrimSpace(m.text); trimmed != m.text || trimmed == "" {
			t.Errorf("%s:%d: %q begins or ends with a space: make it a whole sentence", m.file, m.line, m.text)
		}
		entry, ok := german[m.text]
		if !ok {
			t.Errorf("%s:%d: %q has no entry in %s", m.file, m.line, m.text, germanFile)
			continue
		}
		checkTranslation(t, m, entry)
	}
	for text := range german {
		if text != "" && !used[text] {
			t.Errorf("%s: no code has the text %q", germanFile, text)
		}
	}
}

func checkTranslation(t *testing.T, m message, entry *gotext.Translation) {
	t.Helper()
	forms := []string{m.text}
	if m.many != "" {
		forms = append(forms, m.many)
		if entry.PluralID != m.many {
			t.Errorf("%s:%d: the plural of %q is %q in the code and %q in %s", m.file, m.line, m.text, m.many, entry.PluralID, germanFile)
		}
	}
	for i, form := range forms {
		switch translated := entry.Trs[i]; {
		case translated == "":
			t.Errorf("%s:%d: %q has no translation", m.file, m.line, form)
		case !slices.Equal(placeholders(form), placeholders(translated)):
			t.Errorf("%s:%d: %q has the parts %v, its translation %q has %v", m.file, m.line, form, placeholders(form), translated, placeholders(translated))
		}
	}
}

var placeholder = regexp.MustCompile(`%(?:\[(\d)\])?([sdvq])|\{\d\}`)

// placeholders lists the verbs with their positions and the markers of a text, sorted.
func placeholders(text string) []string {
	var all []string
	next := 1
	for _, match := range placeholder.FindAllStringSubmatch(strings.ReplaceAll(text, "%%", ""), -1) {
		switch {
		case match[2] == "":
			all = append(all, match[0])
		case match[1] != "":
			all = append(all, "%["+match[1]+"]"+match[2])
			next = int(match[1][0]-'0') + 1
		default:
			all = append(all, "%["+string(rune('0'+next))+"]"+match[2])
			next++
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
