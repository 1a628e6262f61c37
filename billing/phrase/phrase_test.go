package phrase_test

import (
	"encoding/json"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/phrase"
)

var (
	day   = phrase.Day(time.Date(2026, 11, 26, 23, 0, 0, 0, time.UTC))
	texts = map[string]phrase.Phrase{
		"Discount":            phrase.Of("Discount"),
		"1 seat":              phrase.Count(1, "%s seat", "%s seats"),
		"0 seats":             phrase.Count(0, "%s seat", "%s seats"),
		"2 seats on Pro":      phrase.Count(2, "%s seat on %s", "%s seats on %s", phrase.Name("Pro")),
		"100 % Café":          phrase.Verbatim("100 % Café"),
		"Bo, from 26 Nov":     phrase.Of("%s, from %s", phrase.In(phrase.Names([]string{"Bo"})), day),
		"Bo and Cy":           phrase.Names([]string{"Bo", "Cy"}),
		"Bo, Cy and Di":       phrase.Names([]string{"Bo", "Cy", "Di"}),
		"Bo, Cy and 3 more":   phrase.Names([]string{"Bo", "Cy", "Di", "Ed", "Flo"}),
		"":                    phrase.Names(nil),
		"a; b; c":             phrase.Join([]phrase.Phrase{phrase.Verbatim("a"), phrase.Verbatim("b"), phrase.Verbatim("c")}),
		"Tax: $29.00":         phrase.Of("%s: %s", phrase.In(phrase.Of("Tax")), phrase.Money(catalog.Money{Minor: 2900, Currency: "usd"})),
		"Ends on 26 Nov 2026": phrase.Of("Ends on %s", phrase.Date(*day.Day)),
	}
)

// A phrase reads in English, and the same after it was stored with an e-mail.
func TestPhrase(t *testing.T) {
	for want, p := range texts {
		stored, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var read phrase.Phrase
		if err := json.Unmarshal(stored, &read); err != nil {
			t.Fatal(err)
		}
		if p.String() != want || read.String() != want {
			t.Errorf("%q, stored and read %q, want %q", p, read, want)
		}
	}
}
