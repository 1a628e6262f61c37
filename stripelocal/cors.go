package stripelocal

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// exposedHeaders are the response headers that a page's script may read.
const exposedHeaders = "Request-Id, Stripe-Version, Idempotency-Key, Original-Request, Idempotent-Replayed, Stripe-Should-Retry"

// allowOrigins lets the scripts of pages call the API (CORS). Pages on a loopback address may, and
// those of Options.AllowedOrigins. Stripe lets all pages; here every page that a developer visits
// could otherwise use the keys that this server accepts. The control endpoints let none.
func (s *Server) allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		origin := req.Header.Get("Origin")
		if origin == "" || !isAPIPath(req.URL.Path) {
			next.ServeHTTP(w, req)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		allowed := s.allowsOrigin(origin)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		if req.Method == http.MethodOptions && req.Header.Get("Access-Control-Request-Method") != "" {
			answerPreflight(w, req, allowed)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func isAPIPath(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/")
}

// answerPreflight answers the request that a browser sends first. It has no key.
func answerPreflight(w http.ResponseWriter, req *http.Request, allowed bool) {
	if !allowed {
		http.Error(w, "This local Stripe lets pages on localhost call it, and no others unless they are allowed: usher stripe --allow-origin "+req.Header.Get("Origin"), http.StatusForbidden)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", req.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", "300")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) allowsOrigin(origin string) bool {
	return isLoopbackOrigin(origin) || slices.Contains(s.allowedOrigins, origin) || slices.Contains(s.allowedOrigins, "*")
}

func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}
