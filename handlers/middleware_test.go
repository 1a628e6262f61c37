package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// newTestServer returns a server without a database or Stripe, for tests of the middleware.
func newTestServer(t testing.TB, change func(*Options)) *server {
	t.Helper()
	o := Options{
		Billing:  billing.New(billing.Options{Catalog: catalog.BuiltInPlans()}),
		Sessions: memorySessions{memstore.NewWithCleanupInterval(0)},
		Ready:    func(context.Context) error { return nil },
		BaseURL:  mustParse(t, "http://localhost:4312"),
	}
	if change != nil {
		change(&o)
	}
	return newServer(o)
}

// memorySessions stores sessions in memory.
type memorySessions struct{ *memstore.MemStore }

func (m memorySessions) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return m.Find(token)
}

func (m memorySessions) CommitCtx(_ context.Context, token string, data []byte, expiry time.Time) error {
	return m.Commit(token, data, expiry)
}

func (m memorySessions) DeleteCtx(_ context.Context, token string) error { return m.Delete(token) }

func (m memorySessions) Load(_ context.Context, token string) (account.Session, []byte, bool, error) {
	data, found, err := m.Find(token)
	if err == nil && !found {
		err = apperr.ErrNotFound
	}
	return account.Session{}, data, false, err
}

func (m memorySessions) Touch(context.Context, string, account.Client) error { return nil }

func (m memorySessions) Attach(context.Context, string, account.Session) error { return nil }

func (m memorySessions) EndSession(context.Context, string, string) error { return nil }

func (m memorySessions) UserSessions(context.Context, string, string) ([]account.Session, error) {
	return nil, nil
}

func (m memorySessions) EndOtherSessions(context.Context, string, string) error { return nil }

func mustParse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func serve(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, target, http.NoBody)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestSecurityHeadersOnEveryResponse(t *testing.T) {
	h := newTestServer(t, func(o *Options) {
		o.CheckoutOrigins = []string{"http://127.0.0.1:4313/v1", "https://pay.example.com", "javascript:alert(1)", "https://x; script-src *", ""}
	}).handler()
	for _, target := range []string{"/pricing", "/nowhere", "/static/none.css", "/healthz", "/billing/getSummary", "/stripe/webhook"} {
		header := serve(h, get, target, "").Header()
		const policy = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self' " +
			"https://checkout.stripe.com https://billing.stripe.com http://127.0.0.1:4313 https://pay.example.com"
		if got := header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy\n%s\nwant\n%s", target, got, policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: headers %v", target, header)
		}
		if header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS over http", target)
		}
	}
}

func TestHTTPSEnablesHSTSAndHostCookies(t *testing.T) {
	h := newTestServer(t, func(o *Options) { o.BaseURL = mustParse(t, "https://usher.example.com") }).handler()
	w := serve(h, post, "/billing/checkout", "plan=pro", "Content-Type", "application/x-www-form-urlencoded")
	if got := w.Header().Get("Strict-Transport-Security"); got != "max-age=31536000; includeSubDomains" {
		t.Errorf("HSTS is %q", got)
	}
	cookie := w.Result().Cookies()[0]
	if cookie.Name != "__Host-usher_session" || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" ||
		cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", cookie)
	}
}

func TestPanicShowsErrorPage(t *testing.T) {
	var log strings.Builder
	s := newTestServer(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	h := s.observe(s.recoverPanics(s.serve(route{pattern: "/x", policy: public, handler: func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half a page")
		panic("the secret cause")
	}})))
	w := serve(h, get, "/x", "")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "half a page") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if id := w.Header().Get("X-Request-Id"); !strings.Contains(w.Body.String(), id) || !strings.Contains(log.String(), id) {
		t.Errorf("request id %q is not on the page or not in the log: %s", id, log.String())
	}
	if !strings.Contains(log.String(), "the secret cause") {
		t.Error("the cause is not logged")
	}
}

func TestPanicAfterResponseStartAbortsConnection(t *testing.T) {
	s := newTestServer(t, nil)
	h := s.observe(s.recoverPanics(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("late")
	})))
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("recovered %v", cause)
		}
	}()
	serve(h, get, "/x", "")
}

func TestLogContainsRouteNotPath(t *testing.T) {
	var log strings.Builder
	h := newTestServer(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(&log, nil)) }).handler()
	serve(h, get, "/organization?tab=billing&session_id=cs_secret", "")
	serve(h, get, "/nowhere/token_secret", "")
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log contains a secret: %s", log.String())
	}
	if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), `"route":"/organization"`) {
		t.Errorf("log: %s", log.String())
	}
}

func TestNotFoundResponseType(t *testing.T) {
	h := newTestServer(t, nil).handler()
	for _, tt := range []struct {
		method, target, contentType, allow string
		status                             int
	}{
		{get, "/nowhere", "text/html; charset=utf-8", "", 404},
		{get, "/organization/", "text/html; charset=utf-8", "", 404},
		{get, "/api/v2", "application/json; charset=utf-8", "", 404},
		{"DELETE", "/pricing", "text/html; charset=utf-8", "GET, HEAD", 405},
		{"PUT", "/login", "text/html; charset=utf-8", "GET, POST, HEAD", 405},
		{"TRACE", "/pricing", "text/html; charset=utf-8", "GET, HEAD", 405},
		{get, "/billing/retrySeatSync", "application/json; charset=utf-8", "POST", 405},
		{post, "/billing/getSummary", "application/json; charset=utf-8", "GET, HEAD", 405},
		{get, "/stripe/webhook", "application/json; charset=utf-8", "POST", 405},
		{get, "/dev/ui", "text/html; charset=utf-8", "", 404}, // outside development
		{get, "/dev/scenarios", "text/html; charset=utf-8", "", 404},
		{post, "/dev/scenarios/open", "text/html; charset=utf-8", "", 404},
	} {
		w := serve(h, tt.method, tt.target, "")
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q allow %q", tt.method, tt.target, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Allow"))
		}
		if tt.target == "/nowhere" {
			w := serve(h, tt.method, tt.target, "", "Accept", "application/json")
			if w.Code != 404 || !strings.Contains(w.Body.String(), `"code":"not_found"`) {
				t.Errorf("%s as JSON: %d %s", tt.target, w.Code, w.Body)
			}
		}
		if strings.HasPrefix(tt.contentType, "application/json") && !strings.Contains(w.Body.String(), `{"error":{"code":`) {
			t.Errorf("%s %s: %s", tt.method, tt.target, w.Body)
		}
	}
}

func TestCrossOriginPostsAreRefused(t *testing.T) {
	s := newTestServer(t, nil)
	h := s.handler()
	form := "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name    string
		headers []string
		refused bool
	}{
		{"no browser", nil, false},
		{"same origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:4312"}, false},
		{"cross-site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, true},
		{"another port of the same host", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:4313"}, true},
		{"cross-site without Sec-Fetch-Site", []string{"Origin", "https://evil.example"}, true},
		{"proxy that changes Host", []string{"Origin", "http://localhost:4312"}, false},
	} {
		w := serve(h, post, "http://inner:80/billing/checkout", "plan=pro", append(tt.headers, "Content-Type", form)...)
		if refused := w.Code == http.StatusForbidden; refused != tt.refused {
			t.Errorf("%s: %d", tt.name, w.Code)
		}
		if w := serve(h, post, "/billing/retrySeatSync", "{}", append(tt.headers, "Content-Type", "application/json")...); (w.Code == http.StatusForbidden) != tt.refused && tt.name != "proxy that changes Host" {
			t.Errorf("JSON, %s: %d", tt.name, w.Code)
		}
	}
}

func TestLoopbackRedirectInDevelopment(t *testing.T) {
	const base = "http://localhost:4312"
	for _, tt := range []struct {
		method, target, base, to string
		development              bool
	}{
		{get, "http://127.0.0.1:4312/pricing?seats=3", base, base + "/pricing?seats=3", true},
		{get, "http://[::1]:4312/", base, base + "/", true},
		{"HEAD", "http://127.0.0.1:4312/pricing", base, base + "/pricing", true},
		{get, "http://localhost:4312/pricing", base, "", true},
		{get, "http://127.0.0.1:4312/pricing", base, "", false},
		{get, "http://127.0.0.1:4312/pricing", "https://usher.example.com", "", true},
		{get, "http://usher.test/pricing", base, "", true},
		{get, "http://127.0.0.1:4312/healthz", base, "", true},
		{post, "http://127.0.0.1:4312/logout", base, "/login?notice=signed-out", true},
	} {
		h := newTestServer(t, func(o *Options) { o.Development, o.BaseURL = tt.development, mustParse(t, tt.base) }).handler()
		if got := serve(h, tt.method, tt.target, "").Header().Get("Location"); got != tt.to {
			t.Errorf("%s %s: to %q, want %q", tt.method, tt.target, got, tt.to)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	broken := errors.New("migrations of secret_db are behind")
	h := newTestServer(t, func(o *Options) { o.Ready = func(context.Context) error { return broken } }).handler()
	if w := serve(h, get, "/healthz", ""); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := serve(h, get, "/readyz", ""); w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	broken = nil
	if w := serve(h, get, "/readyz", ""); w.Code != 200 {
		t.Errorf("readyz: %d", w.Code)
	}
}

func TestLocalPath(t *testing.T) {
	for path, own := range map[string]bool{
		"/dashboard": true, "/organization?tab=billing&x=%2F": true, "/": true, "/a//b": true, "/a:b": true,
		"": false, "dashboard": false, "//evil.example": false, "/\\evil.example": false, "\\\\evil.example": false,
		"/\t/evil.example": false, "/\n/evil.example": false, "https://evil.example": false, "javascript:alert(1)": false,
		" /dashboard": false, "/%zz": false, "/a b": false, "/\x7f": false, "/é": false,
	} {
		if got := localPath(path); (got != "") != own {
			t.Errorf("localPath(%q) = %q", path, got)
		}
	}
}

func TestRedirectsLeadToStripeOnly(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.CheckoutOrigins = []string{"http://127.0.0.1:4313/v1", "https://pay.example.com", "nonsense", ""}
	})
	for address, allowed := range map[string]bool{
		"https://checkout.stripe.com/c/pay/cs_1#x": true, "https://billing.stripe.com/p/session/1": true,
		"https://invoice.stripe.com/i/1": true, "https://pay.stripe.com/invoice/1/pdf": true,
		"http://127.0.0.1:4313/checkout/cs_1": true, "https://pay.example.com/c": true,
		"http://checkout.stripe.com/": false, "https://checkout.stripe.com.evil.example/": false, "https://evilstripe.com/": false,
		"https://checkout.stripe.com@evil.example/": false, "https://evil.example/.stripe.com": false,
		"http://127.0.0.1:4314/": false, "http://pay.example.com/": false, "//evil.example": false, "nonsense": false, "": false,
		"javascript:alert(1)": false,
	} {
		w := httptest.NewRecorder()
		err := s.redirectToStripe(w, httptest.NewRequest(get, "/", http.NoBody), address)
		if (err == nil) != allowed || (w.Header().Get("Location") != "") != allowed {
			t.Errorf("%q: to %q, %v", address, w.Header().Get("Location"), err)
		}
	}
}

func TestIsFragment(t *testing.T) {
	for _, tt := range []struct {
		headers []string
		want    bool
	}{
		{nil, false},
		{[]string{"HX-Request", "true"}, true},
		{[]string{"HX-Request", "true", "HX-Boosted", "true"}, false},
		{[]string{"HX-Request", "true", "HX-History-Restore-Request", "true"}, false},
	} {
		r := httptest.NewRequest(get, "/", http.NoBody)
		for i := 0; i+1 < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		if got := isFragment(r); got != tt.want {
			t.Errorf("%v: %v", tt.headers, got)
		}
	}
}

// A visit without a session is led to the log-in, which is nothing to look at in the log.
func TestSignedOutVisitIsNoWarning(t *testing.T) {
	h := newTestEnv(t)
	h.newBrowser().get("/dashboard").wantStatus(http.StatusSeeOther)
	waitFor(t, "the line of the request", func() bool { return strings.Contains(h.log.String(), `"route":"/dashboard"`) })
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, `"route":"/dashboard"`) && !strings.Contains(line, `"level":"INFO"`) {
			t.Errorf("%s", line)
		}
	}
}
