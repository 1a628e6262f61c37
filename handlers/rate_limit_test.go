package handlers

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing/account"
)

// limited returns an environment with rate limits behind a trusted proxy, so that requests name
// their client in X-Forwarded-For.
func limited(t *testing.T) *testEnv {
	return newTestEnv(t, behindProxy, func(h *testEnv) { h.limited = true })
}

// behindProxy trusts requests from this machine to name their client. It is set before the server
// starts: webhooks arrive from then on.
func behindProxy(h *testEnv) { h.trustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// logInFrom tries to log in from a client address.
func (b *browser) logInFrom(from, address, password string) response {
	b.t.Helper()
	return b.post("/login", url.Values{"email": {address}, "password": {password}}, "X-Forwarded-For", from)
}

// failToLogIn fails until the limits refuse it. It returns the number of guesses that were checked.
func (b *browser) failToLogIn(from, address string, most int) int {
	b.t.Helper()
	for guesses := range most {
		if got := b.logInFrom(from, address, "wrong again"); got.status != http.StatusUnprocessableEntity {
			got.wantStatus(http.StatusTooManyRequests)
			return guesses
		}
	}
	return most
}

// Ten wrong log-ins to an account lock it for their network and no other. The answer is the same
// for addresses without an account.
func TestFailedLogInsLockTheirNetwork(t *testing.T) {
	h := limited(t)
	var answers []string
	for _, address := range []string{email("member"), "nobody@example.com"} {
		stranger := h.newBrowser()
		if n := stranger.failToLogIn("2001:db8::1", address, 20); n != account.FailedLogInsFromNetwork.Max {
			t.Errorf("%s: %d guesses", address, n)
		}
		// The same /64 network; the case of the address and the right password make no difference.
		refused := stranger.logInFrom("2001:db8::ffff", strings.ToUpper(address), testPassword).wantStatus(http.StatusTooManyRequests)
		seconds, err := strconv.Atoi(refused.header.Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > 15*60 {
			t.Errorf("Retry-After %q", refused.header.Get("Retry-After"))
		}
		answer, _, _ := strings.Cut(refused.wantText("Too many attempts", "try again in", "Forgot your password?").text("main"), "req_")
		answers = append(answers, answer)
	}
	if answers[0] != answers[1] {
		t.Errorf("the answers differ:\n%s\n%s", answers[0], answers[1])
	}
	h.newBrowser().logInFrom("2001:db8:0:1::1", email("member"), testPassword).wantRedirect("/dashboard")
}

// Only failures count: a person can log in any number of times, from one network with others.
func TestSuccessfulLogInsDoNotCount(t *testing.T) {
	h := limited(t)
	for range account.FailedLogInsFromNetwork.Max + 2 {
		h.newBrowser().logInFrom("192.0.2.1", email("member"), testPassword).wantRedirect("/dashboard")
	}
	if n := h.count(`select coalesce(sum(hits), 0) from rate_limits`); n != 0 {
		t.Errorf("%d counted", n)
	}
}

// Many networks together lock an account for unknown browsers. A browser that has logged in before
// has its own count, even on an attacker's network; a reset lets the owner in from the browser that
// made it, and from others once the attack is over.
func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	h := limited(t)
	known := h.newBrowser()
	known.logInFrom("192.0.2.1", email("member"), testPassword).wantRedirect("/dashboard")
	attack := func() (guesses int) {
		for n := range 2 * account.FailedLogIns.Max / account.FailedLogInsFromNetwork.Max {
			guesses += h.newBrowser().failToLogIn(fmt.Sprintf("198.51.100.%d", n), email("member"), account.FailedLogInsFromNetwork.Max)
		}
		return guesses
	}
	if n := attack(); n != account.FailedLogIns.Max {
		t.Errorf("%d guesses", n)
	}
	h.newBrowser().logInFrom("203.0.113.1", email("member"), testPassword).wantStatus(http.StatusTooManyRequests)
	known.post("/logout", nil)
	known.logInFrom("198.51.100.0", email("member"), testPassword).wantRedirect("/dashboard")
	// The browser is known for this account alone, and its own guesses are limited.
	if n := known.failToLogIn("198.51.100.0", email("admin"), 20); n != account.FailedLogInsFromNetwork.Max {
		t.Errorf("%d guesses of another account", n)
	}
	known.post("/logout", nil)
	if n := known.failToLogIn("192.0.2.1", email("member"), 20); n != logInsByDevice.Max {
		t.Errorf("%d guesses of a known browser", n)
	}

	owner := h.newBrowser()
	owner.post("/forgot", url.Values{"email": {email("member")}}).wantRedirect("/forgot?sent=true")
	owner.post(owner.mailedLink(email("member"), "/reset/"), url.Values{"password": {"under the balcony"}}, "X-Forwarded-For", "203.0.113.1").wantRedirect("/login?notice=password-set")
	h.newBrowser().logInFrom("203.0.113.9", email("member"), "under the balcony").wantRedirect("/dashboard") // the lock is gone
	attack()
	h.newBrowser().logInFrom("203.0.113.9", email("member"), "under the balcony").wantStatus(http.StatusTooManyRequests)
	owner.logInFrom("203.0.113.1", email("member"), "under the balcony").wantRedirect("/dashboard")
	known.logInFrom("203.0.113.2", email("member"), "under the balcony").wantStatus(http.StatusTooManyRequests) // forgotten
}

// A secret that somebody else has planted in the browser is not adopted.
func TestDeviceCookie(t *testing.T) {
	h := limited(t)
	b := h.newBrowser()
	planted := strings.Repeat("x", 43)
	b.client.Jar.SetCookies(mustParse(t, h.url), []*http.Cookie{{Name: "usher_device", Value: planted, Path: "/"}})
	device := func(a response) (found *http.Cookie) {
		for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
			if cookie.Name == "usher_device" {
				found = cookie
			}
		}
		if found == nil || !found.HttpOnly || found.SameSite != http.SameSiteLaxMode || found.MaxAge != 365*24*60*60 {
			t.Fatalf("cookie %+v", found)
		}
		return found
	}
	first := device(b.logInFrom("192.0.2.1", email("member"), testPassword))
	if known, err := h.service.LoginDevices.Known(t.Context(), planted, email("member")); err != nil || known != "" {
		t.Errorf("the planted secret is known: %v", err)
	}
	b.post("/logout", nil)
	second := device(b.logInFrom("192.0.2.1", email("admin"), testPassword))
	for _, name := range []string{"member", "admin"} {
		if known, err := h.service.LoginDevices.Known(t.Context(), second.Value, strings.ToUpper(email(name))); err != nil || known == "" {
			t.Errorf("not known to %s: %v", name, err)
		}
	}
	b.post("/logout", nil)
	if again := device(b.logInFrom("192.0.2.1", email("member"), testPassword)); again.Value != second.Value || first.Value == second.Value {
		t.Errorf("the cookie changed from %q to %q", second.Value, again.Value)
	}
}

// Wrong current passwords in the settings are limited for the account, whatever form asks.
func TestCurrentPasswordIsLimited(t *testing.T) {
	h := limited(t)
	b := h.signIn("member")
	for range passwordsByAccount.Max + 2 { // no guesses: the current password is right
		b.post("/settings/password", url.Values{"current": {testPassword}, "password": {"short"}}).wantStatus(http.StatusUnprocessableEntity)
	}
	for n := range passwordsByAccount.Max {
		form := url.Values{"current": {"wrong again"}, "password": {"under the balcony"}, "confirmation": {"wrong again"}}
		b.post([]string{"/settings/password", "/settings/delete"}[n%2], form).wantStatus(http.StatusUnprocessableEntity)
	}
	refused := b.post("/settings/password", url.Values{"current": {testPassword}, "password": {"under the balcony"}}).wantStatus(http.StatusTooManyRequests)
	if refused.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.post("/settings/delete", url.Values{"confirmation": {testPassword}}).wantStatus(http.StatusTooManyRequests)
	h.signIn("admin").post("/settings/password", url.Values{"current": {testPassword}, "password": {"under the balcony"}}).wantRedirect("/settings?notice=password-changed")
}

// Concurrent guesses do not pass the limit.
func TestConcurrentGuessesAreLimited(t *testing.T) {
	h := limited(t)
	var checked atomic.Int64
	var group sync.WaitGroup
	for range 40 {
		b := h.newBrowser()
		group.Go(func() {
			if b.logInFrom("192.0.2.1", email("member"), "wrong again").status == http.StatusUnprocessableEntity {
				checked.Add(1)
			}
		})
	}
	group.Wait()
	if n := checked.Load(); n > int64(account.FailedLogInsFromNetwork.Max) {
		t.Errorf("%d guesses were checked", n)
	}
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
	h := limited(t)
	for name, address := range map[string]string{"long": strings.Repeat("a", 9000) + "@example.com", "not ASCII": "\u00f6\u202e@example.com"} {
		if n := h.newBrowser().failToLogIn("192.0.2.1", address, 20); n != account.FailedLogInsFromNetwork.Max {
			t.Errorf("%s: %d guesses", name, n)
		}
	}
}
