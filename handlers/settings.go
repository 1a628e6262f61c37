package handlers

import (
	"fmt"
	"log/slog"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
)

// settingsPages are the pages about the viewer's own account.
type settingsPages struct {
	*site
	users    *account.Users
	recovery *account.Recovery
	changes  *account.EmailChanges
}

// settingsForm holds the submitted values and their errors.
type settingsForm struct {
	name   *string // nil: the stored name
	email  string  // the new one
	errors authviews.SettingsErrors
}

func (p *settingsPages) show(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, settingsForm{})
}

func (p *settingsPages) renderPage(w http.ResponseWriter, r *http.Request, status int, form settingsForm) error {
	ctx, userID := r.Context(), identityOf(r).userID
	user, err := p.users.Get(ctx, userID)
	if err != nil {
		return err
	}
	sessions, err := p.sessionList(r)
	if err != nil {
		return err
	}
	props := authviews.SettingsPageProps{Layout: p.layout(r, layout.SectionNone), Name: user.Name, Email: user.Email, Verified: user.EmailVerifiedAt != nil, NewEmail: form.email, Sessions: sessions, Errors: form.errors, NoPassword: !p.signInPolicy.CanUsePassword(user)}
	if form.name != nil {
		props.Name = *form.name
	}
	if props.EmailChange, err = p.emailChange(r); err != nil {
		return err
	}
	return render(w, r, status, authviews.SettingsPage(props))
}

// emailChange returns the viewer's change of address; nil: there is none.
func (p *settingsPages) emailChange(r *http.Request) (*authviews.EmailChange, error) {
	change, found, err := apperr.Found(p.changes.Pending(r.Context(), identityOf(r).userID))
	if err != nil || !found {
		return nil, err
	}
	return &authviews.EmailChange{NewEmail: change.NewEmail, OldConfirmed: change.OldConfirmedAt != nil, NewConfirmed: change.NewConfirmedAt != nil}, nil
}

func (p *settingsPages) rename(w http.ResponseWriter, r *http.Request) error {
	input := r.PostFormValue("name")
	err := p.users.Rename(r.Context(), identityOf(r).userID, input)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, settingsForm{name: &input, errors: authviews.SettingsErrors{Name: invalid["name"]}})
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/settings?notice="+noticeProfileSaved)
	return nil
}

// sendVerification sends the link that verifies the viewer's address again.
func (p *settingsPages) sendVerification(w http.ResponseWriter, r *http.Request) error {
	if err := p.recovery.RequestVerification(r.Context(), identityOf(r).userID); err != nil {
		return err
	}
	p.security.record(r, eventTokenRequested, slog.String("purpose", string(account.TokenVerify)))
	redirect(w, r, "/settings?notice="+noticeVerificationSent)
	return nil
}

// changePassword changes the viewer's password and ends their other sessions, which may belong to
// someone who knew the old password.
func (p *settingsPages) changePassword(w http.ResponseWriter, r *http.Request) error {
	err := p.users.ChangePassword(r.Context(), identityOf(r).userID, r.PostFormValue("current"), r.PostFormValue("password"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		stateOf(r).err = err
		p.security.record(r, eventPasswordUnchanged)
		return p.renderPage(w, r, http.StatusUnprocessableEntity, settingsForm{errors: authviews.SettingsErrors{Current: invalid["current"], Password: invalid["password"]}})
	}
	if err != nil {
		return err
	}
	if err := p.sessions.endOtherSessions(r); err != nil {
		return err
	}
	p.sessions.recordAuthentication(r.Context(), []string{methodPassword})
	user, err := p.users.Get(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	p.devices.remember(w, r, user) // the change forgot every browser
	p.security.record(r, eventPasswordChanged)
	redirect(w, r, "/settings?notice="+noticePasswordChanged)
	return nil
}

func (p *settingsPages) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.endOtherSessions(r); err != nil {
		return err
	}
	p.security.record(r, eventSessionEnded, slog.String("reason", "others_ended"))
	redirect(w, r, "/settings?notice="+noticeSessionsEnded)
	return nil
}

// deleteAccount deletes the viewer's account and ends the session. The form asks for the password,
// so that the act itself is authenticated.
func (p *settingsPages) deleteAccount(w http.ResponseWriter, r *http.Request) error {
	err := p.users.Delete(r.Context(), identityOf(r).userID, r.PostFormValue("confirmation"))
	invalid := fieldMessages(r.Context(), err)
	if apperr.CodeOf(err) == apperr.CodeConflict { // shown beside the button
		invalid = map[string]string{"confirmation": messageIn(r.Context(), err)}
	}
	if len(invalid) > 0 {
		stateOf(r).err = err
		return p.renderPage(w, r, http.StatusUnprocessableEntity, settingsForm{errors: authviews.SettingsErrors{Deletion: invalid["confirmation"]}})
	}
	if err != nil {
		return err
	}
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	p.security.record(r, eventUserDeleted)
	clearSiteData(w)
	redirect(w, r, "/login?notice="+noticeAccountDeleted)
	return nil
}
