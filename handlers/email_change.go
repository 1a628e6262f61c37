package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
)

// emailChangePages change the address that a person signs in with.
type emailChangePages struct {
	*site
	settings *settingsPages
	changes  *account.EmailChanges
}

// request sends the links that confirm the viewer's new address.
func (p *emailChangePages) request(w http.ResponseWriter, r *http.Request) error {
	email := r.PostFormValue("email")
	err := p.changes.Request(r.Context(), identityOf(r).userID, r.PostFormValue("current"), email)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		stateOf(r).err = err
		return p.settings.renderPage(w, r, http.StatusUnprocessableEntity, settingsForm{
			email: email, errors: authviews.SettingsErrors{Email: invalid["email"], EmailPassword: invalid["current"]},
		})
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/settings?notice="+noticeEmailRequested)
	return nil
}

// withdraw ends the viewer's change.
func (p *emailChangePages) withdraw(w http.ResponseWriter, r *http.Request) error {
	if err := p.changes.Withdraw(r.Context(), identityOf(r).userID); err != nil {
		return err
	}
	redirect(w, r, "/settings?notice="+noticeEmailKept)
	return nil
}

// show shows the buttons that confirm or stop a change. A GET request does neither, since mail
// programs and scanners open links.
func (p *emailChangePages) show(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	change, err := p.changes.ByToken(r.Context(), r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpired(w, r)
	}
	if err != nil {
		return err
	}
	path := "/email/" + r.PathValue("token")
	return render(w, r, http.StatusOK, authviews.EmailChangePage(authviews.EmailChangePageProps{
		Layout: p.layout(r, layout.SectionNone), State: verifyState(r, change.UserID), NewEmail: change.NewEmail,
		Action: path, StopAction: path + "/stop", LoginHref: withNext("/login", path),
	}))
}

// verifyState tells whether the viewer can confirm what a link to a person is about.
func verifyState(r *http.Request, userID string) authviews.VerifyState {
	switch identityOf(r).userID {
	case userID:
		return authviews.VerifyReady
	case "":
		return authviews.VerifySignedOut
	}
	return authviews.VerifyOtherAccount
}

func (p *emailChangePages) showExpired(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusNotFound, authviews.ExpiredLinkPage(authviews.LinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Link: toDashboard(r.Context()),
	}))
}

// confirm confirms a change for one of the two addresses.
func (p *emailChangePages) confirm(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	changed, err := p.changes.Confirm(r.Context(), identityOf(r).userID, r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpired(w, r)
	}
	if err != nil {
		return err
	}
	notice := noticeEmailHalfway
	if changed {
		notice = noticeEmailChanged
	}
	redirect(w, r, "/settings?notice="+notice)
	return nil
}

// stop ends a change. Whoever has the link may, since it can have been sent to a stranger.
func (p *emailChangePages) stop(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	err := p.changes.Stop(r.Context(), r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpired(w, r)
	}
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, authviews.EmailChangeStoppedPage(authviews.LinkPageProps{Layout: p.layout(r, layout.SectionNone), Link: toDashboard(r.Context())}))
}
