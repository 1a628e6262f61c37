package handlers

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestResponsesAreCompressed requests every GET route of the route map. Whatever has text to send
// is compressed once, unless it shows a secret, and says so to caches. /metrics compresses itself.
func TestResponsesAreCompressed(t *testing.T) {
	h := newOutageEnv(t, outage{})
	secret := map[string]bool{}
	for _, rt := range h.server.routes() {
		secret[rt.method+rt.pattern] = rt.secret
	}
	compressed := 0
	for _, v := range h.visits() {
		got := h.transfer(h.visitor(v), v.address, v.headers...)
		if vary := got.header.Values("Vary"); v.route != "/metrics" && strings.Count(strings.Join(vary, ","), "Accept-Encoding") != 1 {
			t.Errorf("GET %s: Vary %q, want Accept-Encoding once", v.address, vary)
		}
		if got.header.Get("No-Gzip-Compression") != "" {
			t.Errorf("GET %s: an internal header is sent", v.address)
		}
		if strings.HasPrefix(v.route, "/admin/profiles/") {
			continue // a file that is compressed by itself
		}
		isCompressed := got.header.Get("Content-Encoding") == "gzip"
		if large := len(got.content) >= minCompressed; isCompressed != (large && !secret[get+v.route]) && !strings.HasPrefix(v.route, "/static/") && v.route != "/metrics" {
			t.Errorf("GET %s: compressed: %t, with %d bytes", v.address, isCompressed, len(got.content))
		}
		if bytes.HasPrefix(got.content, []byte{0x1f, 0x8b}) {
			t.Errorf("GET %s is compressed twice", v.address)
		}
		if isCompressed {
			compressed++
		}
	}
	if compressed < 40 {
		t.Errorf("%d responses are compressed, want 40 or more", compressed)
	}
}

func TestEncodingIsNegotiated(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	plain := b.get("/pricing", "Accept-Encoding", "identity").wantStatus(http.StatusOK)
	for accept, want := range map[string]string{"gzip": "gzip", "br, zstd": "", "gzip;q=0": "", "": "", "br;q=1, gzip;q=0.2": "gzip"} {
		got, _, body := b.raw(get, "/pricing", "Accept-Encoding", accept)
		if encoding := got.Header.Get("Content-Encoding"); encoding != want {
			t.Errorf("Accept-Encoding %q: %q, want %q", accept, encoding, want)
		}
		if want == "gzip" && string(gunzip(t, body)) != plain.body {
			t.Error("the compressed page is another one")
		}
	}
	got, _, body := b.raw(http.MethodHead, "/pricing", "Accept-Encoding", "gzip")
	if got.StatusCode != http.StatusOK || len(body) != 0 || got.Header.Get("Content-Encoding") != "" || got.ContentLength != int64(len(plain.body)) {
		t.Errorf("HEAD: %d, %d bytes, length %d, %v", got.StatusCode, len(body), got.ContentLength, got.Header)
	}
	redirected, _, _ := b.raw(get, "/dashboard", "Accept-Encoding", "gzip")
	if redirected.StatusCode != http.StatusSeeOther || redirected.Header.Get("Content-Encoding") != "" {
		t.Errorf("a redirect: %d, %v", redirected.StatusCode, redirected.Header)
	}
}

// Error pages take the same way, those of a panic included.
func TestErrorsAreCompressed(t *testing.T) {
	h := newTestEnv(t)
	h.server.system.ready = nil // a probe panics
	missing := h.transfer(h.newBrowser(), "/no-such-page")
	if missing.status != http.StatusNotFound || missing.header.Get("Content-Encoding") != "gzip" || !bytes.Contains(missing.content, []byte("<main")) {
		t.Errorf("a missing page: %d %v", missing.status, missing.header)
	}
	failed := h.transfer(h.newBrowser(), "/readyz")
	if failed.status != http.StatusInternalServerError || !bytes.Contains(failed.content, []byte(`"error"`)) {
		t.Errorf("a panic: %d %q", failed.status, failed.content)
	}
}

// Responses with a secret of their own keep their length, whatever else is on them.
func TestSecretsAreNotCompressed(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.post("/settings/security/setup", url.Values{"password": {testPassword}}).wantStatus(http.StatusSeeOther)
	setup := h.transfer(admin, "/settings/security/setup")
	if setup.status != http.StatusOK || len(setup.content) < minCompressed || setup.header.Get("Content-Encoding") != "" {
		t.Errorf("the seed: %d, %d bytes, %v", setup.status, len(setup.content), setup.header)
	}
	key := admin.post("/organization/api-keys", url.Values{"name": {"CI"}, "scope": {"billing:read"}, "expires": {"30"}}, "Accept-Encoding", "gzip")
	if key.header.Get("Content-Encoding") != "" || !strings.Contains(key.body, "<main") {
		t.Errorf("a key: %d %v", key.status, key.header)
	}
}

// BenchmarkCompression measures what compressing a page costs; ratio is compressed to plain bytes.
func BenchmarkCompression(b *testing.B) {
	h := newOutageEnv(b, outage{})
	page := h.browsers["admin"].get(billingPath).wantStatus(http.StatusOK).body
	for _, accept := range []string{"", "gzip"} {
		b.Run("accept="+accept, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), get, billingPath, http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", accept)
			var w discardedResponse
			for b.Loop() {
				w = discardedResponse{header: http.Header{}}
				out := newBufferedResponse()
				out.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = out.Write([]byte(page))
				h.server.send(&w, r, out)
			}
			b.ReportMetric(float64(w.bytes)/float64(len(page)), "ratio")
		})
	}
}

// discardedResponse counts the bytes of a response.
type discardedResponse struct {
	header http.Header
	bytes  int
}

func (w *discardedResponse) Header() http.Header { return w.header }

func (w *discardedResponse) WriteHeader(int) {}

func (w *discardedResponse) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}
