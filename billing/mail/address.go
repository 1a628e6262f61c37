package mail

import "net/mail"

// maxAddressLength is the maximum length of an e-mail address in octets: RFC 5321 section 4.5.3.1.3
// less the angle brackets.
const maxAddressLength = 254

// ValidAddress reports whether address is a bare e-mail address such as ana@example.com.
func ValidAddress(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address && parsed.Name == "" && len(address) <= maxAddressLength
}
