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

// showSignUp shows the form, and where one goes from it.
func (s *server) showSignUp(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		s.redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.SignupPage(s.signUpProps(r, next)))
}

func (s *server) signUpProps(r *http.Request, next string) authviews.SignupPageProps {
	return authviews.SignupPageProps{
		Layout: s.layout(r, layout.SectionNone), Intent: s.intent(r.Context(), next),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, LoginHref: withNext("/login", next),
	}
}

// createAccount signs up, signs in, and leads on.
func (s *server) createAccount(w http.ResponseWriter, r *http.Request) error {
	form := account.SignUp{
		Name: r.PostFormValue("name"), Email: r.PostFormValue("email"),
		Password: r.PostFormValue("password"), Organization: r.PostFormValue("organization"),
	}
	next := nextPath(r)
	user, organization, err := s.billing.Users.SignUp(r.Context(), form)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.refuseSignUp(w, r, form, next, wrong)
	}
	if err != nil {
		return err
	}
	if err := s.enter(r.Context(), user.ID, organization.ID); err != nil {
		return err
	}
	return s.leadOn(w, r, next)
}

func (s *server) refuseSignUp(w http.ResponseWriter, r *http.Request, form account.SignUp, next string, wrong map[string]string) error {
	props := s.signUpProps(r, next)
	props.Name, props.Email, props.Organization = form.Name, form.Email, form.Organization
	props.Errors = authviews.SignupErrors{
		Name: wrong["name"], Email: wrong["email"], Password: wrong["password"], Organization: wrong["organization"],
	}
	return render(w, r, http.StatusUnprocessableEntity, authviews.SignupPage(props))
}

// showLogIn shows the form, and where one goes from it.
func (s *server) showLogIn(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		s.redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.LoginPage(s.logInProps(r, next)))
}

func (s *server) logInProps(r *http.Request, next string) authviews.LoginPageProps {
	return authviews.LoginPageProps{
		Layout: s.layout(r, layout.SectionNone), Intent: s.intent(r.Context(), next),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, SignupHref: withNext("/signup", next),
	}
}

// logIn signs in, and leads on.
func (s *server) logIn(w http.ResponseWriter, r *http.Request) error {
	email, next := r.PostFormValue("email"), nextPath(r)
	user, err := s.billing.Users.LogIn(r.Context(), email, r.PostFormValue("password"))
	if apperr.CodeOf(err) == apperr.CodeUnprocessable {
		props := s.logInProps(r, next)
		props.Email, props.Errors.Form = email, apperr.MessageOf(err)
		return render(w, r, http.StatusUnprocessableEntity, authviews.LoginPage(props))
	}
	if err != nil {
		return err
	}
	organizationID, err := s.firstOrganization(r.Context(), user.ID)
	if err != nil {
		return err
	}
	if err := s.enter(r.Context(), user.ID, organizationID); err != nil {
		return err
	}
	return s.leadOn(w, r, next)
}

// logOut ends the session at once, here and in the browser.
func (s *server) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	s.redirect(w, r, "/login?notice="+noticeSignedOut)
	return nil
}

// leadOn goes where a person who has just signed in wanted to: to the page they came for, to Checkout for the plan they had chosen, or
// to the dashboard. The choice is used up.
func (s *server) leadOn(w http.ResponseWriter, r *http.Request, next string) error {
	ctx := r.Context()
	chosen, waiting := s.keptChoice(ctx)
	s.forgetChoice(ctx)
	if !waiting || next != "" {
		s.redirect(w, r, nextOrDashboard(next))
		return nil
	}
	to, err := s.checkoutFor(ctx, chosen)
	if err != nil {
		stateOf(r).err = err
		to = "/organization?tab=billing&notice=" + checkoutNotice(err)
	}
	s.redirect(w, r, to)
	return nil
}

// checkoutFor opens Checkout for whoever is signed in by now.
func (s *server) checkoutFor(ctx context.Context, c selection) (string, error) {
	viewer, err := s.identify(ctx)
	if err != nil {
		return "", err
	}
	if err := billingAdmin.authorize(viewer); err != nil {
		return "", err
	}
	session, err := s.startCheckout(ctx, viewer.access, c)
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
func (s *server) intent(ctx context.Context, next string) *authviews.PlanIntent {
	chosen, waiting := s.keptChoice(ctx)
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
