package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"usher/billing/account"
)

// sessionLifetime is the absolute lifetime of a session. Use does not extend it, which would write
// the session on every request.
const sessionLifetime = 14 * 24 * time.Hour

// Keys of the session data.
const (
	sessionUser             = "user"
	sessionOrganization     = "organization"
	sessionSelectedPlan     = "choice.plan"
	sessionSelectedPack     = "choice.pack"
	sessionSelectedPeople   = "choice.people"
	sessionSelectedCode     = "choice.code"
	sessionSelectedInterval = "choice.interval"
	sessionSelectionExpiry  = "choice.until" // Unix seconds
)

// sessionManager reads and writes sessions, and identifies who is signed in.
type sessionManager struct {
	*scs.SessionManager
	store         SessionStore
	users         *account.Users
	organizations *account.Organizations
}

func newSessionManager(o Options) *sessionManager {
	sessions := scs.New()
	sessions.Store = o.Sessions
	sessions.Lifetime = sessionLifetime
	sessions.Cookie.Name = "usher_session"
	if o.BaseURL.Scheme == "https" {
		// Browsers accept a cookie with this prefix only with Secure, Path=/ and no Domain, so that
		// a sibling host cannot set it.
		sessions.Cookie.Name = "__Host-usher_session"
		sessions.Cookie.Secure = true
	}
	return &sessionManager{
		SessionManager: sessions, store: o.Sessions, users: o.Billing.Users, organizations: o.Billing.Organizations,
	}
}

// withSession loads the session and saves it, if it changed, before the response is sent. The
// middleware of scs saves while the response is being written, too late for an error response.
func (m *sessionManager) withSession(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, err := m.Load(r.Context(), m.requestToken(r))
		if err != nil {
			return fmt.Errorf("load session: %w", err)
		}
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
	m.WriteSessionCookie(ctx, w, token, expiry)
	w.Header().Set("Cache-Control", "no-store")
}

// signIn signs a user in under a new token, which prevents session fixation.
func (m *sessionManager) signIn(ctx context.Context, userID, organizationID string) error {
	if err := m.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	if err := m.store.AttachUser(ctx, m.Token(ctx), userID); err != nil {
		return fmt.Errorf("attach session: %w", err)
	}
	m.Put(ctx, sessionUser, userID)
	m.Put(ctx, sessionOrganization, organizationID)
	return nil
}

// endOtherSessions ends the viewer's other sessions. This browser gets a new token too, since the
// old one may be stolen.
func (m *sessionManager) endOtherSessions(r *http.Request) error {
	ctx, userID := r.Context(), identityOf(r).userID
	if err := m.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	if err := m.store.AttachUser(ctx, m.Token(ctx), userID); err != nil {
		return fmt.Errorf("attach session: %w", err)
	}
	return m.store.EndOtherSessions(ctx, userID, m.Token(ctx))
}
