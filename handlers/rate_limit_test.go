package handlers

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
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
	refused := b.post("/login", form).wantStatus(http.StatusTooManyRequests).wantText("A little slower", "try again in")
	if seconds, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 15*60 {
		t.Errorf("Retry-After %q", refused.header.Get("Retry-After"))
	}
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
		{"10.1.2.3:1000", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"10.1.2.3:1000", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		{"10.1.2.3:1000", []string{"[2001:db8::9]"}, "2001:db8::9"},
	}
	for _, c := range cases {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = c.peer, c.forwarded
		if got := s.clientIP(r); got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// A client has a whole /64 network of IPv6 addresses: it counts as one.
func TestClientNetwork(t *testing.T) {
	for peer, want := range map[string]string{
		"198.51.100.7:1000":           "198.51.100.7",
		"[::ffff:198.51.100.7]:1000":  "198.51.100.7",
		"[2001:db8:1:2::1]:1000":      "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::9]:1000": "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:1000":      "2001:db8:1:3::/64",
		"[fe80::1%eth0]:1000":         "fe80::/64",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		if got := (&server{}).clientNetwork(r); got != want {
			t.Errorf("%s: got %s, want %s", peer, got, want)
		}
	}
}

// A proxy that is not trusted is logged, once an hour: behind it, all clients share their limits.
func TestUntrustedProxyIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := &server{site: &site{log: slog.New(slog.NewTextHandler(&log, nil)), now: time.Now}, trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, peer := range []string{"10.1.2.3:1", "198.51.100.7:1", "198.51.100.8:1"} {
		r := httptest.NewRequest(http.MethodPost, "/login", nil)
		r.RemoteAddr = peer
		s.warnOfProxy(r)
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		s.warnOfProxy(r)
	}
	if lines := strings.Count(log.String(), "TRUSTED_PROXIES"); lines != 1 || !strings.Contains(log.String(), "peer=198.51.100.7") {
		t.Errorf("logged: %s", log.String())
	}
}

// Input that the database cannot store is counted too.
func TestRateLimitCountsAnyInput(t *testing.T) {
	h := newTestEnv(t)
	h.server.rateLimits = h.service.RateLimits
	limited := h.server.handler()
	h.handler.Store(&limited)
	b := h.newBrowser()
	for name, address := range map[string]string{"long": strings.Repeat("a", 9000) + "@example.com", "not ASCII": "\u00f6\u202e@example.com"} {
		form := url.Values{"email": {address}, "password": {"wrong again"}}
		for range logInsByEmail.Max {
			if got := b.post("/login", form); got.status == http.StatusTooManyRequests {
				t.Fatalf("%s: limited too early", name)
			}
		}
		b.post("/login", form).wantStatus(http.StatusTooManyRequests)
	}
}
