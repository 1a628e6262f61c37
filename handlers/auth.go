package handlers

import (
	"context"
	"net/http"
	"net/url"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/ui"
)

// authPages are the pages for signing up, signing in and resetting a password.
type authPages struct {
	*site
	checkout *checkoutPages
	users    *account.Users
	recovery *account.Recovery
	mailHref string // the page with unsent e-mails; empty: there is none
}

// showSignUp shows the form, and where one goes from it.
func (p *authPages) showSignUp(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.SignupPage(p.signUpProps(r, next)))
}

func (p *authPages) signUpProps(r *http.Request, next string) authviews.SignupPageProps {
	return authviews.SignupPageProps{
		Layout: p.layout(r, layout.SectionNone), Intent: p.planIntent(r.Context(), next),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, LoginHref: withNext("/login", next),
	}
}

// createAccount signs up, signs in, and leads on.
func (p *authPages) signUp(w http.ResponseWriter, r *http.Request) error {
	form := account.SignUp{
		Name: r.PostFormValue("name"), Email: r.PostFormValue("email"),
		Password: r.PostFormValue("password"), Organization: r.PostFormValue("organization"),
	}
	next := nextPath(r)
	user, organization, err := p.users.SignUp(r.Context(), form)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return p.refuseSignUp(w, r, form, next, wrong)
	}
	if err != nil {
		return err
	}
	if err := p.sessions.signIn(r.Context(), user.ID, organization.ID); err != nil {
		return err
	}
	return p.continueAfterSignIn(w, r, next)
}

func (p *authPages) refuseSignUp(w http.ResponseWriter, r *http.Request, form account.SignUp, next string, wrong map[string]string) error {
	props := p.signUpProps(r, next)
	props.Name, props.Email, props.Organization = form.Name, form.Email, form.Organization
	props.Errors = authviews.SignupErrors{
		Name: wrong["name"], Email: wrong["email"], Password: wrong["password"], Organization: wrong["organization"],
	}
	return render(w, r, http.StatusUnprocessableEntity, authviews.SignupPage(props))
}

// showLogIn shows the form, and where one goes from it.
func (p *authPages) showLogIn(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.LoginPage(p.logInProps(r, next)))
}

func (p *authPages) logInProps(r *http.Request, next string) authviews.LoginPageProps {
	return authviews.LoginPageProps{
		Layout: p.layout(r, layout.SectionNone), Intent: p.planIntent(r.Context(), next),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, SignupHref: withNext("/signup", next),
	}
}

// logIn signs in, and leads on.
func (p *authPages) logIn(w http.ResponseWriter, r *http.Request) error {
	email, next := r.PostFormValue("email"), nextPath(r)
	user, err := p.users.LogIn(r.Context(), email, r.PostFormValue("password"))
	if apperr.CodeOf(err) == apperr.CodeUnprocessable {
		props := p.logInProps(r, next)
		props.Email, props.Errors.Form = email, apperr.MessageOf(err)
		return render(w, r, http.StatusUnprocessableEntity, authviews.LoginPage(props))
	}
	if err != nil {
		return err
	}
	organizationID, err := p.sessions.firstOrganization(r.Context(), user.ID)
	if err != nil {
		return err
	}
	if err := p.sessions.signIn(r.Context(), user.ID, organizationID); err != nil {
		return err
	}
	return p.continueAfterSignIn(w, r, next)
}

// logOut ends the session at once, here and in the browser.
func (p *authPages) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	redirect(w, r, "/login?notice="+noticeSignedOut)
	return nil
}

// leadOn goes where a person who has just signed in wanted to: to the page they came for, to Checkout for the plan they had chosen, or
// to the dashboard. The choice is used up.
func (p *authPages) continueAfterSignIn(w http.ResponseWriter, r *http.Request, next string) error {
	ctx := r.Context()
	chosen, waiting := p.checkout.savedSelection(ctx)
	p.checkout.clearSelection(ctx)
	if !waiting || next != "" {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	to, err := p.startSavedCheckout(ctx, chosen)
	if err != nil {
		stateOf(r).err = err
		to = "/organization?tab=billing&notice=" + checkoutNotice(err)
	}
	redirect(w, r, to)
	return nil
}

// checkoutFor opens Checkout for whoever is signed in by now.
func (p *authPages) startSavedCheckout(ctx context.Context, c selection) (string, error) {
	viewer, err := p.sessions.identify(ctx)
	if err != nil {
		return "", err
	}
	if err := billingAdmin.authorize(viewer); err != nil {
		return "", err
	}
	session, err := p.checkout.start(ctx, viewer.access, c)
	return session.URL, err
}

func checkoutNotice(err error) string {
	switch apperr.CodeOf(err) {
	case apperr.CodeForbidden:
		return noticeForbidden
	case apperr.CodeConflict:
		return noticeSubscribed
	}
	return noticeUnavailable
}

// intent is the plan or pack that Checkout follows for, where no other page was asked for since.
func (p *authPages) planIntent(ctx context.Context, next string) *authviews.PlanIntent {
	chosen, waiting := p.checkout.savedSelection(ctx)
	if !waiting || next != "" {
		return nil
	}
	if chosen.pack.ID != "" {
		return &authviews.PlanIntent{Plan: chosen.pack.Name}
	}
	return &authviews.PlanIntent{Plan: chosen.plan.Name, Interval: chosen.interval}
}

// nextPath returns the page of this site that a form or its address asks for, and nothing where that is the form itself.
func nextPath(r *http.Request) string {
	next := localPath(r.FormValue("next"))
	u, err := url.Parse(next)
	if err != nil || u.Path == "/login" || u.Path == "/signup" {
		return ""
	}
	return next
}

func withNext(path, next string) string {
	if next == "" {
		return path
	}
	return path + "?" + url.Values{"next": {next}}.Encode()
}

func nextOrDashboard(next string) string {
	if next == "" {
		return "/dashboard"
	}
	return next
}
