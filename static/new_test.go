package static_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/static"
)

// A picture that somebody opens by its address runs nothing.
func TestAddedAssets(t *testing.T) {
	logo := static.New("logo.svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"))
	sheet := static.New("brand.css", []byte(":root{}"))
	handler := static.Handler(logo, sheet)
	serve := func(path string) *http.Response {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Result()
	}
	res := serve(logo.URL())
	policy := res.Header.Get("Content-Security-Policy")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/svg+xml; charset=utf-8" ||
		!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "script") {
		t.Errorf("logo: %d %v", res.StatusCode, res.Header)
	}
	if res := serve(sheet.URL()); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/css; charset=utf-8" || res.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("style sheet: %d %v", res.StatusCode, res.Header)
	}
	if res := get(t, http.MethodGet, logo.URL(), ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("another handler serves it: %d", res.StatusCode)
	}
	if other := static.New("logo.svg", []byte("<svg/>")); other.URL() == logo.URL() {
		t.Error("two contents have one URL")
	}
}
