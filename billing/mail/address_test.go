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
