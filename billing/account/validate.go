package account

import (
	"strings"
	"unicode/utf8"
)

// Bounds of what people type.
const (
	maxNameLength     = 100 // characters
	minPasswordLength = 8   // characters, NIST SP 800-63B section 5.1.1.1
	maxPasswordLength = 256 // octets
)

// cleanName trims a name and folds white space and control characters into single spaces: names stand in one line and in e-mail headers.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }), " ")
}

// maxSearchLength bounds what is looked for, in characters.
const maxSearchLength = 100

// searchText tidies what was typed; what is too long is cut.
func NormalizeSearch(typed string) string {
	typed = strings.TrimSpace(typed)
	if utf8.RuneCountInString(typed) > maxSearchLength {
		typed = string([]rune(typed)[:maxSearchLength])
	}
	return strings.ToValidUTF8(typed, "")
}
