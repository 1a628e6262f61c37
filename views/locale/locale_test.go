package locale

import (
	"context"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/phrase"
)

func TestFormats(t *testing.T) {
	english, german := With(t.Context(), English), With(t.Context(), German)
	at := time.Date(2026, time.March, 1, 14, 2, 0, 0, time.FixedZone("CET", 3600))
	dollars, yen := catalog.Money{Minor: 261050, Currency: "usd"}, catalog.Money{Minor: 1500, Currency: "jpy"}
	for _, c := range []struct{ got, want string }{
		{Date(english, at), "1 Mar 2026"}, {Date(german, at), "1. März 2026"},
		{DateTime(english, at), "1 Mar 2026, 13:02 UTC"}, {DateTime(german, at), "1. März 2026, 13:02 UTC"},
		{MonthAndYear(english, at), "Mar 2026"}, {MonthAndYear(german, at), "März 2026"},
		{Count(english, 1234567), "1,234,567"}, {Count(german, -1234567), "-1.234.567"}, {Count(english, 999), "999"},
		{Money(english, dollars), "$2,610.50"}, {Money(german, dollars), "2.610,50\u00a0$"},
		{ShortMoney(english, catalog.Money{Minor: 7200, Currency: "eur"}), "€72"}, {ShortMoney(german, catalog.Money{Minor: 7200, Currency: "eur"}), "72\u00a0€"},
		{Money(german, yen), "1.500\u00a0¥"},
		{Time(at), "14:02"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestAccepted(t *testing.T) {
	for header, want := range map[string]Language{
		"": English, "de": German, "de-AT,en;q=0.8": German, "en-GB,de;q=0.9": English, "fr": English, "fr,de;q=0.5": German, ";;;": English,
	} {
		if got := Accepted(header); got != want {
			t.Errorf("Accepted(%q) = %q, want %q", header, got, want)
		}
	}
}

func TestUntranslatedTextIsEnglish(t *testing.T) {
	german := With(t.Context(), German)
	if got, want := T(german, "No such text: %s and %d %%", "a", 2), "No such text: a and 2 %"; got != want {
		t.Errorf("T = %q, want %q", got, want)
	}
	for n, want := range map[int]string{0: "0 untranslated things", 1: "1 untranslated thing", 2000: "2.000 untranslated things"} {
		if got := N(german, "%s untranslated thing", "%s untranslated things", n); got != want {
			t.Errorf("N = %q, want %q", got, want)
		}
	}
	if got, want := Lookup(german, "100 % of %s"), "100 % of %s"; got != want {
		t.Errorf("Lookup = %q, want %q", got, want)
	}
}

func TestPhrase(t *testing.T) {
	german := With(t.Context(), German)
	at := time.Date(2026, time.March, 1, 23, 2, 0, 0, time.FixedZone("west", -3600))
	people := phrase.Names([]string{"Bo", "Cy", "Di", "Ed"})
	for _, c := range []struct {
		p    phrase.Phrase
		want string
	}{
		{phrase.Of("%s joined on %s", phrase.In(people), phrase.Day(at)), "Beitritt von Bo, Cy und 2 weitere am 2. März"},
		{phrase.Of("%s, until %s", phrase.Name("Pro"), phrase.Date(at)), "Pro, bis 2. März 2026"},
		{phrase.Of("%s: %s", phrase.In(phrase.Of("Tax")), phrase.Money(catalog.Money{Minor: 290050, Currency: "usd"})), "Steuern: 2.900,50\u00a0$"},
		{phrase.Of("%s, from %s", phrase.In(phrase.Count(1200, "%s seat", "%s seats")), phrase.Day(at)), "1.200 Plätze, ab 2. März"},
		{phrase.Verbatim("Tax"), "Tax"}, // a plan can have any name
		{phrase.Verbatim("100 %s"), "100 %s"},
		{phrase.Phrase{}, ""},
	} {
		if got := Phrase(german, c.p); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// The name of the product is replaced in texts, and never in what people wrote.
func TestProduct(t *testing.T) {
	german := With(t.Context(), German)
	for _, c := range []struct {
		ctx  context.Context
		name string
		show func(context.Context) string
		want string
	}{
		{t.Context(), "Lantern", func(ctx context.Context) string { return T(ctx, "%s, not from Usher", "Usher Guild") }, "Usher Guild, not from Lantern"},
		{german, "Lantern", func(ctx context.Context) string { return T(ctx, "%s, not from Usher", "Usher Guild") }, "Usher Guild, nicht von Lantern"},
		{t.Context(), "100% %s", func(ctx context.Context) string { return T(ctx, "%s, not from Usher", "A") }, "A, not from 100% %s"},
		{german, "100%", func(ctx context.Context) string { return T(ctx, "An item that is not from Usher") }, "Ein Posten, der nicht von 100% ist"},
		{t.Context(), "Usher Plus", func(ctx context.Context) string { return T(ctx, "An item that is not from Usher") }, "An item that is not from Usher Plus"},
		{t.Context(), "", func(ctx context.Context) string { return T(ctx, "An item that is not from Usher") }, "An item that is not from Usher"},
		{t.Context(), "Lantern", func(ctx context.Context) string { return T(ctx, "Send Usher-Organization to Ushers of Usher.") }, "Send Usher-Organization to Ushers of Lantern."},
		{t.Context(), "Lantern", func(ctx context.Context) string { return Lookup(ctx, "Usher Guild has another invitation.") }, "Usher Guild has another invitation."},
		{t.Context(), "Lantern", func(ctx context.Context) string {
			return Lookup(ctx, "Setting up the app took too long. Remove the entry for Usher from your app first.")
		}, "Setting up the app took too long. Remove the entry for Lantern from your app first."},
	} {
		if got := c.show(WithProduct(c.ctx, c.name)); got != c.want {
			t.Errorf("for %q: %q, want %q", c.name, got, c.want)
		}
	}
}
