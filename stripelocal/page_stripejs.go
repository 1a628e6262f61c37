package stripelocal

import (
	"net/http"

	"usher/stripelocal/pages"
)

// stripeJSReleases are the folders of Stripe.js: v3, and a name for each later release (docs:
// Stripe.js versioning; endive follows from the names of API versions).
var stripeJSReleases = []string{"acacia", "basil", "clover", "dahlia", "endive"}

// mountStripeJS serves the stand-in for Stripe.js at the addresses of the original, and the page of
// its frames.
func (p hostedPages) mountStripeJS(mux *http.ServeMux) {
	script := pages.StripeJS()
	mux.HandleFunc("GET /v3", script)
	mux.HandleFunc("GET /v3/{$}", script)
	for _, release := range stripeJSReleases {
		mux.HandleFunc("GET /"+release+"/stripe.js", script)
	}
	for _, file := range []string{"element.html", "element.js", "element.css"} {
		mux.HandleFunc("GET /v3/"+file, pages.StripeJSFrame(file))
	}
}

// inFrame lets pages of other origins show in a frame what Stripe.js shows there: 3-D Secure, and
// embedded Checkout sessions.
func inFrame(f func(r *request, req *http.Request) pageResponse) func(r *request, req *http.Request) pageResponse {
	return func(r *request, req *http.Request) pageResponse {
		out := f(r, req)
		cs, ok := r.store.CheckoutSessions.get(req.PathValue("id"))
		out.framed = isFramed(req) || ok && cs.embedded()
		return out
	}
}

// isFramed reports whether Stripe.js shows the page of an intent, whose frame it closes by itself.
func isFramed(req *http.Request) bool { return req.URL.Query().Has("framed") }
