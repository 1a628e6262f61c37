package handlers

import (
	"context"
	"log/slog"
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

// requireRecent asks to authenticate again before the handler of a route that needs a recent
// authentication, unless there was one. A POST request is not repeated afterwards: the person is
// led to its form, and nothing happens that they do not see.
func (s *server) requireRecent(rt route, next handlerFunc) handlerFunc {
	if rt.recent == nil && rt.recentInstead == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		formOf := rt.recent
		if formOf == nil && !s.signInPolicy.CanUsePassword(identityOf(r).access.User) {
			formOf = rt.recentInstead
		}
		if formOf == nil || identityOf(r).key != nil || s.sessions.recentlyAuthenticated(r.Context()) { // a program has no log-in
			return next(w, r)
		}
		if rt.response.forPrograms() {
			return errNotRecent
		}
		redirect(w, r, withNext(recentPath, localPath(formOf(r))))
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

// recentPages ask a signed-in person to authenticate again, with all the factors of a log-in.
type recentPages struct {
	*site
	users    *account.Users
	factors  *account.SecondFactors
	passkeys *account.Passkeys
	// allowCode counts a code that is typed for an account, see [server.allowCode].
	allowCode func(ctx context.Context, userID string) error
}

func (p *recentPages) show(w http.ResponseWriter, r *http.Request) error {
	if p.sessions.recentlyAuthenticated(r.Context()) {
		redirect(w, r, nextOrDashboard(nextPath(r)))
		return nil
	}
	return p.renderPage(w, r, http.StatusOK, authviews.ConfirmErrors{})
}

func (p *recentPages) renderPage(w http.ResponseWriter, r *http.Request, status int, invalid authviews.ConfirmErrors) error {
	user, err := p.users.Get(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	app, err := p.factors.Status(r.Context(), user.ID)
	if err != nil {
		return err
	}
	passkeys, err := p.passkeys.OfUser(r.Context(), user.ID)
	if err != nil {
		return err
	}
	next := nextPath(r)
	provider, err := p.providerConfirmation(r.Context(), user, next)
	if err != nil {
		return err
	}
	props := authviews.ConfirmPageProps{
		Layout: p.layout(r, layout.SectionNone), Email: user.Email, Action: recentPath, Errors: invalid,
		Provider: provider, NoPassword: !p.signInPolicy.CanUsePassword(user), AtProvider: p.sessions.confirmedAtProvider(r.Context(), user.ID),
		SecondFactor: user.SecondFactorAt != nil, App: !app.Since.IsZero(), Recovery: wantsRecoveryCode(r),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, CodeHref: withNext(recentPath, next), RecoveryHref: recoveryHref(recentPath, next),
	}
	if len(passkeys) > 0 && p.passkeys.Available() {
		props.Passkey = passkeyFormFor(passkeyConfirmPath, next, invalid.Passkey)
	}
	props.Recovery = props.Recovery || props.SecondFactor && !props.App && props.Passkey == nil
	return render(w, r, status, authviews.ConfirmPage(props))
}

// providerConfirmation returns the form with which a person authenticates again at the provider;
// the zero value if they have no identity there.
func (p *recentPages) providerConfirmation(ctx context.Context, user account.User, next string) (authviews.ProviderFormProps, error) {
	if p.provider == nil {
		return authviews.ProviderFormProps{}, nil
	}
	identities, err := p.identities.OfUser(ctx, user.ID)
	if err != nil || len(identities) == 0 {
		return authviews.ProviderFormProps{}, err
	}
	form := p.providerForm(ctx, next)
	form.Action = recentPath + "/oidc"
	return form, nil
}

// confirm records the authentication and leads on to where the person was.
func (p *recentPages) confirm(w http.ResponseWriter, r *http.Request) error {
	methods, err := p.authenticate(r)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		p.security.record(r, eventLogInFailed, slog.String("reason", refusedFactor(invalid)))
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.ConfirmErrors{Password: invalid["current"], Code: invalid["code"]})
	}
	if err != nil {
		return err
	}
	p.sessions.Remove(r.Context(), sessionConfirmedBy)
	if err := p.sessions.authenticated(r.Context(), methods...); err != nil {
		return err
	}
	p.security.record(r, eventLogIn)
	redirect(w, r, nextOrDashboard(nextPath(r)))
	return nil
}

// authenticate checks what was typed and returns the ways of authentication. The password comes
// first: a wrong one neither spends a code, nor counts against the second steps of the account, so
// that whoever finds a session open cannot use up those of its owner.
func (p *recentPages) authenticate(r *http.Request) (methods []string, err error) {
	ctx, viewer := r.Context(), identityOf(r)
	first := methodOIDC
	if !viewer.secondFactor || !p.sessions.confirmedAtProvider(ctx, viewer.userID) {
		first = methodPassword
		if err := p.users.ConfirmPassword(ctx, viewer.userID, r.PostFormValue("password")); err != nil {
			return nil, err
		}
	}
	if !viewer.secondFactor {
		return []string{first}, nil
	}
	if err := p.allowCode(ctx, viewer.userID); err != nil {
		return nil, err
	}
	if err := p.factors.Verify(ctx, viewer.userID, r.PostFormValue("code")); err != nil {
		return nil, err
	}
	return []string{first, methodSecondFactor}, nil
}

// refusedFactor returns the reason of a refused authentication for the security log.
func refusedFactor(invalid map[string]string) string {
	if invalid["code"] != "" {
		return "wrong_code"
	}
	return account.ReasonWrongPassword
}
