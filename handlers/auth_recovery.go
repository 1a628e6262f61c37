package handlers

import (
	"context"
	"log/slog"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// protectTokenPage keeps a page with a token in its URL out of caches, and the URL out of the
// Referer header: strict-origin sends only the origin. no-referrer would make browsers send Origin:
// null with the page's own form, which is refused if Sec-Fetch-Site is missing.
func protectTokenPage(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "strict-origin")
}

// showForgotPassword shows the form that requests a reset link.
func (p *authPages) showForgotPassword(w http.ResponseWriter, r *http.Request) error {
	if p.signInPolicy.PasswordsOff {
		redirect(w, r, "/login?notice="+noticePasswordsOff)
		return nil
	}
	return render(w, r, http.StatusOK, authviews.ForgotPage(authviews.ForgotPageProps{
		Layout: p.layout(r, layout.SectionNone), Sent: r.URL.Query().Get("sent") == "true", MailHref: p.mailHref,
	}))
}

// requestPasswordReset sends a reset link. The response is the same whether or not the address is
// known.
func (p *authPages) requestPasswordReset(w http.ResponseWriter, r *http.Request) error {
	email := r.PostFormValue("email")
	err := p.recovery.Request(r.Context(), email)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return render(w, r, http.StatusUnprocessableEntity, authviews.ForgotPage(authviews.ForgotPageProps{
			Layout: p.layout(r, layout.SectionNone), Email: email, Error: invalid["email"],
		}))
	}
	if err != nil {
		return err
	}
	p.security.record(r, eventTokenRequested, slog.String("purpose", string(account.TokenReset)), slog.String("email", maskEmail(email)))
	redirect(w, r, "/forgot?sent=true")
	return nil
}

// showPasswordReset shows the form for the new password. A GET request does not use up the link,
// since mail programs prefetch links.
func (p *authPages) showPasswordReset(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	if p.signInPolicy.PasswordsOff {
		redirect(w, r, "/login?notice="+noticePasswordsOff)
		return nil
	}
	email, err := p.recovery.ResetAddress(r.Context(), r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpiredLink(w, r)
	}
	if err != nil {
		return err
	}
	return p.renderPasswordReset(w, r, http.StatusOK, email, "")
}

func (p *authPages) renderPasswordReset(w http.ResponseWriter, r *http.Request, status int, email, invalid string) error {
	return render(w, r, status, authviews.ResetPage(authviews.ResetPageProps{
		Layout: p.layout(r, layout.SectionNone), Action: "/reset/" + r.PathValue("token"), Email: email, Error: invalid,
	}))
}

// showExpiredLink offers to send another link.
func (p *authPages) showExpiredLink(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusNotFound, authviews.ExpiredLinkPage(authviews.LinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Link: ui.LinkButtonProps{Label: locale.T(r.Context(), "Ask for a new link"), Href: "/forgot"},
	}))
}

// resetPassword sets the new password and redirects to the log-in page. It does not sign the
// user in, but the browser is known from then on: whoever has the link is the owner, and must get
// in while others guess.
func (p *authPages) resetPassword(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	ctx, token := r.Context(), r.PathValue("token")
	email, err := p.recovery.ResetAddress(ctx, token)
	if err == nil {
		err = p.recovery.ResetPassword(ctx, token, r.PostFormValue("password"))
	}
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		p.security.record(r, eventTokenRefused, slog.String("purpose", string(account.TokenReset)))
		return p.showExpiredLink(w, r)
	}
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPasswordReset(w, r, http.StatusUnprocessableEntity, email, invalid["password"])
	}
	if err != nil {
		return err
	}
	if user, err := p.users.ByEmail(ctx, email); err == nil {
		p.devices.remember(w, r, user)
	}
	p.security.record(r, eventTokenUsed, slog.String("purpose", string(account.TokenReset)))
	redirect(w, r, "/login?notice="+noticePasswordSet)
	return nil
}

// showVerification shows the button that confirms an e-mail address. A GET request confirms
// nothing, since mail programs and scanners open links.
func (p *authPages) showVerification(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	user, err := p.recovery.VerifyAddress(r.Context(), r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.showExpiredVerification(w, r)
	}
	if err != nil {
		return err
	}
	path := "/verify/" + r.PathValue("token")
	return render(w, r, http.StatusOK, authviews.VerifyPage(authviews.VerifyPageProps{
		Layout: p.layout(r, layout.SectionNone), State: verifyState(r, user.ID), Email: user.Email, Action: path, LoginHref: withNext("/login", path),
	}))
}

func (p *authPages) showExpiredVerification(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusNotFound, authviews.ExpiredLinkPage(authviews.LinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Link: toDashboard(r.Context()),
	}))
}

func toDashboard(ctx context.Context) ui.LinkButtonProps {
	return ui.LinkButtonProps{Label: locale.T(ctx, "To the dashboard"), Href: "/dashboard"}
}

// verifyEmail marks the e-mail address of the signed-in user as verified.
func (p *authPages) verifyEmail(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	err := p.recovery.VerifyEmail(r.Context(), identityOf(r).userID, r.PathValue("token"))
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		p.security.record(r, eventTokenRefused, slog.String("purpose", string(account.TokenVerify)))
		return p.showExpiredVerification(w, r)
	}
	if err != nil {
		return err
	}
	p.security.record(r, eventTokenUsed, slog.String("purpose", string(account.TokenVerify)))
	return render(w, r, http.StatusOK, authviews.VerifiedPage(authviews.LinkPageProps{Layout: p.layout(r, layout.SectionNone), Link: toDashboard(r.Context())}))
}
