package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// canary is a secret that nothing may show. Several canaries of one kind share a name.
type canary struct{ name, value string }

// minNeedle is the length in bytes of the shortest text that is searched for. Shorter ones, such as
// one-time codes, occur by chance.
const minNeedle = 8

// forms returns the texts that reveal a value, by what they are: the value as it is, in encodings
// that logs, pages and databases use, and its halves.
func forms(value string) map[string]string {
	quoted, _ := json.Marshal(value)
	found := map[string]string{
		"raw": value, "query-escaped": url.QueryEscape(value), "path-escaped": url.PathEscape(value), "HTML": html.EscapeString(value),
		"JSON": string(quoted[1 : len(quoted)-1]), "hex": hex.EncodeToString([]byte(value)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(value))),
	}
	if half := len(value) / 2; half >= minNeedle {
		found["first half"], found["second half"] = value[:half], value[half:]
	}
	for shift := range 3 {
		name := "base64 at " + string(rune('0'+shift))
		found[name], found[name+", URL"] = base64At(base64.RawStdEncoding, value, shift), base64At(base64.RawURLEncoding, value, shift)
	}
	return found
}

// base64At returns what is the same of every base64 text that holds the value shift bytes after a
// group of three.
func base64At(encoding *base64.Encoding, value string, shift int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + value))
	return text[(shift*8+5)/6 : (shift+len(value))*8/6]
}

// evidence collects what came out of the program, by place, and the canaries.
type evidence struct {
	lock     sync.Mutex
	texts    map[string][]string
	seen     map[string]bool
	canaries map[canary]bool
}

func newEvidence() *evidence {
	return &evidence{texts: map[string][]string{}, seen: map[string]bool{}, canaries: map[canary]bool{}}
}

// add records a text at a place, once.
func (e *evidence) add(place, text string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if key := place + "\x00" + text; !e.seen[key] {
		e.seen[key] = true
		e.texts[place] = append(e.texts[place], text)
	}
}

// watch adds a canary and returns its value.
func (e *evidence) watch(name, value string) string {
	e.lock.Lock()
	defer e.lock.Unlock()
	if len(value) >= minNeedle {
		e.canaries[canary{name, value}] = true
	}
	return value
}

// values returns the values of the canaries with a name.
func (e *evidence) values(name string) (values []string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	for c := range e.canaries {
		if c.name == name {
			values = append(values, c.value)
		}
	}
	return values
}

// find returns the places with one of the canaries, as "canary: place" with the form.
func (e *evidence) find(canaries []canary) map[string]string {
	needles := map[uint64][]needle{}
	for _, c := range canaries {
		for form, text := range forms(c.value) {
			key := binary.LittleEndian.Uint64([]byte(text))
			needles[key] = append(needles[key], needle{c, form, []byte(text)})
		}
	}
	hits := map[string]string{}
	e.lock.Lock()
	defer e.lock.Unlock()
	for place, texts := range e.texts {
		for _, text := range texts {
			for _, hit := range search([]byte(text), needles) {
				if where := hit.canary.name + ": " + place; hits[where] != "raw" {
					hits[where] = hit.form
				}
			}
		}
	}
	return hits
}

type needle struct {
	canary canary
	form   string
	text   []byte
}

// search looks at every eight bytes of a text, which takes the same time for any number of needles.
func search(text []byte, needles map[uint64][]needle) (hits []needle) {
	for i := 0; i+minNeedle <= len(text); i++ {
		for _, n := range needles[binary.LittleEndian.Uint64(text[i:])] {
			if bytes.HasPrefix(text[i:], n.text) {
				hits = append(hits, n)
			}
		}
	}
	return hits
}

// Each form of a canary is found, wherever it stands in a text, and nothing else is.
func TestCanarySearchFindsEveryForm(t *testing.T) {
	const value = "Zx/9+q&\"7 Lö<canary>"
	for form, text := range forms(value) {
		for _, around := range []string{"", " ", "before\nand after"} {
			e := newEvidence()
			e.add("log", around+text+around)
			e.add("page", strings.Join(strings.SplitAfter(text, ""), "."))
			if hits := e.find([]canary{{"secret", value}}); len(hits) != 1 || hits["secret: log"] == "" {
				t.Errorf("%s, %q: found %v", form, around+text+around, hits)
			}
		}
	}
	for shift := range 6 {
		e := newEvidence()
		e.add("log", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift)+value+"y")))
		if hits := e.find([]canary{{"secret", value}}); len(hits) != 1 {
			t.Errorf("not found in base64 after %d bytes", shift)
		}
	}
}
