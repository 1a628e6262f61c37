package account

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzCleanName checks that a name fits one line of text, of a log and of an e-mail header, and is
// not changed twice.
func FuzzCleanName(f *testing.F) {
	for _, name := range []string{" Ana\t Castellanos ", "a\r\nBcc: x", "\u202eevil", "\xff\xfe", "👩\u200d👩", "\u2028x", "\x00", "\u0085", strings.Repeat("é", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean := CleanName(name)
		if !utf8.ValidString(clean) || strings.ContainsFunc(clean, breaksLine) || strings.TrimSpace(clean) != clean {
			t.Errorf("%q became %q", name, clean)
		}
		if again := CleanName(clean); again != clean {
			t.Errorf("%q became %q and then %q", name, clean, again)
		}
	})
}

func breaksLine(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
