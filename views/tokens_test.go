package views_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shades are the colours of a token in the light and the dark theme.
type shades [2]string

// tokens reads the colours from tailwind.config.js.
func tokens(t *testing.T) map[string]shades {
	t.Helper()
	config, err := os.ReadFile("../tailwind.config.js")
	if err != nil {
		t.Fatalf("read the tokens: %v", err)
	}
	out := map[string]shades{}
	for _, m := range regexp.MustCompile(`'([a-z-]+)': \['(#[0-9a-f]{6})', '(#[0-9a-f]{6})'\]`).FindAllStringSubmatch(string(config), -1) {
		out[m[1]] = shades{m[2], m[3]}
	}
	if len(out) < 15 {
		t.Fatalf("only %d tokens found in tailwind.config.js", len(out))
	}
	return out
}

// luminance is the relative luminance of a colour as WCAG 2.2 defines it
// (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	weights, sum := [3]float64{0.2126, 0.7152, 0.0722}, 0.0
	for i, weight := range weights {
		channel, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("colour %q: %v", hex, err)
		}
		c := float64(channel) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrastFormula(t *testing.T) {
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 0.001 {
		t.Errorf("black on white is %.3f, want 21", got)
	}
	if got := contrast(t, "#777777", "#ffffff"); math.Abs(got-4.478) > 0.001 {
		t.Errorf("#777 on white is %.3f, want 4.478", got)
	}
}

// Body text needs 7:1 (WCAG 1.4.6), coloured text 4.5:1 on every background (WCAG 1.4.3), the
// borders of controls 3:1 (WCAG 1.4.11).
func TestTokensContrast(t *testing.T) {
	pairs := map[string]struct {
		grounds []string
		least   float64
	}{
		"ink":         {[]string{"paper", "surface", "good-wash", "wait-wash", "bad-wash", "note-wash", "velvet-wash"}, 7},
		"quiet":       {[]string{"paper", "surface"}, 7},
		"velvet":      {[]string{"paper", "surface", "velvet-wash", "good-wash", "wait-wash", "bad-wash", "note-wash"}, 4.5},
		"velvet-deep": {[]string{"paper", "surface"}, 4.5},
		"on-velvet":   {[]string{"velvet", "velvet-deep"}, 4.5},
		"good":        {[]string{"paper", "surface", "good-wash"}, 4.5},
		"wait":        {[]string{"paper", "surface", "wait-wash"}, 4.5},
		"bad":         {[]string{"paper", "surface", "bad-wash"}, 4.5},
		"note":        {[]string{"paper", "surface", "note-wash"}, 4.5},
		"edge":        {[]string{"paper", "surface"}, 3},
	}
	all := tokens(t)
	for name, pair := range pairs {
		for _, ground := range pair.grounds {
			for i, scheme := range []string{"light", "dark"} {
				if all[name][i] == "" || all[ground][i] == "" {
					t.Fatalf("%s or %s is no token", name, ground)
				}
				if got := contrast(t, all[name][i], all[ground][i]); got < pair.least {
					t.Errorf("%s: %s on %s is %.2f:1, want %.1f:1", scheme, name, ground, got, pair.least)
				}
			}
		}
	}
}

// The built style sheet is committed. It has to be rebuilt when a token changes.
func TestStyleSheetHasTheTokens(t *testing.T) {
	css, err := os.ReadFile("../static/usher.css")
	if err != nil {
		t.Fatalf("read the style sheet: %v", err)
	}
	for name, pair := range tokens(t) {
		for _, shade := range pair {
			if !strings.Contains(string(css), "--"+name+":"+shade) && !strings.Contains(string(css), "--"+name+":"+short(shade)) {
				t.Errorf("usher.css lacks --%s:%s; run npm run build", name, shade)
			}
		}
	}
}

// short is the three-digit form of a colour, as the minifier writes it.
func short(hex string) string {
	if hex[1] == hex[2] && hex[3] == hex[4] && hex[5] == hex[6] {
		return "#" + string([]byte{hex[1], hex[3], hex[5]})
	}
	return hex
}
