package account

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of user input.
const (
	maxNameLength     = 100 // characters
	minPasswordLength = 8   // characters, NIST SP 800-63B section 5.1.1.1
	maxPasswordLength = 256 // characters
)

// CleanName trims a name and replaces runs of white space and control characters by single spaces,
// since names appear in single lines and in e-mail headers. Characters that only direct the display
// are removed: they reorder the text around a name, or make two names look the same. Joiners stay,
// since names and emoji need them.
func CleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// maxSearchLength is the maximum length of a search text in characters.
const maxSearchLength = 100

// NormalizeSearch trims a search text, truncates it and removes invalid UTF-8.
func NormalizeSearch(typed string) string {
	typed = strings.TrimSpace(typed)
	if utf8.RuneCountInString(typed) > maxSearchLength {
		typed = string([]rune(typed)[:maxSearchLength])
	}
	return strings.ToValidUTF8(typed, "")
}
