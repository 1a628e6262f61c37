package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// authPages are the pages for signing up, signing in and resetting a password.
type authPages struct {
	*site
	checkout *checkoutPages
	users    *account.Users
	factors  *account.SecondFactors
	passkeys *account.Passkeys
	recovery *account.Recovery
	mailHref string // the page with unsent e-mails; empty: there is none
}

// showSignUp shows the sign-up form. A signed-in viewer is redirected.
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
		Provider: p.providerForm(r.Context(), next), InviteOnly: p.signInPolicy.InviteOnly, PasswordsOff: p.signInPolicy.PasswordsOff,
	}
}

// signUp creates the account and its organization, signs the user in and redirects.
func (p *authPages) signUp(w http.ResponseWriter, r *http.Request) error {
	form := account.SignUp{
		Name: r.PostFormValue("name"), Email: r.PostFormValue("email"),
		Password: r.PostFormValue("password"), Organization: r.PostFormValue("organization"),
		Language: string(locale.Of(r.Context())),
	}
	next := nextPath(r)
	user, organization, err := p.users.SignUp(r.Context(), form)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.refuseSignUp(w, r, form, next, invalid)
	}
	if err != nil {
		return err
	}
	p.security.record(r, eventUserCreated, slog.String("user_id", user.ID))
	return p.signInAndContinue(w, r, user, organization.ID, next, firstFactor{methodPassword, p.now()})
}

func (p *authPages) refuseSignUp(w http.ResponseWriter, r *http.Request, form account.SignUp, next string, invalid map[string]string) error {
	props := p.signUpProps(r, next)
	props.Name, props.Email, props.Organization = form.Name, form.Email, form.Organization
	props.Errors = authviews.SignupErrors{
		Name: invalid["name"], Email: invalid["email"], Password: invalid["password"], Organization: invalid["organization"],
	}
	return render(w, r, http.StatusUnprocessableEntity, authviews.SignupPage(props))
}

// showLogIn shows the log-in form. A signed-in viewer is redirected.
func (p *authPages) showLogIn(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if identityOf(r).signedIn() {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.LoginPage(p.logInProps(r, next)))
}

func (p *authPages) logInProps(r *http.Request, next string) authviews.LoginPageProps {
	props := authviews.LoginPageProps{
		Layout: p.layout(r, layout.SectionNone), Intent: p.planIntent(r.Context(), next),
		Fields: []ui.Hidden{{Name: "next", Value: next}}, SignupHref: withNext("/signup", next),
		Provider: p.providerForm(r.Context(), next), PasswordsOff: p.signInPolicy.PasswordsOff,
	}
	if p.passkeys.SignsIn() {
		props.Passkey = passkeyFormFor(passkeyLogInPath, next, "")
	}
	return props
}

// logIn signs the user in and redirects.
func (p *authPages) logIn(w http.ResponseWriter, r *http.Request) error {
	email, next := r.PostFormValue("email"), nextPath(r)
	stateOf(r).maskedEmail = maskEmail(email)
	user, err := p.users.LogIn(r.Context(), email, r.PostFormValue("password"))
	if apperr.CodeOf(err) == apperr.CodeUnprocessable {
		stateOf(r).err = err
		p.security.logInFailed(r, err)
		props := p.logInProps(r, next)
		props.Email, props.Errors.Form = email, messageIn(r.Context(), err)
		return render(w, r, http.StatusUnprocessableEntity, authviews.LoginPage(props))
	}
	if err != nil {
		return err
	}
	organizationID, err := p.sessions.organizations.LastVisited(r.Context(), user.ID)
	if err != nil {
		return err
	}
	return p.signInAndContinue(w, r, user, organizationID, next, firstFactor{methodPassword, p.now()})
}

// logOut deletes the session here and in the browser.
func (p *authPages) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	if identityOf(r).signedIn() {
		p.security.record(r, eventSessionEnded, slog.String("reason", "log_out"))
	}
	clearSiteData(w)
	redirect(w, r, "/login?notice="+noticeSignedOut)
	return nil
}

// continueAfterSignIn redirects to the page the user came for, to Checkout for the saved selection,
// or to the dashboard. It clears the selection.
func (p *authPages) continueAfterSignIn(w http.ResponseWriter, r *http.Request, next string) error {
	ctx := r.Context()
	selected, saved := p.checkout.savedSelection(ctx)
	p.checkout.clearSelection(ctx)
	if !saved || next != "" {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	to, err := p.startSavedCheckout(ctx, selected)
	if err == nil && to == securityPath {
		redirect(w, r, to)
		return nil
	}
	if err == nil {
		return p.redirectToStripe(w, r, to)
	}
	stateOf(r).err = err
	to = "/organization?tab=billing&notice=" + checkoutNotice(err)
	if errors.Is(err, billing.ErrPromotionCodeRefused) {
		to = selected.refusedPath()
	}
	redirect(w, r, to)
	return nil
}

// startSavedCheckout opens Checkout for the user who has just signed in. Whoever has to set up
// two-step verification before goes there, and chooses again.
func (p *authPages) startSavedCheckout(ctx context.Context, c selection) (string, error) {
	viewer, err := p.sessions.identify(ctx)
	if err != nil {
		return "", err
	}
	if err := billingAdmin.authorize(viewer); err != nil {
		return "", err
	}
	if p.needsSecondFactor(route{policy: billingAdmin}, viewer) {
		return securityPath, nil
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

// planIntent returns the plan or pack that Checkout follows for; nil if the user goes to another
// page first.
func (p *authPages) planIntent(ctx context.Context, next string) *authviews.PlanIntent {
	selected, saved := p.checkout.savedSelection(ctx)
	if !saved || next != "" {
		return nil
	}
	if selected.pack.ID != "" {
		return &authviews.PlanIntent{Plan: selected.pack.Name, Price: selected.pack.Price.Amount, Code: selected.code}
	}
	plan := selected.plan
	price, _ := plan.Price(selected.interval)
	return &authviews.PlanIntent{
		Plan: plan.Name, Interval: selected.interval, Price: price.Amount, PerSeat: plan.PerSeat, TrialDays: plan.TrialDays, People: selected.people,
		First: price.Amount.Times(plan.Quantity(1)), Total: price.Amount.Times(plan.Quantity(selected.people)), Code: selected.code,
	}
}

// nextPath returns the local path in the form field or query parameter next; empty if it is a
// sign-in page.
func nextPath(r *http.Request) string {
	next := localPath(r.FormValue("next"))
	u, err := url.Parse(next)
	if err != nil || u.Path == "/login" || u.Path == "/signup" || u.Path == recentPath {
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
