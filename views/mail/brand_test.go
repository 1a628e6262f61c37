package mail_test

import (
	"strings"
	"testing"

	"usher/billing/mail"
	"usher/views/brand"
	mailviews "usher/views/mail"
)

func renderBranded(t *testing.T, b brand.Brand, kind mail.Kind, language string) mail.Rendered {
	t.Helper()
	rendered, err := mailviews.Renderer{Brand: b}.Render(t.Context(), mail.Message{
		Kind: kind, To: "ana@example.com", Language: language,
		Data: mail.Data{Name: "Ana #8a1c3b", Organization: "Lyric Street", URL: "https://billing.example.com/x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// No e-mail of a branded installation names Usher or has its colors, in any language.
func TestBrandedEmails(t *testing.T) {
	palette, err := brand.NewPalette(brand.Color{R: 0x0b, G: 0x5f, B: 0xff})
	if err != nil {
		t.Fatal(err)
	}
	b := brand.Brand{
		Name: `<b>Lantern</b> & "Co"`, Palette: &palette, SupportURL: "mailto:help@lantern.example",
		TermsURL: "https://lantern.example/terms?a=1&b=2", PrivacyURL: "https://lantern.example/privacy",
	}
	const escaped = "&lt;b&gt;Lantern&lt;/b&gt; &amp; &#34;Co&#34;"
	for _, kind := range mail.Kinds() {
		for language, privacy := range map[string]string{"en": "Privacy", "de": "Datenschutz"} {
			got := renderBranded(t, b, kind, language)
			if strings.Contains(got.Subject+got.Text+got.HTML, "Usher") {
				t.Errorf("%s, %s: it names Usher", kind, language)
			}
			for _, color := range []string{"#f29ab0", "#2a0d16"} {
				if strings.Contains(got.HTML, color) {
					t.Errorf("%s: it has %s", kind, color)
				}
			}
			if n := strings.Count(got.HTML, "#8a1c3b"); n != 1 { // the name of the recipient
				t.Errorf("%s: Usher's color is there %d times, want once, in a name", kind, n)
			}
			if strings.Contains(got.HTML, "<b>Lantern") || !strings.Contains(got.HTML, "<bdi>"+escaped+"</bdi>") {
				t.Errorf("%s: the name is not escaped", kind)
			}
			for _, want := range []string{"-- \n" + b.Name + "\n", ": help@lantern.example", privacy + ": https://lantern.example/privacy"} {
				if !strings.Contains(got.Text, want) {
					t.Errorf("%s: %q is not in the text\n%s", kind, want, got.Text)
				}
			}
			for _, want := range []string{`href="mailto:help@lantern.example"`, `href="https://lantern.example/terms?a=1&amp;b=2"`, "background-color:#0b5fff; color:#ffffff"} {
				if !strings.Contains(got.HTML, want) {
					t.Errorf("%s: %q is not in the HTML", kind, want)
				}
			}
		}
	}
}

func TestUnbrandedEmails(t *testing.T) {
	got := renderBranded(t, brand.Brand{}, mail.KindVerifyEmail, "")
	if !strings.Contains(got.Text, "-- \nUsher\n") || !strings.Contains(got.Text, "You signed up for Usher") || strings.Contains(got.HTML, "Privacy") {
		t.Errorf("text\n%s", got.Text)
	}
}
