package billing

import (
	"testing"

	"usher/billing/apperr"
)

func TestWithSessionID(t *testing.T) {
	cases := map[string]string{
		"http://localhost:4312/organization?tab=billing&success=true": "http://localhost:4312/organization?tab=billing&success=true&session_id={CHECKOUT_SESSION_ID}",
		"https://app.example.com/done":                                "https://app.example.com/done?session_id={CHECKOUT_SESSION_ID}",
		"https://app.example.com/done#top":                            "https://app.example.com/done?session_id={CHECKOUT_SESSION_ID}#top",
		"https://app.example.com/?s={CHECKOUT_SESSION_ID}":            "https://app.example.com/?s={CHECKOUT_SESSION_ID}",
	}
	for given, want := range cases {
		if got := withSessionID(given); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}

func TestValidateURL(t *testing.T) {
	s := New(Options{AllowedOrigins: []string{"https://app.example.com", "http://localhost:4312"}})
	cases := []struct {
		given string
		ok    bool
	}{
		{"", true},
		{"https://app.example.com/billing?x=1", true},
		{"http://localhost:4312/organization", true},
		{"https://app.example.com.evil.example/billing", false},
		{"https://app.example.com@evil.example/", false},
		{"http://app.example.com/billing", false},
		{"https://app.example.com:444/", false},
		{"//app.example.com/", false},
		{"/organization", false},
		{"javascript:alert(1)", false},
		{"https://app.example.com\\@evil.example/", false},
	}
	for _, c := range cases {
		got, err := s.Checkouts.validateURL("successUrl", c.given, "https://app.example.com/configured")
		if (err == nil) != c.ok {
			t.Errorf("%q: got %q, %v", c.given, got, err)
		}
		if err != nil && apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%q: code %s", c.given, apperr.CodeOf(err))
		}
	}
}
