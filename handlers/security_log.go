package handlers

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
)

// securityEvent is the stable name of a security event. Names are those of OWASP's vocabulary where
// it has one (https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html);
// docs/operations.md lists them.
type securityEvent string

// The security events.
const (
	eventLogIn             securityEvent = "authn_login_success"
	eventLogInFailed       securityEvent = "authn_login_fail"
	eventLogInLimited      securityEvent = "authn_login_lock"
	eventPasswordChanged   securityEvent = "authn_password_change"
	eventPasswordUnchanged securityEvent = "authn_password_change_fail"
	eventTokenRequested    securityEvent = "authn_token_created"
	eventTokenUsed         securityEvent = "authn_token_used"
	eventTokenRefused      securityEvent = "authn_token_refused"
	eventForbidden         securityEvent = "authz_fail"
	eventRateLimited       securityEvent = "excess_rate_limit_exceeded"
	eventCrossOrigin       securityEvent = "malicious_cors"
	eventSessionEnded      securityEvent = "session_ended"
	eventUserCreated       securityEvent = "user_created"
	eventUserDeleted       securityEvent = "user_deleted"
)

// securityEvents lists the events with the level of their log lines.
var securityEvents = map[securityEvent]slog.Level{
	eventLogIn: slog.LevelInfo, eventPasswordChanged: slog.LevelInfo, eventTokenRequested: slog.LevelInfo, eventTokenUsed: slog.LevelInfo,
	eventSessionEnded: slog.LevelInfo, eventUserCreated: slog.LevelInfo, eventUserDeleted: slog.LevelInfo,
	eventLogInFailed: slog.LevelWarn, eventLogInLimited: slog.LevelWarn, eventPasswordUnchanged: slog.LevelWarn, eventTokenRefused: slog.LevelWarn,
	eventForbidden: slog.LevelWarn, eventRateLimited: slog.LevelWarn, eventCrossOrigin: slog.LevelWarn,
}

// securityLog writes security events as log lines of their own, and counts them. A line never holds
// a password, a token or a whole e-mail address.
type securityLog struct {
	log    *slog.Logger
	events *prometheus.CounterVec
}

func newSecurityLog(log *slog.Logger) *securityLog {
	l := &securityLog{log: log, events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_security_events_total", Help: "Security events, by name.",
	}, []string{"event"})}
	for event := range securityEvents {
		l.events.WithLabelValues(string(event)) // a rate needs the zero
	}
	return l
}

// record logs and counts an event. user_id is the viewer unless attrs name another person.
func (l *securityLog) record(r *http.Request, event securityEvent, attrs ...slog.Attr) {
	state := stateOf(r)
	line := append([]slog.Attr{
		slog.String("event", string(event)), slog.String("client_address", state.clientAddress),
		slog.String("request_id", state.requestID), slog.String("route", state.route),
	}, attrs...)
	if viewer := state.identity.userID; viewer != "" && !hasKey(attrs, "user_id") {
		line = append(line, slog.String("user_id", viewer))
	}
	l.log.LogAttrs(r.Context(), securityEvents[event], "security event", line...)
	l.events.WithLabelValues(string(event)).Inc()
}

func hasKey(attrs []slog.Attr, key string) bool {
	for _, attr := range attrs {
		if attr.Key == key {
			return true
		}
	}
	return false
}

// logInFailed records why a log-in failed, and the account if the address has one.
func (l *securityLog) logInFailed(r *http.Request, err error) {
	attrs := []slog.Attr{slog.String("email", stateOf(r).maskedEmail)}
	var failure *account.LogInFailure
	if errors.As(err, &failure) {
		attrs = append(attrs, slog.String("reason", failure.Reason), slog.String("user_id", failure.UserID))
	}
	l.record(r, eventLogInFailed, attrs...)
}

// recordError records the errors that are security events, whichever handler returned them.
func (l *securityLog) recordError(r *http.Request, err error) {
	if err == nil {
		return
	}
	organization := slog.String("organization_id", identityOf(r).access.Organization.ID)
	switch problem := problemOf(err); {
	case problem.message == errCrossOrigin.message:
		l.record(r, eventCrossOrigin, slog.String("origin", originHost(r)))
	case problem.status == http.StatusForbidden:
		l.record(r, eventForbidden, organization, slog.String("reason", problem.message))
	case problem.code == apperr.CodeRateLimited && stateOf(r).route == "/login":
		l.record(r, eventLogInLimited, slog.String("email", stateOf(r).maskedEmail))
	case problem.code == apperr.CodeRateLimited:
		l.record(r, eventRateLimited, organization)
	}
}

// originHost returns the origin of a page that sent a request, without a path.
func originHost(r *http.Request) string {
	origin, _ := originOf(r.Header.Get("Origin"))
	return origin
}

// maskEmail returns an address that only those who know the person recognize: a…@host. Other text
// is not shown at all: people type their password into the wrong field.
func maskEmail(email string) string {
	email = strings.TrimSpace(email)
	if email == "" {
		return ""
	}
	local, host, found := strings.Cut(email, "@")
	if !found || !mail.ValidAddress(email) {
		return "invalid"
	}
	first, size := utf8.DecodeRuneInString(local)
	if len(local) == size {
		return "…@" + host
	}
	return string(first) + "…@" + host
}
