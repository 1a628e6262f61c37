package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

const (
	securityPath = "/settings/security"
	// setupLifetime is how long an authenticator app can be set up after the password was given.
	setupLifetime = 15 * time.Minute
)

// needsSecondFactor reports whether the viewer has to set up two-step verification before they may
// call a route.
func (s *site) needsSecondFactor(rt route, v identity) bool {
	switch {
	case rt.policy == public || rt.beforeSecondFactor || v.secondFactor || v.key != nil: // a program has none
		return false
	case rt.policy == operator:
		return s.secondFactor.ForOperators()
	case rt.policy.forOrganization():
		return s.secondFactor.ForMember(v.access)
	}
	return s.secondFactor == account.SecondFactorAll
}

// leadToSecondFactor redirects a page to the one where two-step verification is set up. The JSON
// API answers 403.
func leadToSecondFactor(w http.ResponseWriter, r *http.Request, rt route) error {
	if rt.response.forPrograms() {
		return errSecondFactor
	}
	redirect(w, r, securityPath)
	return nil
}

// requiredBy says who requires two-step verification of a viewer who has not set it up.
func (s *site) requiredBy(v identity) authviews.RequiredBy {
	switch {
	case v.secondFactor:
		return authviews.RequiredByNobody
	case s.secondFactor == account.SecondFactorAll:
		return authviews.RequiredOfAll
	case v.isMember() && v.access.Organization.RequireSecondFactor:
		return authviews.RequiredByOrganization
	case v.isMember() && s.secondFactor.ForMember(v.access):
		return authviews.RequiredOfBilling
	case v.operator && s.secondFactor.ForOperators():
		return authviews.RequiredOfOperators
	}
	return authviews.RequiredByNobody
}

// securityPages set up authenticator apps and passkeys, and renew recovery codes.
type securityPages struct {
	*site
	factors  *account.SecondFactors
	passkeys *account.Passkeys
}

func (p *securityPages) show(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, authviews.SecurityErrors{})
}

func (p *securityPages) renderPage(w http.ResponseWriter, r *http.Request, status int, invalid authviews.SecurityErrors) error {
	viewer := identityOf(r)
	factor, err := p.factors.Status(r.Context(), viewer.userID)
	if err != nil {
		return err
	}
	passkeys, err := p.passkeyRows(r, invalid)
	if err != nil {
		return err
	}
	signIn, err := p.signInProps(r)
	if err != nil {
		return err
	}
	return render(w, r, status, authviews.SecurityPage(authviews.SecurityPageProps{
		Layout: p.layout(r, layout.SectionNone), Since: factor.Since, CodesLeft: factor.CodesLeft, Passkeys: passkeys, CanAdd: p.passkeys.Available(),
		RequiredBy: p.requiredBy(viewer), Organization: viewer.access.Organization.Name, Errors: invalid,
		SignIn: signIn, NoPassword: !p.signInPolicy.CanUsePassword(viewer.access.User),
	}))
}

// begin checks the password and keeps the seed of a new authenticator app in the session, sealed,
// until a code from it is typed.
func (p *securityPages) begin(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	present, err := p.factors.Status(ctx, identityOf(r).userID)
	if err != nil {
		return err
	}
	if !present.Since.IsZero() { // set up in another tab
		redirect(w, r, securityPath)
		return nil
	}
	sealed, err := p.factors.Begin(ctx, identityOf(r).userID, r.PostFormValue("password"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.SecurityErrors{Begin: invalid["password"]})
	}
	if apperr.CodeOf(err) == apperr.CodeConflict { // set up meanwhile
		redirect(w, r, securityPath)
		return nil
	}
	if err != nil {
		return err
	}
	p.sessions.Put(ctx, sessionSetupSeed, sealed)
	p.sessions.Put(ctx, sessionSetupExpiry, p.now().Add(setupLifetime).Unix())
	redirect(w, r, securityPath+"/setup")
	return nil
}

// pendingSetup returns the sealed seed of the app that is being set up; empty if there is none, or
// it took too long.
func (p *securityPages) pendingSetup(ctx context.Context) string {
	if p.now().Unix() >= p.sessions.GetInt64(ctx, sessionSetupExpiry) {
		return ""
	}
	return p.sessions.GetString(ctx, sessionSetupSeed)
}

func (p *securityPages) showSetup(w http.ResponseWriter, r *http.Request) error {
	return p.renderSetup(w, r, http.StatusOK, "")
}

func (p *securityPages) renderSetup(w http.ResponseWriter, r *http.Request, status int, invalid string) error {
	ctx, viewer := r.Context(), identityOf(r)
	sealed := p.pendingSetup(ctx)
	if sealed == "" {
		return p.setUpAgain(w, r)
	}
	setup, err := p.factors.Setup(ctx, viewer.userID, sealed)
	if apperr.CodeOf(err) == apperr.CodeNotFound {
		return p.setUpAgain(w, r)
	}
	if err != nil {
		return err
	}
	return render(w, r, status, authviews.AuthenticatorPage(authviews.AuthenticatorPageProps{
		Layout: p.layout(r, layout.SectionNone), Key: setup.Key, URL: setup.URL, Error: invalid,
	}))
}

// setUpAgain leads to the first page. It says why only if a set-up had begun.
func (p *securityPages) setUpAgain(w http.ResponseWriter, r *http.Request) error {
	if p.sessions.GetString(r.Context(), sessionSetupSeed) == "" {
		redirect(w, r, securityPath)
		return nil
	}
	redirect(w, r, securityPath+"?notice="+noticeSetUpAgain)
	return nil
}

// confirm stores the app if the code is its own, and shows the recovery codes.
func (p *securityPages) confirm(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	sealed := p.pendingSetup(ctx)
	if sealed == "" {
		return p.setUpAgain(w, r)
	}
	codes, err := p.factors.Confirm(ctx, identityOf(r).userID, sealed, r.PostFormValue("code"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderSetup(w, r, http.StatusUnprocessableEntity, invalid["code"])
	}
	switch apperr.CodeOf(err) {
	case "":
	case apperr.CodeConflict, apperr.CodeNotFound: // sent twice, or the key is gone
		return p.setUpAgain(w, r)
	default:
		return err
	}
	p.sessions.Remove(ctx, sessionSetupSeed)
	p.sessions.Remove(ctx, sessionSetupExpiry)
	if err := p.sessions.endOtherSessions(r); err != nil {
		return err
	}
	if codes == nil { // there are passkeys, and codes with them
		redirect(w, r, securityPath+"?notice="+noticeAppAdded)
		return nil
	}
	return p.showCodes(w, r, codes, true)
}

// showCodes shows recovery codes, this once.
func (p *securityPages) showCodes(w http.ResponseWriter, r *http.Request, codes []string, enabled bool) error {
	w.Header().Set("Cache-Control", "no-store")
	return render(w, r, http.StatusOK, authviews.RecoveryCodesPage(authviews.RecoveryCodesPageProps{
		Layout: p.layout(r, layout.SectionNone), Codes: codes, Enabled: enabled, Site: p.baseURL.Host,
	}))
}

func (p *securityPages) renewCodes(w http.ResponseWriter, r *http.Request) error {
	if !identityOf(r).secondFactor { // disabled in another tab
		redirect(w, r, securityPath)
		return nil
	}
	codes, err := p.factors.RenewCodes(r.Context(), identityOf(r).userID, r.PostFormValue("password"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.SecurityErrors{Codes: invalid["password"]})
	}
	if apperr.CodeOf(err) == apperr.CodeConflict { // disabled meanwhile
		redirect(w, r, securityPath)
		return nil
	}
	if err != nil {
		return err
	}
	return p.showCodes(w, r, codes, false)
}

func (p *securityPages) disable(w http.ResponseWriter, r *http.Request) error {
	if !identityOf(r).secondFactor { // disabled in another tab
		redirect(w, r, securityPath)
		return nil
	}
	protected, err := p.factors.Disable(r.Context(), identityOf(r).userID, r.PostFormValue("password"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, authviews.SecurityErrors{Disable: invalid["password"]})
	}
	if err != nil && apperr.CodeOf(err) != apperr.CodeConflict {
		return err
	}
	notice := noticeSecondFactorOff
	if protected {
		notice = noticeAppRemoved
	}
	redirect(w, r, securityPath+"?notice="+notice)
	return nil
}

// requireSecondFactor sets whether the organization requires two-step verification of its members.
func (p *organizationPages) requireSecondFactor(w http.ResponseWriter, r *http.Request) error {
	required := isChecked(r, "requireSecondFactor")
	err := p.organizations.RequireSecondFactor(r.Context(), accessOf(r), required)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) {
			props.SecondFactor = &organizationviews.SecondFactorProps{Required: required, Error: invalid["requireSecondFactor"]}
		})
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeSecondFactorOrg)
	return nil
}
