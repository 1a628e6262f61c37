package mail

import (
	"net/mail"
	"strings"
)

// maxAddressLength is the maximum length of an e-mail address in octets: RFC 5321 section 4.5.3.1.3
// less the angle brackets.
const maxAddressLength = 254

// ValidAddress reports whether address is a bare e-mail address such as ana@example.com.
func ValidAddress(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address && parsed.Name == "" && len(address) <= maxAddressLength
}

// SameAddress reports whether two addresses differ at most in the case of ASCII letters. Unicode
// case folding takes more for equal, the long s of op\u017f@example.com for the s of ops@example.com,
// and whoever has the one address is not the owner of the other.
func SameAddress(a, b string) bool { return asciiLower(a) == asciiLower(b) }

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
