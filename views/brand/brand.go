package brand

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Product is the name of this program, which a brand replaces.
const Product = "Usher"

// MaxName is the maximum length of a brand's name in characters.
const MaxName = 60

// Brand is what pages and e-mails show of the adopter. The zero value is Usher's own.
type Brand struct {
	Name       string   // empty: [Product]
	Palette    *Palette // nil: the colors of the style sheet
	StyleSheet string   // URL of Palette's rules; empty: there are none
	Logo       string   // URL of the picture; empty: there is none
	LogoType   string   // its media type; empty: not known

	SupportURL string // empty: not shown, also the next two
	TermsURL   string
	PrivacyURL string
}

// DisplayName returns the name of the product.
func (b Brand) DisplayName() string {
	if b.Name == "" {
		return Product
	}
	return b.Name
}

// Named reports whether the brand has a name or a picture of its own, so that Usher's sign is not
// shown.
func (b Brand) Named() bool { return b.Name != "" || b.Logo != "" }

// CheckName returns an error unless the name fits into one line of a page, a subject and the header
// of an e-mail.
func CheckName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("not valid UTF-8")
	case utf8.RuneCountInString(name) > MaxName:
		return fmt.Errorf("longer than %d characters", MaxName)
	case strings.ContainsFunc(name, unprintable):
		return errors.New("contains a line break, a control character or a mark of text direction")
	case !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }):
		return errors.New("contains no letter and no digit")
	}
	return nil
}

// unprintable reports whether a character would end a header line or reorder the text beside it.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
