package mail

import (
	"net/mail"
	"strings"
	"unicode"
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
// case folding takes more for equal, the long s of op\u017f@example.com for the s of
// ops@example.com, and whoever has the one address is not the owner of the other.
func SameAddress(a, b string) bool { return asciiLower(a) == asciiLower(b) }

// AddressKey returns the same text for all addresses that are the same by [SameAddress].
func AddressKey(address string) string { return asciiLower(address) }

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// unlinkNames keeps mail programs from making links of names: whoever chooses the name of an
// organization could send an address of their own to anybody they invite.
func (d *Data) unlinkNames() {
	for _, name := range []*string{&d.Name, &d.Organization, &d.Inviter, &d.Role} {
		*name = unlinked(*name)
	}
}

// unlinked returns a text with an invisible word joiner after each character that makes an address
// of what follows.
func unlinked(text string) string {
	const wordJoiner = '\u2060'
	var out strings.Builder
	marked := false
	for _, r := range text {
		if marked && r != wordJoiner && !unicode.IsSpace(r) {
			out.WriteRune(wordJoiner)
		}
		out.WriteRune(r)
		marked = strings.ContainsRune(".:/@", r)
	}
	return out.String()
}
