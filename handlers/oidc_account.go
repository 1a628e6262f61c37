package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

func isInvitation(next string) bool { return strings.HasPrefix(next, "/invite/") }

// showSignUpForm asks a new person for what an account needs besides the identity.
func (p *oidcPages) showSignUpForm(w http.ResponseWriter, r *http.Request) error {
	said, waits := p.sessions.assertion(r.Context())
	if !waits || identityOf(r).signedIn() {
		redirect(w, r, withNext("/login", nextPath(r)))
		return nil
	}
	return p.renderSignUpForm(w, r, http.StatusOK, authviews.ProviderSignUpPageProps{Name: said.Name}, said)
}

func (p *oidcPages) renderSignUpForm(w http.ResponseWriter, r *http.Request, status int, props authviews.ProviderSignUpPageProps, said account.Assertion) error {
	next := nextPath(r)
	w.Header().Set("Cache-Control", "no-store")
	joins, _, err := p.domainMembers.Organization(r.Context(), said)
	if err != nil {
		return err
	}
	props.Joins = joins.Name
	props.Layout, props.Provider, props.Email = p.layout(r, layout.SectionNone), p.identityProvider(), said.Email
	props.Fields = []ui.Hidden{{Name: "next", Value: next}}
	if props.Joins == "" {
		props.Intent = p.planIntent(r.Context(), next)
	}
	return render(w, r, status, authviews.ProviderSignUpPage(props))
}

// signUp creates the account of a new person and signs them in. Whoever joins the organization of
// their domain founds none.
func (p *oidcPages) signUp(w http.ResponseWriter, r *http.Request) error {
	ctx, next := r.Context(), nextPath(r)
	said, waits := p.sessions.assertion(ctx)
	if !waits || identityOf(r).signedIn() { // sent twice, or late
		redirect(w, r, withNext("/login", next))
		return nil
	}
	name, organization := r.PostFormValue("name"), r.PostFormValue("organization")
	user, err := p.domainMembers.Join(ctx, said, name)
	switch {
	case err == nil:
		return p.welcome(w, r, user, next, said)
	case apperr.CodeOf(err) == apperr.CodeConflict:
		return p.showProblem(w, r, pendingFlow{Next: next}, err)
	}
	var founded account.Organization
	if errors.Is(err, account.ErrNoDomain) {
		user, founded, err = p.identities.SignUp(ctx, said, name, organization)
	}
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 || apperr.CodeOf(err) == apperr.CodeForbidden {
		stateOf(r).err = err
		return p.renderSignUpForm(w, r, refusalStatus(err), authviews.ProviderSignUpPageProps{
			Name: name, Organization: organization,
			Errors: authviews.SignupErrors{Form: formMessage(r.Context(), err) + invalid["email"], Name: invalid["name"], Organization: invalid["organization"]},
		}, said)
	}
	if err != nil {
		return err
	}
	p.sessions.forgetAssertion(ctx)
	p.security.record(r, eventUserCreated, slog.String("user_id", user.ID))
	return p.signInAndContinue(w, r, user, founded.ID, next, firstFactor{method: methodOIDC, at: said.AuthenticatedAt})
}

// showLink is for a person whose identity has the address of an account that it is not linked to:
// signed out, it leads to the log-in; signed in, it asks whether to link the identity.
func (p *oidcPages) showLink(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	said, waits := p.sessions.assertion(r.Context())
	if !waits {
		redirect(w, r, withNext("/login", next))
		return nil
	}
	viewer := identityOf(r)
	w.Header().Set("Cache-Control", "no-store")
	return render(w, r, http.StatusOK, authviews.ProviderLinkPage(authviews.ProviderLinkPageProps{
		Layout: p.layout(r, layout.SectionNone), Provider: p.identityProvider(), Email: said.Email, SignedInAs: viewer.access.User.Email,
		PasswordsOff: p.signInPolicy.PasswordsOff, LoginHref: withNext("/login", withNext(oidcLinkPath, next)), Next: next,
	}))
}

// link links the identity that waits to the viewer's account.
func (p *oidcPages) link(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	said, waits := p.sessions.assertion(ctx)
	if !waits {
		redirect(w, r, securityPath)
		return nil
	}
	p.sessions.forgetAssertion(ctx)
	return p.linkTo(w, r, pendingFlow{Purpose: flowLink, Next: nextPath(r)}, said)
}

// linkNew links the identity of a flow that the viewer began in the settings.
func (p *oidcPages) linkNew(w http.ResponseWriter, r *http.Request, f pendingFlow, said account.Assertion) error {
	if !p.sessions.recentlyAuthenticated(r.Context()) {
		redirect(w, r, withNext(recentPath, securityPath))
		return nil
	}
	return p.linkTo(w, r, f, said)
}

func (p *oidcPages) linkTo(w http.ResponseWriter, r *http.Request, f pendingFlow, said account.Assertion) error {
	if err := p.identities.Link(r.Context(), identityOf(r).userID, said); err != nil {
		return p.showProblem(w, r, f, err)
	}
	if _, err := p.takeOver(r, identityOf(r).userID, f.Next, said); err != nil {
		return err
	}
	if f.Next != "" {
		redirect(w, r, f.Next)
		return nil
	}
	redirect(w, r, securityPath+"?notice="+noticeIdentityLinked)
	return nil
}

// unlink removes an identity of the viewer.
func (p *oidcPages) unlink(w http.ResponseWriter, r *http.Request) error {
	err := p.identities.Unlink(r.Context(), identityOf(r).userID, r.PostFormValue("issuer"), r.PostFormValue("subject"))
	switch apperr.CodeOf(err) {
	case "":
		redirect(w, r, securityPath+"?notice="+noticeIdentityUnlinked)
		return nil
	case apperr.CodeNotFound: // unlinked in another tab
		redirect(w, r, securityPath)
		return nil
	case apperr.CodeConflict:
		redirect(w, r, securityPath+"?notice="+noticeIdentityKept)
		return nil
	}
	return err
}

// sendFirstPassword sends the link that sets a password to a person who has none.
func (p *oidcPages) sendFirstPassword(w http.ResponseWriter, r *http.Request) error {
	if err := p.recovery.RequestFirstPassword(r.Context(), identityOf(r).userID); err != nil {
		return err
	}
	p.security.record(r, eventTokenRequested, slog.String("purpose", string(account.TokenReset)))
	redirect(w, r, securityPath+"?notice="+noticePasswordLinkSent)
	return nil
}

// signInProps returns what the page about the account's security says about passwords and
// identities.
func (s *site) signInProps(r *http.Request) (authviews.SignInProps, error) {
	viewer := identityOf(r)
	props := authviews.SignInProps{
		Provider: s.identityProvider(), HasPassword: viewer.access.User.HasPassword(), PasswordsOff: s.signInPolicy.PasswordsOff,
	}
	identities, err := s.identities.OfUser(r.Context(), viewer.userID)
	if err != nil {
		return props, err
	}
	for _, identity := range identities {
		props.Identities = append(props.Identities, authviews.IdentityRow{
			Provider: account.IssuerHost(identity.Issuer), Email: identity.Email, Since: identity.CreatedAt,
			Fields: []ui.Hidden{{Name: "issuer", Value: identity.Issuer}, {Name: "subject", Value: identity.Subject}},
		})
	}
	return props, nil
}

// withIdentity reports whether an invitation is accepted with the identity that waits for an
// account.
func withIdentity(r *http.Request) bool { return r.PostFormValue("with") == "identity" }

// providerForm is the form that begins a sign-in and comes back to a page; its zero value if there
// is no provider.
func (s *site) providerForm(ctx context.Context, next string) authviews.ProviderFormProps {
	if s.provider == nil {
		return authviews.ProviderFormProps{}
	}
	return authviews.ProviderFormProps{Action: oidcPath, Label: locale.T(ctx, "Continue with %s", s.identityProvider()), Next: next}
}
