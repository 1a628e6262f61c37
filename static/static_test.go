package static_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"usher/static"
)

var names = []string{"usher.css", "usher.js", "members.js", "passkeys.js", "pricing.js", "htmx.min.js", "favicon.svg"}

func get(t *testing.T, method, path, accept string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(content)
}

func TestPathCarriesAHash(t *testing.T) {
	for _, name := range names {
		stem, ext, _ := strings.Cut(name, ".")
		want := regexp.MustCompile(`^/static/` + stem + `\.(min\.)?[0-9a-f]{12}\.(css|js|svg)$`)
		if path := static.Path(name); !want.MatchString(path) || !strings.HasSuffix(path, ext[strings.LastIndex(ext, ".")+1:]) {
			t.Errorf("Path(%q) = %q", name, path)
		}
	}
}

func TestPathPanicsOnAnUnknownName(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an unknown name was given a path")
		}
	}()
	static.Path("missing.css")
}

func TestHandlerServesBothEncodings(t *testing.T) {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml; charset=utf-8"}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			plain := get(t, http.MethodGet, static.Path(name), "")
			zipped := get(t, http.MethodGet, static.Path(name), "br, gzip")
			if plain.StatusCode != http.StatusOK || zipped.StatusCode != http.StatusOK {
				t.Fatalf("status %d and %d", plain.StatusCode, zipped.StatusCode)
			}
			if got, want := plain.Header.Get("Content-Type"), types[name[strings.LastIndex(name, "."):]]; got != want {
				t.Errorf("Content-Type %q, want %q", got, want)
			}
			if got := plain.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") || !strings.Contains(got, "max-age=31536000") {
				t.Errorf("Cache-Control %q", got)
			}
			if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" {
				t.Errorf("Content-Encoding %q and %q", plain.Header.Get("Content-Encoding"), zipped.Header.Get("Content-Encoding"))
			}
			if zipped.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("Vary") != "Accept-Encoding" {
				t.Error("a cache would mix the encodings up: no Vary")
			}
			unzipped, err := gzip.NewReader(zipped.Body)
			if err != nil {
				t.Fatalf("gunzip: %v", err)
			}
			if body(t, unzipped) != body(t, plain.Body) {
				t.Error("the two encodings differ")
			}
		})
	}
}

func TestHandlerReadsAcceptEncoding(t *testing.T) {
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "deflate, gzip;q=0.5": "gzip", "gzip;q=0": "", "gzip; q=0.0": "", "br": "", "xgzip": "",
	} {
		if got := get(t, http.MethodGet, static.Path("usher.js"), accept).Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", accept, got, want)
		}
	}
}

func TestHandlerRefuses(t *testing.T) {
	hashed := static.Path("usher.css")
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/static/usher.css", http.StatusNotFound},
		{http.MethodGet, "/static/usher.000000000000.css", http.StatusNotFound},
		{http.MethodGet, "/static/", http.StatusNotFound},
		{http.MethodGet, "/static/static.go", http.StatusNotFound},
		{http.MethodGet, "/static/src/usher.css", http.StatusNotFound},
		{http.MethodPost, hashed, http.StatusMethodNotAllowed},
		{http.MethodHead, hashed, http.StatusOK},
	} {
		res := get(t, c.method, c.path, "")
		if res.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, res.StatusCode, c.want)
		}
		if c.method == http.MethodHead && (body(t, res.Body) != "" || res.Header.Get("Content-Length") == "0") {
			t.Errorf("HEAD %s: body sent or length missing", c.path)
		}
	}
}

// The limits are 20 kB of gzipped JavaScript in total, and 2 kB for each script of our own.
func TestScriptsStaySmall(t *testing.T) {
	total := 0
	for _, name := range []string{"htmx.min.js", "usher.js"} {
		total += len(body(t, get(t, http.MethodGet, static.Path(name), "gzip").Body))
	}
	if total >= 20_000 {
		t.Errorf("scripts take %d bytes gzipped", total)
	}
	for _, name := range []string{"usher.js", "passkeys.js", "pricing.js"} {
		if own := len(body(t, get(t, http.MethodGet, static.Path(name), "gzip").Body)); own >= 2_000 {
			t.Errorf("%s takes %d bytes gzipped", name, own)
		}
	}
	t.Logf("scripts: %d bytes gzipped", total)
}

// The Content-Security-Policy has no unsafe-eval, so no script may need it.
func TestOwnScriptNeedsNoEval(t *testing.T) {
	for _, name := range []string{"usher.js", "members.js", "passkeys.js", "pricing.js"} {
		script := body(t, get(t, http.MethodGet, static.Path(name), "").Body)
		for _, word := range []string{"eval(", "new Function", "innerHTML", ".style.", "setTimeout('"} {
			if strings.Contains(script, word) {
				t.Errorf("%s uses %s", name, word)
			}
		}
	}
}
