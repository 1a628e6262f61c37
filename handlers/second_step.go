package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/ui"
)

const (
	secondStepPath = "/login/second-factor"
	// secondStepLifetime is how long a log-in waits for its second step.
	secondStepLifetime = 10 * time.Minute
)

// Limits per account of what could be guessed: six digits, and a password by whoever found a
// session open.
var (
	secondStepAttempts = rateLimit{Limit: account.Limit{Name: "second step", Max: 10, Per: 15 * time.Minute}, key: secondStepKey}
	securityChanges    = rateLimit{Limit: account.Limit{Name: "account security", Max: 10, Per: 15 * time.Minute}, key: userKey}
)

func secondStepKey(s *server, r *http.Request) string {
	if userID := s.sessions.GetString(r.Context(), sessionSecondStepUser); userID != "" {
		return userID
	}
	return s.clientNetwork(r)
}

// allowCode counts a code that a signed-in person types, together with the second steps of the
// account's log-ins.
func (s *server) allowCode(ctx context.Context, userID string) error {
	if s.rateLimits == nil {
		return nil
	}
	return s.rateLimits.Allow(ctx, secondStepAttempts.Limit, userID)
}

// firstFactor is how the first step of a log-in was passed, and when; zero: nobody knows, so that
// it is no recent authentication.
type firstFactor struct {
	method string
	at     time.Time
}

// beginSignIn signs a user in who has proved the first factor, or begins the second step if they
// have one: done is false then, and nobody is signed in. Every way to sign in goes through here.
func (m *sessionManager) beginSignIn(ctx context.Context, userID, organizationID string, now time.Time, by firstFactor) (done bool, err error) {
	user, err := m.users.Get(ctx, userID)
	if err != nil {
		return false, fmt.Errorf("begin sign-in: %w", err)
	}
	m.forgetSecondStep(ctx)
	if user.SecondFactorAt == nil {
		err := m.signIn(ctx, userID, organizationID, by.method)
		m.dateAuthentication(ctx, by)
		return true, err
	}
	if err := m.RenewToken(ctx); err != nil {
		return false, fmt.Errorf("renew session: %w", err)
	}
	// Whoever was signed in in this browser no longer is.
	m.Remove(ctx, sessionUser)
	m.Remove(ctx, sessionOrganization)
	m.Put(ctx, sessionSecondStepUser, userID)
	m.Put(ctx, sessionSecondStepPassword, account.PasswordFingerprint(user))
	m.Put(ctx, sessionSecondStepExpiry, now.Add(secondStepLifetime).Unix())
	m.Put(ctx, sessionSecondStepMethod, by.method)
	m.Put(ctx, sessionSecondStepFirst, by.unix())
	if by.method == methodHandover {
		m.Put(ctx, sessionSecondStepOrganization, organizationID)
	}
	return false, nil
}

// dateAuthentication records that the authentication is as old as its first factor.
func (m *sessionManager) dateAuthentication(ctx context.Context, by firstFactor) {
	m.Put(ctx, sessionAuthenticatedAt, min(by.unix(), m.now().Unix()))
}

// unix returns the time in Unix seconds; 0: unknown.
func (by firstFactor) unix() int64 {
	if by.at.IsZero() {
		return 0
	}
	return by.at.Unix()
}

// passedFirstFactor returns how the first step of a log-in that waits for its second was passed.
// The previous release knows passwords only.
func (m *sessionManager) passedFirstFactor(ctx context.Context) firstFactor {
	method, at := m.GetString(ctx, sessionSecondStepMethod), m.GetInt64(ctx, sessionSecondStepFirst)
	switch {
	case method == "":
		return firstFactor{methodPassword, m.now()}
	case at == 0:
		return firstFactor{method: method}
	}
	return firstFactor{method, time.Unix(at, 0)}
}

// completeSignIn signs a user in who has proved both factors: by is the first one, and second the
// methods of the other, none if one was both.
func (m *sessionManager) completeSignIn(ctx context.Context, userID string, by firstFactor, second ...string) error {
	organizationID, err := m.firstOrganization(ctx, userID)
	if err != nil {
		return err
	}
	if chosen := m.GetString(ctx, sessionSecondStepOrganization); chosen != "" {
		organizationID = chosen
	}
	m.forgetSecondStep(ctx)
	err = m.signIn(ctx, userID, organizationID, append([]string{by.method}, second...)...)
	m.dateAuthentication(ctx, by)
	return err
}

// awaitsSecondStep returns the user whose log-in waits for its second step; false if there is
// none, it expired, or the password has changed since.
func (m *sessionManager) awaitsSecondStep(ctx context.Context, now time.Time) (account.User, bool, error) {
	userID := m.GetString(ctx, sessionSecondStepUser)
	if userID == "" || now.Unix() >= m.GetInt64(ctx, sessionSecondStepExpiry) {
		return account.User{}, false, nil
	}
	user, found, err := apperr.Found(m.users.Get(ctx, userID))
	if err != nil || !found {
		return account.User{}, false, err
	}
	same := account.PasswordFingerprint(user) == m.GetString(ctx, sessionSecondStepPassword)
	return user, same && user.SecondFactorAt != nil, nil
}

// forgetSecondStep writes nothing if no step waits, so that the session stays unmodified.
func (m *sessionManager) forgetSecondStep(ctx context.Context) {
	for _, key := range []string{sessionSecondStepUser, sessionSecondStepPassword, sessionSecondStepExpiry, sessionSecondStepMethod, sessionSecondStepFirst, sessionSecondStepOrganization} {
		if m.Exists(ctx, key) {
			m.Remove(ctx, key)
		}
	}
}

// signInAndContinue signs a user in and redirects to where they wanted to go, or to the second
// step before.
func (p *authPages) signInAndContinue(w http.ResponseWriter, r *http.Request, user account.User, organizationID, next string, by firstFactor) error {
	done, err := p.sessions.beginSignIn(r.Context(), user.ID, organizationID, p.now(), by)
	if err != nil {
		return err
	}
	if !done {
		redirect(w, r, withNext(secondStepPath, next))
		return nil
	}
	p.devices.remember(w, r, user)
	p.security.record(r, eventLogIn, slog.String("user_id", user.ID), slog.String("method", by.method))
	return p.continueAfterSignIn(w, r, next)
}

// secondStepPages are the second step of a log-in: a code from the authenticator app, a passkey,
// or a recovery code.
type secondStepPages struct{ *authPages }

func (p *secondStepPages) show(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	user, waits, err := p.sessions.awaitsSecondStep(r.Context(), p.now())
	if err != nil {
		return err
	}
	if !waits {
		redirect(w, r, p.logInAgain(r, next))
		return nil
	}
	return p.renderStep(w, r, http.StatusOK, user, secondStepForm{recovery: wantsRecoveryCode(r)})
}

// logInAgain returns the log-in page. It says why only if a log-in had begun.
func (p *secondStepPages) logInAgain(r *http.Request, next string) string {
	path := withNext("/login", next)
	if p.sessions.GetString(r.Context(), sessionSecondStepUser) == "" {
		return path
	}
	if next == "" {
		return path + "?notice=" + noticeSignInAgain
	}
	return path + "&notice=" + noticeSignInAgain
}

// secondStepForm is what was typed or sent, and why it was refused.
type secondStepForm struct {
	recovery     bool   // a recovery code is typed
	codeError    string // beside the field
	passkeyError string
}

func (p *secondStepPages) renderStep(w http.ResponseWriter, r *http.Request, status int, user account.User, form secondStepForm) error {
	w.Header().Set("Cache-Control", "no-store")
	next := nextPath(r)
	app, err := p.factors.Status(r.Context(), user.ID)
	if err != nil {
		return err
	}
	passkeys, err := p.passkeys.OfUser(r.Context(), user.ID)
	if err != nil {
		return err
	}
	props := authviews.SecondStepPageProps{
		Layout: p.layout(r, layout.SectionNone), Intent: p.planIntent(r.Context(), next), Recovery: form.recovery, App: !app.Since.IsZero(), Error: form.codeError,
		Fields:   []ui.Hidden{{Name: "next", Value: next}},
		CodeHref: withNext(secondStepPath, next), RecoveryHref: recoveryHref(secondStepPath, next),
	}
	if len(passkeys) > 0 && p.passkeys.Available() {
		props.Passkey = passkeyFormFor(passkeySecondStepPath, next, form.passkeyError)
	}
	props.Recovery = props.Recovery || !props.App && props.Passkey == nil
	return render(w, r, status, authviews.SecondStepPage(props))
}

// wantsRecoveryCode reports whether a form for a code asks for a recovery code instead.
func wantsRecoveryCode(r *http.Request) bool { return r.FormValue("with") == "recovery-code" }

func recoveryHref(path, next string) string {
	if next == "" {
		return path + "?with=recovery-code"
	}
	return withNext(path, next) + "&with=recovery-code"
}

// verify checks the code and completes the log-in.
func (p *secondStepPages) verify(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	user, waits, err := p.sessions.awaitsSecondStep(r.Context(), p.now())
	if err != nil {
		return err
	}
	if !waits {
		redirect(w, r, p.logInAgain(r, next))
		return nil
	}
	err = p.factors.Verify(r.Context(), user.ID, r.PostFormValue("code"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		p.security.record(r, eventLogInFailed, slog.String("reason", "wrong_code"), slog.String("user_id", user.ID))
		return p.renderStep(w, r, http.StatusUnprocessableEntity, user, secondStepForm{recovery: wantsRecoveryCode(r), codeError: invalid["code"]})
	}
	if err != nil {
		return err
	}
	return p.completeAndContinue(w, r, user, next, p.sessions.passedFirstFactor(r.Context()), methodSecondFactor)
}
