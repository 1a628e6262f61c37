package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Keys of the session data.
const (
	sessionUser             = "user"
	sessionAuthenticatedAt  = "authenticated.at"      // Unix seconds
	sessionMethods          = "authenticated.methods" // separated by spaces
	sessionOrganization     = "organization"
	sessionSelectedPlan     = "choice.plan"
	sessionSelectedPack     = "choice.pack"
	sessionSelectedPeople   = "choice.people"
	sessionSelectedCode     = "choice.code"
	sessionSelectedInterval = "choice.interval"
	sessionSelectionExpiry  = "choice.until" // Unix seconds
	// A log-in that waits for its second step: the user is not signed in. See beginSignIn.
	sessionSecondStepUser     = "second-step.user"
	sessionSecondStepPassword = "second-step.password" // fingerprint
	sessionSecondStepExpiry   = "second-step.until"    // Unix seconds
	sessionSecondStepMethod   = "second-step.method"   // of the first step
	sessionSecondStepFirst    = "second-step.first"    // when that was passed, in Unix seconds; 0: unknown
	// The organization that a hand-over leads to; not set: the first one.
	sessionSecondStepOrganization = "second-step.organization"
	// An authenticator app that is being set up: its sealed seed.
	sessionSetupSeed   = "authenticator.seed"
	sessionSetupExpiry = "authenticator.until" // Unix seconds
)

// sessionManager reads and writes sessions, and identifies who is signed in.
type sessionManager struct {
	*scs.SessionManager
	partitioned   *scs.SessionManager // writes the cookie of a session in a frame of another site
	store         SessionStore
	users         *account.Users
	organizations *account.Organizations
	now           func() time.Time
	log           *slog.Logger
}

func newSessionManager(o Options) *sessionManager {
	sessions := scs.New()
	sessions.Store = recordedSessions{o.Sessions}
	sessions.Lifetime = account.SessionLifetime
	sessions.Cookie.Name = "usher_session"
	if o.BaseURL.Scheme == "https" {
		// Browsers accept a cookie with this prefix only with Secure, Path=/ and no Domain, so that
		// a sibling host cannot set it.
		sessions.Cookie.Name = "__Host-usher_session"
		sessions.Cookie.Secure = true
	}
	return &sessionManager{
		SessionManager: sessions, partitioned: partitionedCookies(sessions), store: o.Sessions, users: o.Billing.Users, organizations: o.Billing.Organizations,
		now: o.Now, log: o.Log,
	}
}

// recordedSessions gives scs the data of a session, and keeps the row in the state of the request.
type recordedSessions struct{ SessionStore }

// FindCtx implements [scs.CtxStore].
func (s recordedSessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	session, data, touchDue, err := s.Load(ctx, token)
	if errors.Is(err, apperr.ErrNotFound) {
		return nil, false, nil
	}
	state := stateFrom(ctx)
	state.session, state.touchDue = session, touchDue
	return data, err == nil, err
}

// withSession loads the session and saves it, if it changed, before the response is sent. The
// middleware of scs saves while the response is being written, too late for an error response.
func (m *sessionManager) withSession(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, err := m.Load(r.Context(), m.requestToken(r))
		if err != nil {
			return fmt.Errorf("load session: %w", err)
		}
		m.touch(r.WithContext(ctx))
		if err := next(w, r.WithContext(ctx)); err != nil {
			return err
		}
		return m.save(ctx, w)
	}
}

func (m *sessionManager) requestToken(r *http.Request) string {
	cookie, err := r.Cookie(m.Cookie.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (m *sessionManager) save(ctx context.Context, w http.ResponseWriter) error {
	switch m.Status(ctx) {
	case scs.Modified:
		token, expiry, err := m.Commit(ctx)
		if err != nil {
			return fmt.Errorf("save session: %w", err)
		}
		m.writeCookie(ctx, w, token, expiry)
	case scs.Destroyed:
		m.writeCookie(ctx, w, "", time.Time{})
	}
	return nil
}

// writeCookie writes the session cookie. It replaces the Cache-Control header that scs adds with a
// stricter one.
func (m *sessionManager) writeCookie(ctx context.Context, w http.ResponseWriter, token string, expiry time.Time) {
	if m.GetBool(ctx, sessionPartitioned) {
		m.partitioned.WriteSessionCookie(ctx, w, token, expiry)
	} else {
		m.WriteSessionCookie(ctx, w, token, expiry)
	}
	w.Header().Set("Cache-Control", "no-store")
}

// clearSiteData makes the browser drop what scripts of this site stored in it, when nobody is
// signed in any more. Pages are not among it: those of signed-in people are never stored.
func clearSiteData(w http.ResponseWriter) { w.Header().Set("Clear-Site-Data", `"storage"`) }

// touch records the use of a session by a signed-in user. The data of the session is not written: a
// request that runs while the session is ended would bring it back.
func (m *sessionManager) touch(r *http.Request) {
	ctx := r.Context()
	if !stateOf(r).touchDue || m.userID(ctx) == "" {
		return
	}
	// A failed write must not fail the request.
	client := account.Client{UserAgent: stateOf(r).userAgent, Address: stateOf(r).clientAddress}
	if err := m.store.Touch(ctx, m.Token(ctx), client); err != nil {
		m.log.WarnContext(ctx, "record use of session failed", "request_id", stateOf(r).requestID, "err", err)
	}
}

// userID returns the signed-in user; empty: nobody is. The stored row has to name the user too: a
// request that was running while its session was ended can write the data once more, but not the
// user.
func (m *sessionManager) userID(ctx context.Context) string {
	userID := m.GetString(ctx, sessionUser)
	if userID != stateFrom(ctx).session.UserID {
		return ""
	}
	return userID
}

// signIn signs a user in under a new token, which prevents session fixation. methods are how the
// user was authenticated, such as methodPassword.
func (m *sessionManager) signIn(ctx context.Context, userID, organizationID string, methods ...string) error {
	state := stateFrom(ctx)
	state.session = account.Session{UserID: userID, UserAgent: state.userAgent, ClientAddress: state.clientAddress}
	if err := m.renew(ctx, state.session); err != nil {
		return err
	}
	m.SetDeadline(ctx, m.now().Add(account.SessionLifetime).UTC())
	m.Put(ctx, sessionUser, userID)
	m.Put(ctx, sessionOrganization, organizationID)
	m.recordAuthentication(ctx, methods)
	return nil
}

// authenticated records that the signed-in user was authenticated again. The token changes (OWASP
// ASVS 5.0.0, 7.2.4), the end of the session does not.
func (m *sessionManager) authenticated(ctx context.Context, methods ...string) error {
	if err := m.renew(ctx, stateFrom(ctx).session); err != nil {
		return err
	}
	m.recordAuthentication(ctx, methods)
	return nil
}

// renew gives the session a new token. A copy of the old one is worth nothing.
func (m *sessionManager) renew(ctx context.Context, session account.Session) error {
	deadline := m.Deadline(ctx)
	if err := m.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	m.SetDeadline(ctx, deadline)
	if err := m.store.Attach(ctx, m.Token(ctx), session); err != nil {
		return fmt.Errorf("attach session: %w", err)
	}
	return nil
}

// endOtherSessions ends the viewer's other sessions. This browser gets a new token too, since the
// old one may be stolen.
func (m *sessionManager) endOtherSessions(r *http.Request) error {
	ctx, userID := r.Context(), identityOf(r).userID
	if err := m.renew(ctx, stateFrom(ctx).session); err != nil {
		return err
	}
	return m.store.EndOtherSessions(ctx, userID, m.Token(ctx))
}
