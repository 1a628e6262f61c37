package brand

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
)

// Color is an opaque sRGB color.
type Color struct{ R, G, B uint8 }

var (
	black = Color{}
	white = Color{255, 255, 255}
)

// ParseColor reads #rrggbb or #rgb.
func ParseColor(text string) (Color, error) {
	digits, found := strings.CutPrefix(text, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	channels, err := hex.DecodeString(digits)
	if !found || err != nil || len(channels) != 3 {
		return Color{}, errors.New("not a color such as #0b5fff")
	}
	return Color{channels[0], channels[1], channels[2]}, nil
}

// String returns the color as #rrggbb.
func (c Color) String() string { return "#" + hex.EncodeToString([]byte{c.R, c.G, c.B}) }

// mix returns the color with a share of another one, from 0 to 1.
func (c Color) mix(other Color, share float64) Color {
	channel := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-share) + float64(b)*share)) }
	return Color{channel(c.R, other.R), channel(c.G, other.G), channel(c.B, other.B)}
}

// Contrast is the contrast ratio of two colors, from 1 to 21, as WCAG 2.2 defines it
// (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
func Contrast(a, b Color) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is the relative luminance (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance).
func (c Color) luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func linear(channel uint8) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
