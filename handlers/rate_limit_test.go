package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

func TestLogInRateLimit(t *testing.T) {
	h := newTestEnv(t)
	h.server.rateLimits = h.service.RateLimits
	limited := h.server.handler()
	h.handler.Store(&limited)
	b := h.newBrowser()
	form := url.Values{"email": {"ana@example.com"}, "password": {"wrong again"}}
	for range logInsByEmail.Max {
		b.post("/login", form).wantStatus(http.StatusUnprocessableEntity)
	}
	b.post("/login", form).wantStatus(http.StatusTooManyRequests).wantText("A little slower", "try again in")
	form.Set("email", "bo@example.com")
	b.post("/login", form).wantStatus(http.StatusUnprocessableEntity)
}

func TestClientIP(t *testing.T) {
	s := &server{trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}}
	cases := []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"198.51.100.7:1000", nil, "198.51.100.7"},
		{"198.51.100.7:1000", []string{"203.0.113.9"}, "198.51.100.7"}, // sent by an untrusted peer
		{"10.1.2.3:1000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.1.2.3:1000", []string{"6.6.6.6, 203.0.113.9"}, "203.0.113.9"},
		{"10.1.2.3:1000", []string{"6.6.6.6", "203.0.113.9, 192.0.2.1"}, "203.0.113.9"},
		{"10.1.2.3:1000", []string{"nonsense"}, "10.1.2.3"},
		{"10.1.2.3:1000", nil, "10.1.2.3"},
		{"[2001:db8::1]:1000", nil, "2001:db8::1"},
	}
	for _, c := range cases {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = c.peer, c.forwarded
		if got := s.clientIP(r); got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
