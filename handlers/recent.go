package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/billing/account"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/ui"
)

// methodPassword is the way of authentication that a session records for a password. Other ways
// have names of their own.
const methodPassword = "password"

// methodSecondFactor is a code from an authenticator app, or a recovery code.
const methodSecondFactor = "second-factor"

// recordAuthentication writes when and how the user was authenticated into the session.
func (m *sessionManager) recordAuthentication(ctx context.Context, methods []string) {
	m.Put(ctx, sessionAuthenticatedAt, m.now().Unix())
	m.Put(ctx, sessionMethods, strings.Join(methods, " "))
}

// recentlyAuthenticated reports whether the user was authenticated in this session within
// [account.RecentAuthentication]. Sessions of the previous release do not know.
func (m *sessionManager) recentlyAuthenticated(ctx context.Context) bool {
	at := m.GetInt64(ctx, sessionAuthenticatedAt)
	return at != 0 && m.now().Sub(time.Unix(at, 0)) < account.RecentAuthentication
}

// requireRecent asks for the password before the handler of a route that needs a recent
// authentication, unless there was one. A POST request is not repeated afterwards: the person is
// led to its form, and nothing happens that they do not see.
func (s *server) requireRecent(rt route, next handlerFunc) handlerFunc {
	if rt.recent == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.sessions.recentlyAuthenticated(r.Context()) {
			return next(w, r)
		}
		if rt.response == api {
			return errNotRecent
		}
		redirect(w, r, withNext(recentPath, localPath(rt.recent(r))))
		return nil
	}
}

const recentPath = "/login/confirm"

// formAt returns the page with the form of a POST route. It does not carry what was typed: these
// forms ask for a deliberate choice, and an address that fills them in could be sent to somebody.
func formAt(page, fragment string) func(*http.Request) string {
	return func(r *http.Request) string {
		u, err := url.Parse(page)
		if err != nil {
			return ""
		}
		query := u.Query()
		query.Set("notice", noticeConfirmed)
		u.RawQuery, u.Fragment = query.Encode(), fragment
		u.Path = strings.ReplaceAll(u.Path, "{id}", r.PathValue("id"))
		return u.String()
	}
}

// recentPages ask a signed-in person to authenticate again.
type recentPages struct {
	*site
	users *account.Users
}

func (p *recentPages) show(w http.ResponseWriter, r *http.Request) error {
	if p.sessions.recentlyAuthenticated(r.Context()) {
		redirect(w, r, nextOrDashboard(nextPath(r)))
		return nil
	}
	return p.renderPage(w, r, http.StatusOK, "")
}

func (p *recentPages) renderPage(w http.ResponseWriter, r *http.Request, status int, message string) error {
	user, err := p.users.Get(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	return render(w, r, status, authviews.ConfirmPage(authviews.ConfirmPageProps{
		Layout: p.layout(r, layout.SectionNone), Email: user.Email, Action: recentPath, Error: message,
		Fields: []ui.Hidden{{Name: "next", Value: nextPath(r)}},
	}))
}

// confirm records the authentication and leads on to where the person was.
func (p *recentPages) confirm(w http.ResponseWriter, r *http.Request) error {
	err := p.users.ConfirmPassword(r.Context(), identityOf(r).userID, r.PostFormValue("password"))
	if invalid := fieldMessages(err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, invalid["current"])
	}
	if err != nil {
		return err
	}
	if err := p.sessions.authenticated(r.Context(), methodPassword); err != nil {
		return err
	}
	redirect(w, r, nextOrDashboard(nextPath(r)))
	return nil
}
