package handlers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"usher/billing/account"
	"usher/billing/account/oidc"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/locale"
)

const (
	oidcPath         = "/login/oidc"
	oidcCallbackPath = oidcPath + "/callback"
	oidcSignUpPath   = oidcPath + "/signup"
	oidcLinkPath     = oidcPath + "/link"
)

// providerRounds bounds the rounds to the identity provider and back.
var providerRounds = rateLimit{Limit: account.Limit{Name: "identity provider", Max: 120, Per: 15 * time.Minute}, key: (*server).clientNetwork}

// oidcPages sign people in with their identity at an OpenID provider.
type oidcPages struct {
	*authPages
	domainMembers *account.DomainMembers
}

// identityProvider returns the provider's name for the pages; empty: there is none.
func (s *site) identityProvider() string {
	if s.provider == nil {
		return ""
	}
	return s.provider.Host()
}

// show is the page with the button that begins a sign-in. A GET request begins none.
func (p *oidcPages) show(w http.ResponseWriter, r *http.Request) error {
	next := nextPath(r)
	if p.provider == nil {
		redirect(w, r, withNext("/login", next))
		return nil
	}
	if identityOf(r).signedIn() {
		redirect(w, r, nextOrDashboard(next))
		return nil
	}
	return render(w, r, http.StatusOK, authviews.ProviderPage(authviews.ProviderPageProps{
		Layout: p.layout(r, layout.SectionNone), Intent: p.planIntent(r.Context(), next), Provider: p.identityProvider(), Next: next,
	}))
}

// begin sends the browser to the provider.
func (p *oidcPages) begin(w http.ResponseWriter, r *http.Request) error {
	return p.beginFlow(w, r, pendingFlow{Purpose: flowSignIn, Next: nextPath(r)})
}

// beginConfirmation sends the browser to the provider to authenticate the signed-in person anew.
func (p *oidcPages) beginConfirmation(w http.ResponseWriter, r *http.Request) error {
	return p.beginFlow(w, r, pendingFlow{Purpose: flowConfirm, UserID: identityOf(r).userID, Next: nextPath(r)})
}

// beginLink sends the browser to the provider for an identity to link.
func (p *oidcPages) beginLink(w http.ResponseWriter, r *http.Request) error {
	return p.beginFlow(w, r, pendingFlow{Purpose: flowLink, UserID: identityOf(r).userID})
}

// beginFlow answers with a page that leads on by itself, and not with a redirect: the
// Content-Security-Policy names where forms may lead, redirects included, and providers send people
// on to hosts that only they know.
func (p *oidcPages) beginFlow(w http.ResponseWriter, r *http.Request, f pendingFlow) error {
	if p.provider == nil {
		p.leave(w, r)
		return nil
	}
	f.Flow = p.provider.NewFlow(f.Purpose == flowConfirm)
	address, err := p.provider.Begin(r.Context(), f.Flow)
	if err != nil {
		return p.showProblem(w, r, f, err)
	}
	if err := p.sessions.keepFlow(r.Context(), f); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Refresh", "0; url="+address)
	return render(w, r, http.StatusOK, authviews.ProviderRedirectPage(authviews.ProviderRedirectPageProps{
		Layout: p.layout(r, layout.SectionNone), Provider: p.identityProvider(), Href: address,
	}))
}

// leave leads on where there is no provider: the page was open when it was configured.
func (p *oidcPages) leave(w http.ResponseWriter, r *http.Request) {
	if identityOf(r).signedIn() {
		redirect(w, r, "/settings")
		return
	}
	redirect(w, r, "/login")
}

var (
	errFlowUnknown  = errors.New("the flow was not begun in this session, was used or took too long")
	errFlowCanceled = errors.New("the person canceled at the provider")
	errFlowPerson   = errors.New("another person is signed in than the one who began")
)

// callback is where the provider sends the browser back to. The state is that of a flow begun in
// the same session, so that nobody can be signed in to another person's account by a link. A HEAD
// request uses nothing up.
func (p *oidcPages) callback(w http.ResponseWriter, r *http.Request) error {
	if p.provider == nil {
		p.leave(w, r)
		return nil
	}
	protectTokenPage(w)
	if r.Method == http.MethodHead {
		return nil
	}
	f, found, err := p.sessions.takeFlow(r.Context(), r.URL.Query().Get("state"))
	if err != nil {
		return err
	}
	said, err := p.finishFlow(r, f, found)
	if err != nil {
		return p.showProblem(w, r, f, err)
	}
	switch f.Purpose {
	case flowConfirm:
		return p.confirm(w, r, f, said)
	case flowLink:
		return p.linkNew(w, r, f, said)
	}
	return p.enter(w, r, f, said)
}

// finishFlow returns what the provider says about the person.
func (p *oidcPages) finishFlow(r *http.Request, f pendingFlow, found bool) (account.Assertion, error) {
	query := r.URL.Query()
	switch issuer := query.Get("iss"); {
	case !found:
		return account.Assertion{}, errFlowUnknown
	case f.UserID != "" && f.UserID != identityOf(r).userID:
		return account.Assertion{}, errFlowPerson
	case issuer != "" && issuer != p.provider.Issuer: // RFC 9207
		return account.Assertion{}, oidc.ErrRefused
	case query.Get("error") == "access_denied":
		return account.Assertion{}, errFlowCanceled
	case query.Get("code") == "":
		return account.Assertion{}, oidc.ErrRefused
	}
	return p.provider.Finish(r.Context(), f.Flow, query.Get("code"))
}

// enter signs the user of an identity in. A new person whose address is in the domain of an
// organization joins that. Any other identity without an account leads to the page where the person
// gets one, or signs in to the one with the same address.
func (p *oidcPages) enter(w http.ResponseWriter, r *http.Request, f pendingFlow, said account.Assertion) error {
	ctx := r.Context()
	user, err := p.identities.SignIn(ctx, said)
	if errors.Is(err, account.ErrUnknownIdentity) && !isInvitation(f.Next) {
		if user, err = p.domainMembers.Join(ctx, said, said.Name); err == nil {
			return p.welcome(w, r, user, f.Next, said)
		}
	}
	switch {
	case needsForm(err):
		if err := p.sessions.keepAssertion(ctx, said); err != nil {
			return err
		}
		redirect(w, r, pathForUnknown(err, f.Next))
		return nil
	case apperr.CodeOf(err) == apperr.CodeConflict: // the organization has no free seat
		return p.showProblem(w, r, f, err)
	case err != nil:
		return err
	}
	joined, err := p.takeOver(r, user.ID, f.Next, said)
	if err != nil {
		return err
	}
	if joined && f.Next == "" {
		f.Next = joinedPath
	}
	return p.continueAs(w, r, user, f.Next, said)
}

// joinedPath is the page for a person who has just become a member.
const joinedPath = "/dashboard?notice=" + noticeJoined

// needsForm reports whether a person has to fill a form in before they have an account that the
// identity signs in to.
func needsForm(err error) bool {
	return errors.Is(err, account.ErrUnknownIdentity) || errors.Is(err, account.ErrAddressInUse) ||
		errors.Is(err, account.ErrNoDomain) || apperr.CodeOf(err) == apperr.CodeUnprocessable
}

// takeOver makes the membership that a program made for the identity's address the user's. Invited
// people accept their invitation instead.
func (p *oidcPages) takeOver(r *http.Request, userID, next string, said account.Assertion) (bool, error) {
	if isInvitation(next) {
		return false, nil
	}
	return p.domainMembers.TakeOver(r.Context(), userID, said)
}

// welcome signs in a new person who has joined by the domain of their address.
func (p *oidcPages) welcome(w http.ResponseWriter, r *http.Request, user account.User, next string, said account.Assertion) error {
	p.security.record(r, eventUserCreated, slog.String("user_id", user.ID))
	return p.continueAs(w, r, user, cmp.Or(next, joinedPath), said)
}

// continueAs signs in the user of an identity, in the organization where they were last.
func (p *oidcPages) continueAs(w http.ResponseWriter, r *http.Request, user account.User, next string, said account.Assertion) error {
	organizationID, err := p.sessions.organizations.LastVisited(r.Context(), user.ID)
	if err != nil {
		return err
	}
	p.sessions.forgetAssertion(r.Context())
	return p.signInAndContinue(w, r, user, organizationID, next, firstFactor{method: methodOIDC, at: said.AuthenticatedAt})
}

// pathForUnknown returns the page for a person whose identity is not linked. Invited people go on
// to their invitation.
func pathForUnknown(cause error, next string) string {
	switch {
	case errors.Is(cause, account.ErrAddressInUse):
		return withNext(oidcLinkPath, next)
	case isInvitation(next):
		return next
	}
	return withNext(oidcSignUpPath, next)
}

// confirm records that the signed-in person was authenticated again, or goes on to the second step
// of that.
func (p *oidcPages) confirm(w http.ResponseWriter, r *http.Request, f pendingFlow, said account.Assertion) error {
	ctx, viewer := r.Context(), identityOf(r)
	if err := p.identities.Confirm(ctx, viewer.userID, said); err != nil {
		return p.showProblem(w, r, f, err)
	}
	if viewer.secondFactor {
		p.sessions.confirmAtProvider(ctx, viewer.userID)
		redirect(w, r, withNext(recentPath, f.Next))
		return nil
	}
	if err := p.sessions.authenticated(ctx, methodOIDC); err != nil {
		return err
	}
	p.security.record(r, eventLogIn, slog.String("method", methodOIDC))
	redirect(w, r, nextOrDashboard(f.Next))
	return nil
}

// showProblem says why a round to the provider led to nothing, and what to do.
func (p *oidcPages) showProblem(w http.ResponseWriter, r *http.Request, f pendingFlow, cause error) error {
	stateOf(r).err = cause
	problem, status := authviews.ProviderRefused, http.StatusBadRequest
	message := ""
	switch code := apperr.CodeOf(cause); {
	case errors.Is(cause, errFlowUnknown), errors.Is(cause, errFlowPerson):
		problem = authviews.ProviderExpired
	case errors.Is(cause, errFlowCanceled):
		problem, status = authviews.ProviderCanceled, http.StatusOK
	case errors.Is(cause, oidc.ErrUnavailable):
		problem, status = authviews.ProviderAway, http.StatusServiceUnavailable
	case errors.Is(cause, oidc.ErrNotFresh):
		problem, status = authviews.ProviderNotFresh, http.StatusForbidden
	case code == apperr.CodeConflict, code == apperr.CodeForbidden:
		problem, status, message = authviews.ProviderOther, problemOf(cause).status, messageIn(r.Context(), cause)
	case !errors.Is(cause, oidc.ErrRefused):
		return cause
	}
	if status != http.StatusOK {
		p.security.record(r, eventLogInFailed, slog.String("reason", "identity_provider"))
	}
	w.Header().Set("Cache-Control", "no-store")
	return render(w, r, status, authviews.ProviderProblemPage(authviews.ProviderProblemPageProps{
		Layout: p.layout(r, layout.SectionNone), Provider: p.identityProvider(), Problem: problem, Message: message,
		Retry: p.retryForm(r.Context(), f), LoginHref: p.passwordHref(r, f.Next),
	}))
}

// retryForm begins a flow for the same purpose again.
func (p *oidcPages) retryForm(ctx context.Context, f pendingFlow) authviews.ProviderFormProps {
	form := authviews.ProviderFormProps{Action: oidcPath, Label: locale.T(ctx, "Try again"), Next: f.Next}
	switch f.Purpose {
	case flowConfirm:
		form.Action = recentPath + "/oidc"
	case flowLink:
		form.Action = securityPath + "/identity"
	}
	return form
}

// passwordHref is the way that needs no provider; empty: there is none.
func (p *oidcPages) passwordHref(r *http.Request, next string) string {
	if p.signInPolicy.PasswordsOff || identityOf(r).signedIn() {
		return ""
	}
	return withNext("/login", next)
}
