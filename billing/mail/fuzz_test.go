package mail

import (
	"net/mail"
	"strings"
	"testing"
	"unicode"
)

// FuzzValidAddress checks that an accepted address is one plain address, which cannot add a header
// or a second recipient.
func FuzzValidAddress(f *testing.F) {
	for _, address := range []string{
		"ana@example.com", "Ana <ana@example.com>", "a@b, c@d", "a@b\r\nBcc: c@d", "\"a\r\n b\"@c", "a@[127.0.0.1]", "a@b (comment)", "ä@ö.example", "\x00@b", "@b", "a@",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if !ValidAddress(address) {
			return
		}
		list, err := mail.ParseAddressList(address)
		if err != nil || len(list) != 1 || list[0].Address != address {
			t.Errorf("%q is read as %v, %v", address, list, err)
		}
		if len(address) > maxAddressLength || strings.IndexFunc(address, unicode.IsControl) >= 0 {
			t.Errorf("%q is accepted", address)
		}
	})
}
