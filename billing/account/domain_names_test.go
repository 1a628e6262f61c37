package account

import (
	"slices"
	"strings"
	"testing"

	"usher/billing/apperr"
)

func TestCleanDomain(t *testing.T) {
	for typed, want := range map[string]string{
		"example.com":       "example.com",
		" Example.COM. ":    "example.com",
		"bücher.example":    "xn--bcher-kva.example",
		"BÜCHER.example":    "xn--bcher-kva.example",
		"a.b.example.co.uk": "a.b.example.co.uk",
		"corp.internal":     "corp.internal",
		"ana.github.io":     "ana.github.io",
	} {
		got, err := cleanDomain(typed)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
	for _, typed := range []string{
		"", " ", "example", "com", "co.uk", "github.io", "gmail.com", "GMAIL.com", "outlook.com", "web.de", "ana@example.com", "@example.com",
		"https://example.com", "example.com/", "example.com:53", "exa mple.com", "-a.example.com", "a..example.com", ".example.com", "exam_ple.com",
		"192.0.2.1", "2001:db8::1", "*.example.com", strings.Repeat("a", 64) + ".example.com", strings.Repeat("a.", 115) + "example.com", "example.com\x00",
	} {
		if got, err := cleanDomain(typed); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

// A domain of an address counts if only the case of ASCII letters is ignored.
func TestDomainOf(t *testing.T) {
	for address, want := range map[string]string{
		"ana@example.com":             "example.com",
		"Ana@Example.COM":             "example.com",
		`"a@b"@example.com`:           "example.com",
		"ana@bücher.example":          "xn--bcher-kva.example",
		"ana@xn--bcher-kva.example":   "xn--bcher-kva.example",
		"ana@sub.example.com":         "sub.example.com",
		"ana@e\u212ample.com":         "", // Kelvin sign
		"ana@example\u3002com":        "", // ideographic full stop
		"ana@ｅxample.com":             "",
		"ana@exam\u00adple.com":       "", // soft hyphen
		"ana@example.com\u200b":       "",
		"ana@example.com.":            "",
		"ana@[192.0.2.1]":             "",
		"ana":                         "",
		"":                            "",
		"ana@localhost":               "",
		"ana@example.com@example.org": "example.org",
	} {
		if got := domainOf(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestPublicMailDomains(t *testing.T) {
	domains := strings.Fields(publicMailDomainList)
	if !slices.IsSorted(domains) || len(slices.Compact(slices.Clone(domains))) != len(domains) {
		t.Error("the list is not sorted, or has a domain twice")
	}
	for _, domain := range domains {
		if domainOf("ana@"+domain) != domain {
			t.Errorf("%s is not in ASCII form and lower case", domain)
		}
	}
}
