package mail

import "testing"

// Only the case of ASCII letters is ignored: PostgreSQL keeps addresses apart that Unicode case
// folding takes for equal, so their accounts have different owners.
func TestSameAddress(t *testing.T) {
	for other, same := range map[string]bool{
		"OPS@Example.com":        true,
		"ops@example.com":        true,
		"op\u017f@example.com":   false, // long s
		"ops@e\u212ample.com":    false, // Kelvin sign
		"ops@example.com.evil":   false,
		"\u00d6ps@example.com":   false,
		"ops@exampl\u0435.com":   false, // Cyrillic e
		" ops@example.com":       false,
		"ops@example.com\u200b":  false,
		"OP\u017f@EXAMPLE.COM":   false,
		"ops+billing@exmple.com": false,
	} {
		if SameAddress("ops@example.com", other) != same {
			t.Errorf("%q: want %t", other, same)
		}
	}
}

// A name that is an address is shown as it is, and no mail program makes a link of it.
func TestNamesAreNoLinks(t *testing.T) {
	for name, want := range map[string]string{
		"Lantern Theatre":               "Lantern Theatre",
		"R. Bell":                       "R. Bell",
		"evil.example":                  "evil.\u2060example",
		"Pay at https://evil.example/a": "Pay at https:\u2060/\u2060/\u2060evil.\u2060example/\u2060a",
		"ops@evil.example":              "ops@\u2060evil.\u2060example",
	} {
		data := Data{Organization: name, Inviter: name}
		data.unlinkNames()
		if data.Organization != want || data.Inviter != want {
			t.Errorf("%q: %q, want %q", name, data.Organization, want)
		}
		if again := unlinked(data.Organization); again != want {
			t.Errorf("%q changes each time: %q", name, again)
		}
	}
}
