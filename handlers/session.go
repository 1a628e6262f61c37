package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"

	"usher/billing/catalog"
)

// sessionLifetime is how long one stays signed in. It is not lengthened by use: that would write the session on every request.
const sessionLifetime = 14 * 24 * time.Hour

// What a session holds.
const (
	sessionUser         = "user"
	sessionOrganization = "organization"
	sessionSelectedPlan         = "choice.plan"
	sessionSelectedPack         = "choice.pack"
	sessionSelectedInterval     = "choice.interval"
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

// selection is what a visitor picked on the pricing page before they signed in.
type selection struct {
	plan     catalog.Plan
	interval catalog.Interval
	pack     catalog.Pack // with an id: a pack, and no plan
}

// selectionLifetime is how long a visitor's choice is remembered.
const selectionLifetime = time.Hour

func (s *server) keepChoice(ctx context.Context, c selection) {
	s.sessions.Put(ctx, sessionSelectedPlan, c.plan.ID)
	s.sessions.Put(ctx, sessionSelectedPack, c.pack.ID)
	s.sessions.Put(ctx, sessionSelectedInterval, string(c.interval))
	s.sessions.Put(ctx, sessionSelectionExpiry, s.now().Add(selectionLifetime).Unix())
}

// keptChoice returns the choice that is still meant, and still offered.
func (s *server) keptChoice(ctx context.Context) (selection, bool) {
	if s.now().Unix() >= s.sessions.GetInt64(ctx, sessionSelectionExpiry) {
		return selection{}, false
	}
	return s.offered(s.sessions.GetString(ctx, sessionSelectedPlan), s.sessions.GetString(ctx, sessionSelectedInterval), s.sessions.GetString(ctx, sessionSelectedPack))
}

func (s *server) forgetChoice(ctx context.Context) {
	for _, key := range []string{sessionSelectedPlan, sessionSelectedPack, sessionSelectedInterval, sessionSelectionExpiry} {
		s.sessions.Remove(ctx, key)
	}
}

// offered finds a plan of the catalogue at an interval, or a pack; no interval means monthly. Both at once is neither.
func (s *server) offered(planID, interval, packID string) (selection, bool) {
	if packID != "" {
		pack, ok := s.billing.Prices.Catalog().Pack(packID)
		return selection{pack: pack}, ok && planID == ""
	}
	if interval == "" {
		interval = string(catalog.Monthly)
	}
	plan, ok := s.billing.Prices.Catalog().Plan(planID)
	if !ok {
		return selection{}, false
	}
	_, ok = plan.Price(catalog.Interval(interval))
	return selection{plan: plan, interval: catalog.Interval(interval)}, ok
}
