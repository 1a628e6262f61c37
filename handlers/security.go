package handlers

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// redirectLoopback redirects GET requests under another loopback name to the public origin.
func (s *server) redirectLoopback(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if to, other := s.canonicalLoopbackURL(r); other && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			http.Redirect(w, r, to, http.StatusFound) // #nosec G710 -- BASE_URL with the path of the request
			return nil
		}
		return next(w, r)
	}
}

func (s *server) refuseCrossOrigin(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.crossOrigin.Check(r); err != nil {
			return errCrossOrigin.withCause(err)
		}
		return next(w, r)
	}
}

// addSecurityHeaders adds the security headers to every response, errors and assets included.
func (s *server) addSecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		for name, value := range s.headers {
			header.Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// stripeOrigins are the origins of Stripe's hosted pages. Browsers apply form-action to the
// redirect after a POST too, so it must list the origins of Checkout and of the portal.
var stripeOrigins = []string{"https://checkout.stripe.com", "https://billing.stripe.com"}

// securityHeaders returns the headers of every response. logo is the URL of the adopter's picture,
// or a path.
func securityHeaders(base *url.URL, checkoutOrigins []string, logo string) map[string]string {
	actions := append([]string{"'self'"}, stripeOrigins...)
	for _, origin := range checkoutOrigins {
		if own, ok := originOf(origin); ok {
			actions = append(actions, own)
		}
	}
	headers := map[string]string{
		"Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action " +
			strings.Join(actions, " ") + imageSource(logo),
		"X-Content-Type-Options": "nosniff",
		// Only this origin gets a referrer. With no-referrer, browsers would send Origin: null on a
		// POST.
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
	}
	if base.Scheme == "https" {
		headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
	}
	return headers
}

// imageSource allows a logo at another origin, this one picture and nothing else there. Its query
// is left out, because a source of a policy has none
// (https://www.w3.org/TR/CSP3/#source-list-syntax).
func imageSource(logo string) string {
	origin, external := originOf(logo)
	if !external {
		return ""
	}
	u, err := url.Parse(logo)
	if err != nil || strings.ContainsAny(u.EscapedPath(), " ;,'\"") {
		return ""
	}
	return "; img-src 'self' " + origin + u.EscapedPath()
}

// originOf returns the origin of a URL; false if it is not a valid http or https origin, which must
// not get into a policy.
func originOf(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"") {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// newCrossOriginProtection refuses unsafe requests from pages of other origins. The public origin
// is trusted by name, because a proxy may change the Host header.
func newCrossOriginProtection(base *url.URL) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		panic("handlers: base URL: " + err.Error()) // the configuration validates it
	}
	return protection
}

// canonicalLoopbackURL returns the URL at the public origin for a request under another loopback
// name. Cookies are valid for one name only.
func (s *server) canonicalLoopbackURL(r *http.Request) (string, bool) {
	host := hostName(r.Host)
	if !s.development || host == s.baseURL.Hostname() || !isLoopback(host) || !isLoopback(s.baseURL.Hostname()) {
		return "", false
	}
	return s.baseURL.Scheme + "://" + s.baseURL.Host + r.URL.RequestURI(), true
}

func hostName(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return strings.Trim(hostPort, "[]")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
