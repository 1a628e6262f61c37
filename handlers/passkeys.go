package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// methodPasskey is a passkey: beside the password as the second factor, or alone with the person
// verified by the authenticator, which is both factors.
const methodPasskey = "passkey"

// Paths of ceremonies. Each has a route for the options below it.
const (
	passkeyLogInPath      = "/login/passkey"
	passkeySecondStepPath = secondStepPath + "/passkey"
	passkeyConfirmPath    = recentPath + "/passkey"
	passkeysPath          = securityPath + "/passkeys"
	newPasskeyPath        = passkeysPath + "/new"
	ceremonyOptions       = "/options"
)

// Keys of the session data: the ceremony that waits for an authenticator.
const (
	sessionCeremonyPath   = "passkey.path"
	sessionCeremonyState  = "passkey.state"
	sessionCeremonyExpiry = "passkey.until" // Unix seconds
)

// messageCeremonyLate is shown if there is no ceremony for a response: it expired, or another one
// began in another tab.
var messageCeremonyLate = locale.Mark("That took too long. Please try again.")

// Limits of ceremonies. Signatures can't be guessed, so these bound the cost only. There is none
// per account: strangers who know a passkey's id could use it to lock its owner out.
var (
	passkeyRequests = rateLimit{Limit: account.Limit{Name: "passkey request", Max: 120, Per: 15 * time.Minute}, key: (*server).clientNetwork}
	passkeyLogIns   = rateLimit{Limit: account.Limit{Name: "passkey log-in", Max: 60, Per: 15 * time.Minute}, key: (*server).clientNetwork}
)

// keepCeremony keeps a ceremony for the route at path, instead of one that waited before.
func (m *sessionManager) keepCeremony(ctx context.Context, path, state string) {
	m.Put(ctx, sessionCeremonyPath, path)
	m.Put(ctx, sessionCeremonyState, state)
	m.Put(ctx, sessionCeremonyExpiry, m.now().Add(account.PasskeyCeremonyLifetime).Unix())
}

// takeCeremony returns the state of the ceremony for the route at path, once; false if there is
// none, or it expired.
func (m *sessionManager) takeCeremony(ctx context.Context, path string) (string, bool) {
	keptFor, state, until := m.GetString(ctx, sessionCeremonyPath), m.GetString(ctx, sessionCeremonyState), m.GetInt64(ctx, sessionCeremonyExpiry)
	for _, key := range []string{sessionCeremonyPath, sessionCeremonyState, sessionCeremonyExpiry} {
		m.Remove(ctx, key)
	}
	return state, keptFor == path && m.now().Unix() < until
}

// sendCeremony keeps a ceremony and responds with its options.
func (s *site) sendCeremony(w http.ResponseWriter, r *http.Request, path string, ceremony account.PasskeyCeremony) error {
	s.sessions.keepCeremony(r.Context(), path, ceremony.State)
	return writeJSON(w, http.StatusOK, json.RawMessage(ceremony.Options))
}

// passkeyFormFor returns the form of a ceremony.
func passkeyFormFor(path, next, refused string) *authviews.PasskeyForm {
	return &authviews.PasskeyForm{Action: path, Options: path + ceremonyOptions, Fields: []ui.Hidden{{Name: "next", Value: next}}, Error: refused}
}

// passkeyRefused records a refused response in the security log. It returns the message for the
// page; empty: err is another error.
func (s *site) passkeyRefused(r *http.Request, err error) string {
	var failure *account.PasskeyFailure
	if !errors.As(err, &failure) {
		return ""
	}
	stateOf(r).err = err
	attrs := []slog.Attr{slog.String("reason", failure.Reason)}
	if failure.UserID != "" {
		attrs = append(attrs, slog.String("user_id", failure.UserID))
	}
	s.security.record(r, eventLogInFailed, attrs...)
	return messageIn(r.Context(), err)
}

// beginPasskeyLogIn responds with the same options for everybody, but for their challenge.
func (p *authPages) beginPasskeyLogIn(w http.ResponseWriter, r *http.Request) error {
	ceremony, err := p.passkeys.BeginLogIn()
	if err != nil {
		return err
	}
	return p.sendCeremony(w, r, passkeyLogInPath, ceremony)
}

// logInWithPasskey signs in without a password. The passkey is both factors, so that no second
// step follows.
func (p *authPages) logInWithPasskey(w http.ResponseWriter, r *http.Request) error {
	ctx, next := r.Context(), nextPath(r)
	state, begun := p.sessions.takeCeremony(ctx, passkeyLogInPath)
	if !begun {
		return p.refusePasskeyLogIn(w, r, messageCeremonyLate)
	}
	user, err := p.passkeys.LogIn(ctx, state, []byte(r.PostFormValue("response")))
	if refused := p.passkeyRefused(r, err); refused != "" {
		return p.refusePasskeyLogIn(w, r, refused)
	}
	if err != nil {
		return err
	}
	return p.completeAndContinue(w, r, user, next, firstFactor{methodPasskey, p.now()})
}

func (p *authPages) refusePasskeyLogIn(w http.ResponseWriter, r *http.Request, message string) error {
	next := nextPath(r)
	props := p.logInProps(r, next)
	props.Passkey = passkeyFormFor(passkeyLogInPath, next, message)
	return render(w, r, http.StatusUnprocessableEntity, authviews.LoginPage(props))
}

// completeAndContinue signs a user in who has proved both factors, and redirects to where they
// wanted to go.
func (p *authPages) completeAndContinue(w http.ResponseWriter, r *http.Request, user account.User, next string, by firstFactor, second ...string) error {
	if err := p.sessions.completeSignIn(r.Context(), user.ID, by, second...); err != nil {
		return err
	}
	p.devices.remember(w, r, user)
	p.security.record(r, eventLogIn, slog.String("user_id", user.ID), slog.String("method", by.method))
	return p.continueAfterSignIn(w, r, next)
}

func (p *secondStepPages) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	user, waits, err := p.sessions.awaitsSecondStep(r.Context(), p.now())
	if err != nil {
		return err
	}
	if !waits {
		return apperr.Errorf(apperr.CodeConflict, "Please sign in again.")
	}
	ceremony, err := p.passkeys.Begin(r.Context(), user.ID, false)
	if err != nil {
		return err
	}
	return p.sendCeremony(w, r, passkeySecondStepPath, ceremony)
}

// verifyPasskey completes a log-in with a passkey instead of a code.
func (p *secondStepPages) verifyPasskey(w http.ResponseWriter, r *http.Request) error {
	ctx, next := r.Context(), nextPath(r)
	user, waits, err := p.sessions.awaitsSecondStep(ctx, p.now())
	if err != nil {
		return err
	}
	state, begun := p.sessions.takeCeremony(ctx, passkeySecondStepPath)
	if !waits {
		redirect(w, r, p.logInAgain(r, next))
		return nil
	}
	if !begun {
		return p.renderStep(w, r, http.StatusUnprocessableEntity, user, secondStepForm{passkeyError: messageCeremonyLate})
	}
	err = p.passkeys.Verify(ctx, user.ID, state, []byte(r.PostFormValue("response")))
	if refused := p.passkeyRefused(r, err); refused != "" {
		return p.renderStep(w, r, http.StatusUnprocessableEntity, user, secondStepForm{passkeyError: refused})
	}
	if err != nil {
		return err
	}
	return p.completeAndContinue(w, r, user, next, p.sessions.passedFirstFactor(ctx), methodPasskey)
}

func (p *recentPages) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	ceremony, err := p.passkeys.Begin(r.Context(), identityOf(r).userID, true)
	if err != nil {
		return err
	}
	return p.sendCeremony(w, r, passkeyConfirmPath, ceremony)
}

// confirmPasskey records an authentication with a passkey and leads on to where the person was.
func (p *recentPages) confirmPasskey(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	state, begun := p.sessions.takeCeremony(ctx, passkeyConfirmPath)
	if !begun {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.ConfirmErrors{Passkey: messageCeremonyLate})
	}
	err := p.passkeys.Verify(ctx, identityOf(r).userID, state, []byte(r.PostFormValue("response")))
	if refused := p.passkeyRefused(r, err); refused != "" {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.ConfirmErrors{Passkey: refused})
	}
	if err != nil {
		return err
	}
	if err := p.sessions.authenticated(ctx, methodPasskey); err != nil {
		return err
	}
	p.security.record(r, eventLogIn, slog.String("method", methodPasskey))
	redirect(w, r, nextOrDashboard(nextPath(r)))
	return nil
}

func (p *securityPages) showNewPasskey(w http.ResponseWriter, r *http.Request) error {
	if !p.passkeys.Available() {
		redirect(w, r, securityPath)
		return nil
	}
	return p.renderNewPasskey(w, r, http.StatusOK, authviews.NewPasskeyPageProps{
		Form: *passkeyFormFor(passkeysPath, "", ""), Name: authviews.DeviceName(r.Context(), stateOf(r).userAgent),
	})
}

func (p *securityPages) renderNewPasskey(w http.ResponseWriter, r *http.Request, status int, props authviews.NewPasskeyPageProps) error {
	props.Layout = p.layout(r, layout.SectionNone)
	return render(w, r, status, authviews.NewPasskeyPage(props))
}

func (p *securityPages) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	ceremony, err := p.passkeys.BeginAdd(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	return p.sendCeremony(w, r, passkeysPath, ceremony)
}

// addPasskey stores a passkey. The first second factor comes with recovery codes.
func (p *securityPages) addPasskey(w http.ResponseWriter, r *http.Request) error {
	ctx, name := r.Context(), r.PostFormValue("name")
	state, begun := p.sessions.takeCeremony(ctx, passkeysPath)
	if !begun {
		return p.refusePasskey(w, r, messageCeremonyLate, "")
	}
	codes, err := p.passkeys.Add(ctx, identityOf(r).userID, name, state, []byte(r.PostFormValue("response")))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.refusePasskey(w, r, "", invalid["name"])
	}
	if code := apperr.CodeOf(err); code == apperr.CodeUnprocessable || code == apperr.CodeConflict {
		stateOf(r).err = err
		return p.refusePasskey(w, r, messageIn(r.Context(), err), "")
	}
	if err != nil {
		return err
	}
	if codes == nil {
		redirect(w, r, securityPath+"?notice="+noticePasskeyAdded+"#passkeys")
		return nil
	}
	if err := p.sessions.endOtherSessions(r); err != nil {
		return err
	}
	return p.showCodes(w, r, codes, true)
}

func (p *securityPages) refusePasskey(w http.ResponseWriter, r *http.Request, message, nameError string) error {
	return p.renderNewPasskey(w, r, http.StatusUnprocessableEntity, authviews.NewPasskeyPageProps{
		Form: *passkeyFormFor(passkeysPath, "", message), Name: r.PostFormValue("name"), NameError: nameError,
	})
}

func (p *securityPages) renamePasskey(w http.ResponseWriter, r *http.Request) error {
	id, name := r.PathValue("id"), r.PostFormValue("name")
	err := p.passkeys.Rename(r.Context(), identityOf(r).userID, id, name)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.SecurityErrors{PasskeyID: id, PasskeyName: invalid["name"], Typed: name})
	}
	if err != nil {
		return err
	}
	redirect(w, r, securityPath+"?notice="+noticePasskeyRenamed+"#passkeys")
	return nil
}

func (p *securityPages) removePasskey(w http.ResponseWriter, r *http.Request) error {
	protected, err := p.passkeys.Remove(r.Context(), identityOf(r).userID, r.PathValue("id"))
	if err != nil {
		return err
	}
	notice := noticePasskeyRemoved
	if !protected {
		notice = noticeSecondFactorOff
	}
	redirect(w, r, securityPath+"?notice="+notice)
	return nil
}

// passkeyRows returns the viewer's passkeys for the page.
func (p *securityPages) passkeyRows(r *http.Request, invalid authviews.SecurityErrors) ([]authviews.PasskeyRow, error) {
	passkeys, err := p.passkeys.OfUser(r.Context(), identityOf(r).userID)
	if err != nil {
		return nil, err
	}
	rows := make([]authviews.PasskeyRow, 0, len(passkeys))
	for _, passkey := range passkeys {
		row := authviews.PasskeyRow{
			ID: passkey.ID, Name: passkey.Name, CreatedAt: passkey.CreatedAt, LastUsedAt: timeOrZero(passkey.LastUsedAt), Synced: passkey.BackedUp,
		}
		if passkey.ID == invalid.PasskeyID {
			row.Error, row.Typed = invalid.PasskeyName, invalid.Typed
		}
		rows = append(rows, row)
	}
	return rows, nil
}
