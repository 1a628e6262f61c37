package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
)

// sessionLifetime is how long one stays signed in. It is not lengthened by use: that would write the session on every request.
const sessionLifetime = 14 * 24 * time.Hour

// What a session holds.
const (
	sessionUser             = "user"
	sessionOrganization     = "organization"
	sessionSelectedPlan     = "choice.plan"
	sessionSelectedPack     = "choice.pack"
	sessionSelectedInterval = "choice.interval"
	sessionSelectionExpiry  = "choice.until" // Unix seconds
)

func newSessions(store scs.Store, base *url.URL) *scs.SessionManager {
	sessions := scs.New()
	sessions.Store = store
	sessions.Lifetime = sessionLifetime
	sessions.Cookie.Name = "usher_session"
	if base.Scheme == "https" {
		// Browsers take a cookie of this name only with Secure, Path=/ and no Domain, so no sibling host can plant one.
		sessions.Cookie.Name = "__Host-usher_session"
		sessions.Cookie.Secure = true
	}
	return sessions
}

// withSession loads the session and saves it, if it changed, before the answer goes out. scs's own middleware saves while the answer is
// written, when it is too late for an error.
func (s *server) withSession(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, err := s.sessions.Load(r.Context(), s.sessionToken(r))
		if err != nil {
			return fmt.Errorf("load session: %w", err)
		}
		if err := next(w, r.WithContext(ctx)); err != nil {
			return err
		}
		return s.saveSession(ctx, w)
	}
}

func (s *server) sessionToken(r *http.Request) string {
	cookie, err := r.Cookie(s.sessions.Cookie.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (s *server) saveSession(ctx context.Context, w http.ResponseWriter) error {
	switch s.sessions.Status(ctx) {
	case scs.Modified:
		token, expiry, err := s.sessions.Commit(ctx)
		if err != nil {
			return fmt.Errorf("save session: %w", err)
		}
		s.writeCookie(ctx, w, token, expiry)
	case scs.Destroyed:
		s.writeCookie(ctx, w, "", time.Time{})
	}
	return nil
}

// writeCookie lets scs write the cookie without the Cache-Control it adds to it: ours is stricter.
func (s *server) writeCookie(ctx context.Context, w http.ResponseWriter, token string, expiry time.Time) {
	s.sessions.WriteSessionCookie(ctx, w, token, expiry)
	w.Header().Set("Cache-Control", "no-store")
}

// enter signs a user in: under a new token, so that one planted before is worth nothing, and in their first organization.
func (s *server) enter(ctx context.Context, userID, organizationID string) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	if err := s.store.AttachUser(ctx, s.sessions.Token(ctx), userID); err != nil {
		return fmt.Errorf("attach session: %w", err)
	}
	s.sessions.Put(ctx, sessionUser, userID)
	s.sessions.Put(ctx, sessionOrganization, organizationID)
	return nil
}

// endOthers gives this browser a new token too: the old one may be what somebody else has.
func (s *server) endOthers(r *http.Request) error {
	ctx, userID := r.Context(), identityOf(r).userID
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	if err := s.store.AttachUser(ctx, s.sessions.Token(ctx), userID); err != nil {
		return fmt.Errorf("attach session: %w", err)
	}
	return s.store.EndOtherSessions(ctx, userID, s.sessions.Token(ctx))
}
