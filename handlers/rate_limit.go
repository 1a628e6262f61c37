package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"usher/billing/account"
)

// rateLimit bounds the requests to a route per key, such as a client address.
type rateLimit struct {
	account.Limit
	key func(*server, *http.Request) string // what is counted
	// applies tells the requests that are counted; nil: all.
	applies func(*http.Request) bool
}

// Limits of routes that cause cost or accept guesses: passwords, tokens, new accounts, e-mails.
// Limits per address leave room for an office behind one address; limits per account do not.
var (
	logInsByIP        = rateLimit{Limit: account.Limit{Name: "log-in by address", Max: 100, Per: 15 * time.Minute}, key: (*server).clientIP}
	logInsByEmail     = rateLimit{Limit: account.Limit{Name: "log-in by e-mail", Max: 10, Per: 15 * time.Minute}, key: emailKey}
	signUps           = rateLimit{Limit: account.Limit{Name: "sign-up", Max: 30, Per: time.Hour}, key: (*server).clientIP}
	passwordResets    = rateLimit{Limit: account.Limit{Name: "recovery", Max: 30, Per: time.Hour}, key: (*server).clientIP}
	tokenAttempts     = rateLimit{Limit: account.Limit{Name: "token", Max: 60, Per: 15 * time.Minute}, key: (*server).clientIP}
	checkoutStarts    = rateLimit{Limit: account.Limit{Name: "checkout", Max: 60, Per: time.Hour}, key: organizationKey}
	portalSessions    = rateLimit{Limit: account.Limit{Name: "portal", Max: 120, Per: time.Hour}, key: organizationKey}
	planPreviews      = rateLimit{Limit: account.Limit{Name: "plan change", Max: 120, Per: time.Hour}, key: organizationKey}
	invoicePayments   = rateLimit{Limit: account.Limit{Name: "payment", Max: 30, Per: time.Hour}, key: organizationKey}
	seatPreviews      = rateLimit{Limit: account.Limit{Name: "seat change", Max: 600, Per: time.Hour}, key: organizationKey}
	seatRetries       = rateLimit{Limit: account.Limit{Name: "seat retry", Max: 60, Per: 15 * time.Minute}, key: organizationKey}
	newInvitations    = rateLimit{Limit: account.Limit{Name: "invitation", Max: 200, Per: time.Hour}, key: organizationKey}
	invitationBatches = rateLimit{Limit: account.Limit{Name: "invitations", Max: 20, Per: time.Hour}, key: organizationKey}
	promotionLookups  = rateLimit{Limit: account.Limit{Name: "promotion code", Max: 60, Per: 15 * time.Minute}, key: (*server).clientIP, applies: hasPromotionCode}
)

// hasPromotionCode reports whether the pricing page looks a promotion code up. Codes could be
// guessed.
func hasPromotionCode(r *http.Request) bool { return r.URL.Query().Get("code") != "" }

func emailKey(_ *server, r *http.Request) string {
	return strings.ToLower(strings.TrimSpace(r.PostFormValue("email")))
}

func organizationKey(s *server, r *http.Request) string {
	if v := identityOf(r); v.isMember() {
		return v.access.Organization.ID
	}
	return s.clientIP(r)
}

// limitRate refuses requests above the route's limits, if rate limits are enabled.
func (s *server) limitRate(rt route, next handlerFunc) handlerFunc {
	if s.rateLimits == nil || len(rt.limits) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		for _, l := range rt.limits {
			if l.applies != nil && !l.applies(r) {
				continue
			}
			if err := s.rateLimits.Allow(r.Context(), l.Limit, l.key(s, r)); err != nil {
				return err
			}
		}
		return next(w, r)
	}
}

// clientIP returns the address that a request came from: the peer or, while the peer is a trusted
// proxy, the address it added to X-Forwarded-For. Entries before the last untrusted address can be
// forged.
func (s *server) clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && s.isTrustedProxy(host); i-- {
		named := strings.TrimSpace(forwarded[i])
		if _, err := netip.ParseAddr(named); err != nil {
			break
		}
		host = named
	}
	return host
}

func (s *server) isTrustedProxy(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, network := range s.trustedProxies {
		if network.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}
