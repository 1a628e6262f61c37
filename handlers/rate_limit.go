package handlers

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// rateLimit bounds the requests to a route per key, such as a client address.
type rateLimit struct {
	account.Limit
	key func(*server, *http.Request) string // what is counted
	// applies tells the requests that are counted; nil: all.
	applies func(*server, *http.Request) bool
	// onlyGuesses counts only requests with a wrong password, see [account.ErrWrongPassword].
	onlyGuesses bool
	// orders tells that passwords wait in the order of this count, less ahead.
	orders bool
	ahead  int
}

// Limits of log-ins and of passwords that are asked for again. A browser that has logged in to the
// account before has its own count and no other, so that strangers cannot lock it out, not even
// from the same network or behind a proxy that is not trusted.
var (
	logInsByDevice = rateLimit{
		Limit: account.Limit{Name: "failed log-in of device", Max: 10, Per: 15 * time.Minute, Advice: account.FailedLogIns.Advice},
		key:   (*server).loginDevice, applies: fromKnownDevice, onlyGuesses: true, orders: true, ahead: 10, // before strangers, who begin with none
	}
	logInsByNetwork = rateLimit{
		Limit: account.Limit{Name: "log-in by address", Max: 100, Per: 15 * time.Minute},
		key:   (*server).clientNetwork, applies: fromUnknownDevice, onlyGuesses: true, orders: true,
	}
	logInsByAccountAndNetwork = rateLimit{Limit: account.FailedLogInsFromNetwork, key: accountAndNetworkKey, applies: fromUnknownDevice, onlyGuesses: true}
	logInsByAccount           = rateLimit{Limit: account.FailedLogIns, key: accountKey, applies: fromUnknownDevice, onlyGuesses: true}
	passwordsByAccount        = rateLimit{
		Limit: account.Limit{Name: "password", Max: 10, Per: 15 * time.Minute, Advice: account.FailedLogIns.Advice}, key: userKey, onlyGuesses: true,
	}
)

// logIns are the limits of a log-in.
var logIns = []rateLimit{logInsByDevice, logInsByNetwork, logInsByAccountAndNetwork, logInsByAccount}

// Limits of routes that cause cost or accept guesses: passwords, tokens, new accounts, e-mails.
// Limits per address leave room for an office behind one address; limits per account do not.
var (
	signUps        = rateLimit{Limit: account.Limit{Name: "sign-up", Max: 30, Per: time.Hour}, key: (*server).clientNetwork, orders: true}
	passwordResets = rateLimit{Limit: account.Limit{Name: "recovery", Max: 30, Per: time.Hour}, key: (*server).clientNetwork}
	tokenAttempts  = rateLimit{Limit: account.Limit{Name: "token", Max: 60, Per: 15 * time.Minute}, key: (*server).clientNetwork}
	emailChanges   = rateLimit{Limit: account.Limit{Name: "e-mail change", Max: 10, Per: time.Hour}, key: userKey}
	// Counted per session: a thief of one cannot use up the attempts of the account's owner.
	passwordConfirmations = rateLimit{Limit: account.Limit{Name: "password confirmation", Max: 10, Per: 15 * time.Minute}, key: sessionKey}
	checkoutStarts        = rateLimit{Limit: account.Limit{Name: "checkout", Max: 60, Per: time.Hour}, key: organizationKey}
	portalSessions        = rateLimit{Limit: account.Limit{Name: "portal", Max: 120, Per: time.Hour}, key: organizationKey}
	planPreviews          = rateLimit{Limit: account.Limit{Name: "plan change", Max: 120, Per: time.Hour}, key: organizationKey}
	invoicePayments       = rateLimit{Limit: account.Limit{Name: "payment", Max: 30, Per: time.Hour}, key: organizationKey}
	seatPreviews          = rateLimit{Limit: account.Limit{Name: "seat change", Max: 600, Per: time.Hour}, key: organizationKey}
	seatRetries           = rateLimit{Limit: account.Limit{Name: "seat retry", Max: 60, Per: 15 * time.Minute}, key: organizationKey}
	invitationResends     = rateLimit{Limit: account.Limit{Name: "invitation resent", Max: 30, Per: time.Hour}, key: organizationKey}
	newInvitations        = rateLimit{Limit: account.Limit{Name: "invitation", Max: 200, Per: time.Hour}, key: organizationKey}
	invitationBatches     = rateLimit{Limit: account.Limit{Name: "invitations", Max: 20, Per: time.Hour}, key: organizationKey}
	newWebhooks           = rateLimit{Limit: account.Limit{Name: "webhook", Max: 60, Per: time.Hour}, key: organizationKey}
	webhookSends          = rateLimit{Limit: account.Limit{Name: "webhook sent", Max: 120, Per: time.Hour}, key: organizationKey}
	domainChanges         = rateLimit{Limit: account.Limit{Name: "domain", Max: 60, Per: time.Hour}, key: organizationKey}
	promotionLookups      = rateLimit{Limit: account.Limit{Name: "promotion code", Max: 60, Per: 15 * time.Minute}, key: (*server).clientNetwork, applies: hasPromotionCode}
)

// Limits of the API, for each API key or person.
var (
	apiReads      = rateLimit{Limit: account.Limit{Name: "api reads", Max: 6000, Per: time.Minute}, key: credentialKey}
	apiWrites     = rateLimit{Limit: account.Limit{Name: "api writes", Max: 600, Per: time.Minute}, key: credentialKey}
	apiMemberSets = rateLimit{Limit: account.Limit{Name: "member sets", Max: 60, Per: time.Minute}, key: credentialKey}
)

func credentialKey(_ *server, r *http.Request) string { return identityOf(r).credential() }

// allLimits returns the limits of a route. Those of the API apply to every route that programs
// call.
func (rt route) allLimits() []rateLimit {
	switch {
	case rt.scope == "":
		return rt.limits
	case rt.method == get:
		return append([]rateLimit{apiReads}, rt.limits...)
	}
	return append([]rateLimit{apiWrites}, rt.limits...)
}

// allowInvitation counts an invitation that a program sends with those that people send.
func (s *server) allowInvitation(r *http.Request) error {
	if s.rateLimits == nil {
		return nil
	}
	return s.rateLimits.Allow(r.Context(), newInvitations.Limit, organizationKey(s, r))
}

// describedIn returns a function that adds an attempt to the headers of an answer of the API
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/). Pages have none.
func describedIn(w http.ResponseWriter, rt route) func(account.Attempt) {
	if rt.scope == "" {
		return func(account.Attempt) {}
	}
	var policies, limits []string
	return func(a account.Attempt) {
		if a.Count == 0 { // counting failed
			return
		}
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", a.Limit.Name, a.Limit.Max, int(a.Limit.Per/time.Second)))
		limits = append(limits, fmt.Sprintf("%q;r=%d;t=%d", a.Limit.Name, a.Remaining(), int(math.Ceil(a.Resets.Seconds()))))
		w.Header().Set("RateLimit-Policy", strings.Join(policies, ", "))
		w.Header().Set("RateLimit", strings.Join(limits, ", "))
	}
}

// hasPromotionCode reports whether the pricing page looks a promotion code up. Codes could be
// guessed.
func hasPromotionCode(_ *server, r *http.Request) bool { return r.URL.Query().Get("code") != "" }

func fromKnownDevice(s *server, r *http.Request) bool { return s.loginDevice(r) != "" }

func fromUnknownDevice(s *server, r *http.Request) bool { return s.loginDevice(r) == "" }

// loginDevice returns the id of the browser if it has logged in to the typed account before; empty
// otherwise. It is read once per request.
func (s *server) loginDevice(r *http.Request) string {
	state := stateOf(r)
	if state.loginDevice == nil {
		id := s.devices.known(r, r.PostFormValue("email"))
		state.loginDevice = &id
	}
	return *state.loginDevice
}

func accountKey(_ *server, r *http.Request) string { return account.LogInKey(r.PostFormValue("email")) }

func accountAndNetworkKey(s *server, r *http.Request) string {
	return accountKey(s, r) + " " + s.clientNetwork(r)
}

func sessionKey(_ *server, r *http.Request) string { return stateOf(r).session.ID }

func userKey(_ *server, r *http.Request) string { return identityOf(r).userID }

func organizationKey(s *server, r *http.Request) string {
	if v := identityOf(r); v.isMember() {
		return v.access.Organization.ID
	}
	return s.clientNetwork(r)
}

// limitRate refuses requests above the route's limits, if rate limits are enabled.
func (s *server) limitRate(rt route, next handlerFunc) handlerFunc {
	limits := rt.allLimits()
	if s.rateLimits == nil || len(limits) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		s.warnOfProxy(r)
		counted, failures, err := s.countRequest(r, limits, describedIn(w, rt))
		if apperr.CodeOf(err) == apperr.CodeRateLimited {
			stateOf(r).maskedEmail = maskEmail(r.PostFormValue("email"))
		}
		if err == nil {
			err = next(w, r.WithContext(account.WithFailures(r.Context(), failures)))
		}
		if !errors.Is(err, account.ErrWrongPassword) && !errors.Is(stateOf(r).err, account.ErrWrongPassword) {
			s.rateLimits.TakeBack(r.Context(), counted)
		}
		return err
	}
}

// countRequest counts a request for each limit that applies, until one refuses it. It returns what
// counts only guesses, and the failures by which a password waits. counted is called for each.
func (s *server) countRequest(r *http.Request, limits []rateLimit, counted func(account.Attempt)) (guesses []account.Attempt, failures int, err error) {
	for _, l := range limits {
		if l.applies != nil && !l.applies(s, r) {
			continue
		}
		attempt, err := s.rateLimits.Begin(r.Context(), l.Limit, l.key(s, r))
		counted(attempt)
		if l.onlyGuesses {
			guesses = append(guesses, attempt)
		}
		if err != nil {
			return guesses, failures, err
		}
		if l.orders {
			failures = max(0, attempt.Count-1) - l.ahead
		}
	}
	return guesses, failures, nil
}

// clientNetwork is what limits per client count: an IPv4 address, or the /64 network of an IPv6
// address, which one client has whole.
func (s *server) clientNetwork(r *http.Request) string {
	host := s.clientIP(r)
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return host
	case address.Unmap().Is4():
		return address.Unmap().String()
	}
	return netip.PrefixFrom(address.WithZone(""), 64).Masked().String()
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
		named, ok := parseForwarded(forwarded[i])
		if !ok {
			break
		}
		host = named.String()
	}
	return host
}

// parseForwarded reads an entry of X-Forwarded-For. Some proxies add the client's port.
func parseForwarded(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr(), true
	}
	address, err := netip.ParseAddr(strings.Trim(entry, "[]"))
	return address, err == nil
}

// proxyWarningEvery is how often it is logged that a proxy is not trusted.
const proxyWarningEvery = time.Hour

// warnOfProxy logs that a peer forwards requests and is no trusted proxy. If it is ours, all
// clients share its limits, so that one of them can lock out the others.
func (s *server) warnOfProxy(r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-For") == "" || s.isTrustedProxy(host) {
		return
	}
	last, now := s.proxyWarnedAt.Load(), s.now().Unix()
	if now-last < int64(proxyWarningEvery/time.Second) || !s.proxyWarnedAt.CompareAndSwap(last, now) {
		return
	}
	s.log.WarnContext(r.Context(), "X-Forwarded-For comes from a peer that TRUSTED_PROXIES does not name; if that is your proxy, all clients share its rate limits",
		"peer", host)
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
