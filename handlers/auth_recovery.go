package handlers

import (
	"net/http"

	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/ui"
)

// protectTokenPage keeps a page whose address holds a token out of caches, and its address out of every Referer: strict-origin sends the
// origin alone. no-referrer would too, but makes browsers write 'Origin: null' on the page's own form, which is then refused where
// Sec-Fetch-Site is missing.
func protectTokenPage(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "strict-origin")
}

// showForgot asks for the address.
func (p *authPages) showForgotPassword(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, authviews.ForgotPage(authviews.ForgotPageProps{
		Layout: p.layout(r, layout.SectionNone), Sent: r.URL.Query().Get("sent") == "true", MailHref: p.mailHref,
	}))
}

// requestRecovery has a link mailed. What it answers does not depend on whether the address is known.
func (p *authPages) requestPasswordReset(w http.ResponseWriter, r *http.Request) error {
	email := r.PostFormValue("email")
	err := p.recovery.Request(r.Context(), email)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return render(w, r, http.StatusUnprocessableEntity, authviews.ForgotPage(authviews.ForgotPageProps{
			Layout: p.layout(r, layout.SectionNone), Email: email, Error: wrong["email"],
		}))
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/forgot?sent=true")
	return nil
}

// showReset asks for the new password. Looking does not spend the link: mail programs look too.
func (p *authPages) showPasswordReset(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	email, err := p.recovery.ResetAddress(r.Context(), r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpiredLink(w, r)
	}
	if err != nil {
		return err
	}
	return p.renderPasswordReset(w, r, http.StatusOK, email, "")
}

func (p *authPages) renderPasswordReset(w http.ResponseWriter, r *http.Request, status int, email, wrong string) error {
	return render(w, r, status, authviews.ResetPage(authviews.ResetPageProps{
		Layout: p.layout(r, layout.SectionNone), Action: "/reset/" + r.PathValue("token"), Email: email, Error: wrong,
	}))
}

// showSpentLink offers another link, since whoever comes here wanted a new password.
func (p *authPages) showExpiredLink(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusNotFound, authviews.ExpiredLinkPage(authviews.LinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Link: ui.LinkButtonProps{Label: "Ask for a new link", Href: "/forgot"},
	}))
}

// resetPassword sets the new password and leads to the log-in page: the link alone signs nobody in.
func (p *authPages) resetPassword(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	token := r.PathValue("token")
	err := p.recovery.ResetPassword(r.Context(), token, r.PostFormValue("password"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpiredLink(w, r)
	}
	if wrong := fieldMessages(err); len(wrong) > 0 {
		email, err := p.recovery.ResetAddress(r.Context(), token)
		if err != nil {
			return err
		}
		return p.renderPasswordReset(w, r, http.StatusUnprocessableEntity, email, wrong["password"])
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/login?notice="+noticePasswordSet)
	return nil
}

// verifyEmail notes that the address is its owner's.
func (p *authPages) verifyEmail(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	err := p.recovery.VerifyEmail(r.Context(), r.PathValue("token"))
	props := authviews.LinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Link: ui.LinkButtonProps{Label: "Go on to the dashboard", Href: "/dashboard"},
	}
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return render(w, r, http.StatusNotFound, authviews.ExpiredLinkPage(props))
	}
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, authviews.VerifiedPage(props))
}
