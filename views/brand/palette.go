package brand

import (
	"fmt"
	"math"
)

// MinContrast is the least contrast of text (WCAG 2.2, success criterion 1.4.3, level AA).
const MinContrast = 4.5

// derivedContrast is the least contrast of a dark theme's accent that is derived: more than the
// minimum, because nobody chose it.
const derivedContrast = 6

// Shades are the accent color of one theme with what belongs to it, the tokens velvet, velvet-deep,
// velvet-wash and on-velvet of tailwind.config.js.
type Shades struct {
	Accent   Color // text, icons and buttons
	Hover    Color
	Wash     Color // behind text in Accent
	OnAccent Color // text on Accent and Hover
}

// Palette has the shades of both themes.
type Palette struct{ Light, Dark Shades }

// theme is what shades are made for.
type theme struct {
	name    string
	toward  Color   // the direction in which contrast grows
	paper   Color   // the background of the page
	grounds []named // where text in the accent stands, Wash apart
}

type named struct {
	name  string
	color Color
}

// The backgrounds are those of tailwind.config.js; a test compares them.
var (
	light = theme{"light", black, Color{0xfa, 0xf8, 0xf5}, []named{
		{"paper", Color{0xfa, 0xf8, 0xf5}}, {"surface", white}, {"good-wash", Color{0xe8, 0xf3, 0xec}}, {"wait-wash", Color{0xfb, 0xf2, 0xdf}},
		{"bad-wash", Color{0xfc, 0xee, 0xec}}, {"note-wash", Color{0xea, 0xf2, 0xf9}},
	}}
	dark = theme{"dark", white, Color{0x14, 0x12, 0x11}, []named{
		{"paper", Color{0x14, 0x12, 0x11}}, {"surface", Color{0x1d, 0x1a, 0x18}}, {"good-wash", Color{0x18, 0x27, 0x1f}}, {"wait-wash", Color{0x2a, 0x22, 0x13}},
		{"bad-wash", Color{0x30, 0x1b, 0x18}}, {"note-wash", Color{0x17, 0x23, 0x2e}},
	}}
)

// NewPalette returns the shades of a brand's color: one color, from which the dark theme's is
// derived, or one for each theme. The error names the contrast that is too low and the nearest
// shade that passes.
func NewPalette(colors ...Color) (Palette, error) {
	if len(colors) == 0 || len(colors) > 2 {
		return Palette{}, fmt.Errorf("%d colors, not one or two", len(colors))
	}
	lightShades, err := light.shades(colors[0])
	if err != nil {
		return Palette{}, err
	}
	accent := dark.nearest(colors[0], derivedContrast)
	if len(colors) == 2 {
		accent = colors[1]
	}
	darkShades, err := dark.shades(accent)
	return Palette{lightShades, darkShades}, err
}

func (t theme) shades(accent Color) (Shades, error) {
	s := t.derive(accent)
	if ratio, where := t.weakest(s); ratio < MinContrast {
		// Rounded down, so that 4.499 is not shown as 4.5.
		return s, fmt.Errorf("%s has a contrast of %.2f:1 %s in the %s theme, and needs %.1f:1; the nearest shade that passes is %s",
			accent, math.Floor(ratio*100)/100, where, t.name, MinContrast, t.nearest(accent, MinContrast))
	}
	return s, nil
}

// derive makes the other shades of an accent, in the proportions of Usher's own.
func (t theme) derive(accent Color) Shades {
	if t.toward == black {
		return Shades{Accent: accent, Hover: accent.mix(black, 0.21), Wash: accent.mix(white, 0.93), OnAccent: white}
	}
	return Shades{Accent: accent, Hover: accent.mix(white, 0.32), Wash: t.paper.mix(accent, 0.11), OnAccent: accent.mix(black, 0.83)}
}

// weakest returns the lowest contrast of the places where the shades are used, and the place.
func (t theme) weakest(s Shades) (ratio float64, where string) {
	ratio = Contrast(s.OnAccent, s.Accent)
	where = fmt.Sprintf("with %s, the text on buttons,", s.OnAccent)
	for _, ground := range append(t.grounds[:len(t.grounds):len(t.grounds)], named{"velvet-wash", s.Wash}) {
		if got := Contrast(s.Accent, ground.color); got < ratio {
			ratio, where = got, fmt.Sprintf("as text on %s (%s)", ground.color, ground.name)
		}
	}
	if got := Contrast(s.OnAccent, s.Hover); got < ratio {
		ratio, where = got, fmt.Sprintf("with %s, the text on buttons under the pointer,", s.OnAccent)
	}
	return ratio, where
}

// nearest returns the accent with the least black (light theme) or white (dark theme) that has a
// contrast everywhere. All of it always passes.
func (t theme) nearest(accent Color, ratio float64) Color {
	for step := range 256 {
		shade := accent.mix(t.toward, float64(step)/255)
		if got, _ := t.weakest(t.derive(shade)); got >= ratio {
			return shade
		}
	}
	return t.toward
}

// StyleSheet returns rules that replace the accent color. They are in no cascade layer, so they
// take precedence over those of usher.css.
func (p Palette) StyleSheet() string {
	lightRules, darkRules := p.Light.rules(), p.Dark.rules()
	return ":root{" + lightRules + "}\n" +
		`@media (prefers-color-scheme:dark){:root:not([data-theme="light"]){` + darkRules + "}}\n" +
		`:root[data-theme="dark"]{` + darkRules + "}\n"
}

func (s Shades) rules() string {
	return fmt.Sprintf("--velvet:%s;--velvet-deep:%s;--velvet-wash:%s;--on-velvet:%s", s.Accent, s.Hover, s.Wash, s.OnAccent)
}
