package dns

import (
	"context"
	"slices"
	"testing"
	"time"

	"usher/billing/account/dns/dnstest"
)

func TestTXT(t *testing.T) {
	server := dnstest.New(t)
	resolver := New(server.Resolver())
	server.SetTXT("_usher-verification.example.com", []string{"another"}, []string{"usher-verification=", "token"}) // a long text is in parts
	server.SetTXT("_usher-verification.empty.example")
	for name, want := range map[string][]string{
		"_usher-verification.example.com":   {"another", "usher-verification=token"},
		"_usher-verification.empty.example": nil,
		"_usher-verification.none.example":  nil,
	} {
		values, err := resolver.TXT(t.Context(), name)
		if slices.Sort(values); err != nil || !slices.Equal(values, want) {
			t.Errorf("%s: %q, %v", name, values, err)
		}
	}
	// Nothing of the machine's search list.
	want := []string{"_usher-verification.empty.example.", "_usher-verification.example.com.", "_usher-verification.none.example."}
	if got := server.Questions(); !slices.Equal(got, want) {
		t.Errorf("looked up %q", got)
	}

	server.Fail(true)
	if values, err := resolver.TXT(t.Context(), "_usher-verification.example.com"); err == nil {
		t.Errorf("a failing server: %q", values)
	}
	server.BeSilent()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if values, err := resolver.TXT(ctx, "_usher-verification.example.com"); err == nil {
		t.Errorf("a silent server: %q", values)
	}
}
