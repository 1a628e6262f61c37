package pages

import (
	"embed"
	"mime"
	"net/http"
	"path"
)

//go:embed stripejs
var stripeJSFiles embed.FS

// stripeJSParts are the files of the script, in order.
var stripeJSParts = []string{"api.js", "elements.js", "payments.js", "stripe.js"}

// StripeJS serves the stand-in for Stripe.js.
func StripeJS() http.HandlerFunc {
	script := "(() => {\n'use strict';\n"
	for _, part := range stripeJSParts {
		script += "\n" + string(readStripeJS(part))
	}
	return serveStripeJS("stripe.js", []byte(script+"})();\n"))
}

// StripeJSFrame serves a file of the page in the script's frames: element.html, element.js or
// element.css. Every page may frame it.
func StripeJSFrame(name string) http.HandlerFunc { return serveStripeJS(name, readStripeJS(name)) }

func readStripeJS(name string) []byte {
	content, err := stripeJSFiles.ReadFile("stripejs/" + name)
	if err != nil {
		panic(err) // the files are embedded
	}
	return content
}

func serveStripeJS(name string, content []byte) http.HandlerFunc {
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
