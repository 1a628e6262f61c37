package pages

import (
	"embed"
	"mime"
	"net/http"
	"path"
)

//go:embed stripejs
var stripeJSFiles embed.FS

// StripeJS serves a file of the stand-in for Stripe.js. The page of its frames, element.html, may
// be framed by every page.
func StripeJS(name string) http.HandlerFunc {
	content, err := stripeJSFiles.ReadFile("stripejs/" + name)
	if err != nil {
		panic(err) // the files are embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(content)
	}
}
