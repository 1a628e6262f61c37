package billing

import "net/mail"

func validEmail(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address && parsed.Name == "" && len(address) <= maxEmailLength
}
