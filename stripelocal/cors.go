package stripelocal

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// exposedHeaders are the response headers that a page's script may read.
const exposedHeaders = "Request-Id, Stripe-Version, Idempotency-Key, Original-Request, Idempotent-Replayed, Stripe-Should-Retry"

// allowOrigins lets the scripts of pages call the API (CORS). Pages on a loopback address may, and
// those of Options.AllowedOrigins, and all with a publishable key. Stripe lets all pages; here
// every page that a developer visits could otherwise use the secret keys that this server accepts.
// The control endpoints let none.
func (s *Server) allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		origin := req.Header.Get("Origin")
		if origin == "" || !isAPIPath(req.URL.Path) {
			next.ServeHTTP(w, req)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		asked := req.Header.Get("Access-Control-Request-Method")
		preflight := req.Method == http.MethodOptions && asked != ""
		allowed := s.allowedOrigins.allows(origin) || isPublishable(apiKey(req)) || preflight && mayBePublishable(asked, req.URL.Path)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		switch {
		case preflight && allowed:
			answerPreflight(w, req)
		case preflight, !allowed && mayBePublishable(req.Method, req.URL.Path): // the preflight did not show the key
			c := apiCall{Server: s, req: req, version: APIVersion, info: s.newRequestInfo(req)}
			c.write(w, c.fail(originRefused(origin)))
		default:
			next.ServeHTTP(w, req)
		}
	})
}

func isAPIPath(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/")
}

// answerPreflight allows what the request that a browser sends first asks for. It has no key.
func answerPreflight(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", req.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", "300")
	w.WriteHeader(http.StatusNoContent)
}

func originRefused(origin string) *wire.Error {
	return &wire.Error{
		Status: http.StatusForbidden, Type: "invalid_request_error",
		Message: "This local Stripe lets pages on localhost call it, and no others unless they are allowed: usher stripe --allow-origin " + origin,
	}
}

// allowedOrigins are those of [Options], besides the ones on a loopback address.
type allowedOrigins []string

func (a allowedOrigins) allows(origin string) bool {
	return isLoopbackOrigin(origin) || slices.Contains(a, origin) || slices.Contains(a, "*")
}

func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}
