package brand_test

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/views/brand"
)

func color(t *testing.T, text string) brand.Color {
	t.Helper()
	c, err := brand.ParseColor(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestParseColor(t *testing.T) {
	for text, want := range map[string]string{"#0B5FFF": "#0b5fff", "#abc": "#aabbcc"} {
		if got := color(t, text).String(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "#", "0b5fff", "#0b5ff", "#0b5fff0", "red", "#gggggg", "rgb(0,0,0)", "#0b5fff;}body{", "#äöü"} {
		if c, err := brand.ParseColor(text); err == nil {
			t.Errorf("%q is read as %s", text, c)
		}
	}
}

// The first two are examples of WCAG; the others were computed with axe-core 4.14.1
// (axe.commons.color.getContrast).
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21}, {"#777777", "#ffffff", 4.4781}, {"#8a1c3b", "#faf8f5", 8.5762}, {"#0b5fff", "#ffffff", 5.1281}, {"#ffcc00", "#ffffff", 1.512},
	} {
		if got := brand.Contrast(color(t, c.a), color(t, c.b)); math.Abs(got-c.want) > 0.0005 {
			t.Errorf("%s on %s is %.4f, want %.4f", c.a, c.b, got, c.want)
		}
	}
}

func TestPaletteRefusesLowContrast(t *testing.T) {
	for _, c := range []struct {
		colors []string
		want   []string
	}{
		{[]string{"#ffcc00"}, []string{"#ffcc00 has a contrast of 1.3", "light theme", "needs 4.5:1"}},
		{[]string{"#ff0000"}, []string{"light theme", "needs 4.5:1"}},
		{[]string{"#8a1c3b", "#8a1c3b"}, []string{"#8a1c3b has a contrast of ", "dark theme", "needs 4.5:1"}},
		{nil, []string{"0 colors"}},
		{[]string{"#000", "#fff", "#000"}, []string{"3 colors"}},
	} {
		var colors []brand.Color
		for _, text := range c.colors {
			colors = append(colors, color(t, text))
		}
		_, err := brand.NewPalette(colors...)
		if err == nil {
			t.Errorf("%v is accepted", c.colors)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v, want %q in it", c.colors, err, want)
			}
		}
		offered := regexp.MustCompile(`passes is (#[0-9a-f]{6})$`).FindStringSubmatch(err.Error())
		if len(colors) == 0 || len(colors) > 2 {
			continue
		}
		if offered == nil {
			t.Errorf("%v: no shade is offered: %v", c.colors, err)
			continue
		}
		colors[len(colors)-1] = color(t, offered[1])
		if _, err := brand.NewPalette(colors...); err != nil {
			t.Errorf("the offered shade %s is refused: %v", offered[1], err)
		}
	}
}

// Every color that is accepted gives shades that pass wherever text is, in both themes.
func TestPaletteContrast(t *testing.T) {
	accepted := 0
	for _, r := range []uint8{0, 40, 90, 138, 200, 255} {
		for _, g := range []uint8{0, 28, 90, 150, 255} {
			for _, b := range []uint8{0, 59, 130, 255} {
				palette, err := brand.NewPalette(brand.Color{R: r, G: g, B: b})
				if err != nil {
					continue
				}
				accepted++
				requireContrast(t, palette.Light, 0)
				requireContrast(t, palette.Dark, 1)
			}
		}
	}
	if accepted < 30 {
		t.Errorf("only %d colors are accepted", accepted)
	}
}

func requireContrast(t *testing.T, s brand.Shades, theme int) {
	t.Helper()
	tokens := tokens(t)
	pairs := [][2]brand.Color{{s.OnAccent, s.Accent}, {s.OnAccent, s.Hover}, {s.Accent, s.Wash}, {color(t, tokens["ink"][theme]), s.Wash}}
	for _, ground := range []string{"paper", "surface", "good-wash", "wait-wash", "bad-wash", "note-wash"} {
		pairs = append(pairs, [2]brand.Color{s.Accent, color(t, tokens[ground][theme])})
	}
	for _, ground := range []string{"paper", "surface"} {
		pairs = append(pairs, [2]brand.Color{s.Hover, color(t, tokens[ground][theme])})
	}
	for _, pair := range pairs {
		if got := brand.Contrast(pair[0], pair[1]); got < brand.MinContrast {
			t.Errorf("theme %d of %s: %s on %s is %.2f", theme, s.Accent, pair[0], pair[1], got)
		}
	}
}

// tokens reads the colors of tailwind.config.js.
func tokens(t *testing.T) map[string][2]string {
	t.Helper()
	config, err := os.ReadFile("../../tailwind.config.js")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][2]string{}
	for _, m := range regexp.MustCompile(`'([a-z-]+)': \['(#[0-9a-f]{6})', '(#[0-9a-f]{6})'\]`).FindAllStringSubmatch(string(config), -1) {
		out[m[1]] = [2]string{m[2], m[3]}
	}
	if len(out) < 15 {
		t.Fatalf("only %d colors were found", len(out))
	}
	return out
}

// Usher's own color passes, and the shades derived from it are close to the designed ones.
func TestPaletteOfUsher(t *testing.T) {
	all := tokens(t)
	palette, err := brand.NewPalette(color(t, all["velvet"][0]), color(t, all["velvet"][1]))
	if err != nil {
		t.Fatal(err)
	}
	for theme, s := range []brand.Shades{palette.Light, palette.Dark} {
		for name, got := range map[string]brand.Color{"velvet-deep": s.Hover, "velvet-wash": s.Wash, "on-velvet": s.OnAccent} {
			if want := color(t, all[name][theme]); distance(got, want) > 16 {
				t.Errorf("%s of theme %d is %s, the designed one is %s", name, theme, got, want)
			}
		}
	}
}

// distance is the largest difference of a channel.
func distance(a, b brand.Color) int {
	difference := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(difference(a.R, b.R), difference(a.G, b.G), difference(a.B, b.B))
}

func TestStyleSheet(t *testing.T) {
	palette, err := brand.NewPalette(color(t, "#0b5fff"), color(t, "#9bbcff"))
	if err != nil {
		t.Fatal(err)
	}
	css := palette.StyleSheet()
	for _, want := range []string{":root{--velvet:#0b5fff;", `:root:not([data-theme="light"]){--velvet:#9bbcff;`, `:root[data-theme="dark"]{--velvet:#9bbcff;`} {
		if !strings.Contains(css, want) {
			t.Errorf("%q is not in\n%s", want, css)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"Lantern", "<b>Lantern</b>", `A "quoted" & Co`, "مسرح الفانوس", "100% Theatre", strings.Repeat("ä", brand.MaxName)} {
		if err := brand.CheckName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{
		"Lantern\r\nBcc: eve@evil.example", "a\nb", "a\tb", "a\x00b", "a\u2028b", "a\u202eb", "\u200f", "", "--", "a\xffb", strings.Repeat("a", brand.MaxName+1),
	} {
		if brand.CheckName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestNames(t *testing.T) {
	var usher brand.Brand
	if usher.DisplayName() != "Usher" || usher.Named() {
		t.Error("the zero value is not Usher's own")
	}
	if own := (brand.Brand{Name: "Lantern"}); own.DisplayName() != "Lantern" || !own.Named() {
		t.Error("a name is not shown")
	}
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">%s</svg>`

func TestCheckLogo(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
	for content, want := range map[string]string{
		png: ".png",
		strings.Replace(svg, "%s", `<defs><path id="a" d="M0 0h9v9z"/></defs><use xlink:href="#a" fill="#0b5fff"/>`, 1):     ".svg",
		"<?xml version=\"1.0\"?>\n<!-- made by hand -->\n" + strings.Replace(svg, "%s", "<style>path{fill:red}</style>", 1): ".svg",
	} {
		if ext, err := brand.CheckLogo([]byte(content)); ext != want || err != nil {
			t.Errorf("%.40q: %q, %v", content, ext, err)
		}
	}
	refused := []string{
		"", "GIF89a", "<html></html>", "<svg></svg>", `<svg xmlns="http://www.w3.org/2000/svg">`, png[:40], strings.Repeat(" ", brand.MaxLogoBytes+1),
		"<!DOCTYPE svg [<!ENTITY a \"aaaa\">]>" + strings.Replace(svg, "%s", "&a;", 1),
	}
	for _, inside := range []string{
		"<script>alert(1)</script>", "<SCRIPT/>", `<path onload="alert(1)"/>`, `<g OnClick="x()"/>`, `<a xlink:href="javascript:alert(1)"/>`,
		`<image href="https://evil.example/a.png"/>`, `<use href="other.svg#a"/>`, `<image href="data:image/svg+xml;base64,AA=="/>`, "<foreignObject/>",
	} {
		refused = append(refused, strings.Replace(svg, "%s", inside, 1))
	}
	for _, content := range refused {
		if ext, err := brand.CheckLogo([]byte(content)); err == nil {
			t.Errorf("%.120q is accepted as %s", content, ext)
		}
	}
	if !slices.Contains(refused, "GIF89a") {
		t.Error("no other format was tried")
	}
}
