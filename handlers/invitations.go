package handlers

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
	authviews "usher/views/auth"
	"usher/views/layout"
)

// invitationPages create, change and accept invitations.
type invitationPages struct {
	*site
	members     *memberPages
	people      *peoplePages
	invitations *account.Invitations
	users       *account.Users
}

// create invites a person by e-mail. If the person will need another seat, the form is shown with
// today's amounts first.
func (p *invitationPages) create(w http.ResponseWriter, r *http.Request) error {
	input := account.NewInvitation{Email: r.PostFormValue("email"), RoleID: r.PostFormValue("roleId"), Billable: isChecked(r, "billable")}
	if addresses := inviteAddresses(r, "email"); len(addresses) > 1 {
		return p.confirmMany(w, r, input, addresses)
	}
	err := p.members.seatChanges.run(w, r, billing.SeatRequest{Kind: billing.SeatInvitation, Invitation: input}, membersTab+"&notice="+noticeInvited)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		if isFragment(r) {
			return p.members.seatChanges.refuse(w, r, err)
		}
		stateOf(r).err = err
		return p.members.renderList(w, r, http.StatusUnprocessableEntity, inviteForm{input, invalid})
	}
	return err
}

// confirmMany asks to confirm several invitations, which are then sent step by step.
func (p *invitationPages) confirmMany(w http.ResponseWriter, r *http.Request, input account.NewInvitation, addresses []string) error {
	cost, err := p.members.inviteCost(r, len(addresses), input.Billable)
	if err != nil {
		return err
	}
	progress := inviteBatch{roleID: input.RoleID, billable: input.Billable, left: addresses, total: len(addresses)}.progress(r)
	progress.Cost = cost
	return p.people.showProgress(w, r, progress)
}

// resend sends an invitation again, with a new link.
func (p *invitationPages) resend(w http.ResponseWriter, r *http.Request) error {
	if _, err := p.invitations.Resend(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, membersTab+"&notice="+noticeInvited)
	return nil
}

func (p *invitationPages) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := p.invitations.Revoke(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, membersTab+"&notice="+noticeInvitationRevoked)
	return nil
}

// show shows the invitation with the form that fits the viewer: join, log in or sign up.
func (p *invitationPages) show(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, authviews.InvitationPageProps{})
}

// accept adds the viewer to the organization, with the account they are signed in with or with a
// new one.
func (p *invitationPages) accept(w http.ResponseWriter, r *http.Request) error {
	userID, organization, err := p.acceptFor(r)
	switch {
	case err == nil:
		p.security.record(r, eventTokenUsed, slog.String("purpose", "invitation"), slog.String("user_id", userID))
		return p.enterOrganization(w, r, userID, organization)
	case isRefusal(err), apperr.CodeOf(err) == apperr.CodeForbidden, apperr.CodeOf(err) == apperr.CodeUnauthenticated:
		return p.showRefusal(w, r, err)
	case apperr.CodeOf(err) == apperr.CodeNotFound:
		p.security.record(r, eventTokenRefused, slog.String("purpose", "invitation"))
		return p.renderPage(w, r, http.StatusNotFound, authviews.InvitationPageProps{})
	}
	return err
}

func (p *invitationPages) acceptFor(r *http.Request) (userID string, organization account.Organization, err error) {
	token := r.PathValue("token")
	if userID = identityOf(r).userID; userID != "" {
		organization, err = p.invitations.Accept(r.Context(), token, userID)
		return userID, organization, err
	}
	if said, waits := p.sessions.assertion(r.Context()); waits && withIdentity(r) {
		user, organization, err := p.invitations.AcceptWithNewIdentity(r.Context(), token, r.PostFormValue("name"), said)
		return user.ID, organization, err
	}
	user, organization, err := p.invitations.AcceptWithNewAccount(r.Context(), token, account.NewAccount{
		Name: r.PostFormValue("name"), Password: r.PostFormValue("password"),
	})
	return user.ID, organization, err
}

// enterOrganization signs a new account in and makes the organization the current one.
func (p *invitationPages) enterOrganization(w http.ResponseWriter, r *http.Request, userID string, organization account.Organization) error {
	if identityOf(r).signedIn() {
		p.sessions.Put(r.Context(), sessionOrganization, organization.ID)
	} else if done, err := p.signInNewUser(w, r, userID, organization.ID); err != nil {
		return err
	} else if !done {
		redirect(w, r, secondStepPath)
		return nil
	} else {
		p.security.record(r, eventUserCreated, slog.String("user_id", userID))
	}
	redirect(w, r, "/dashboard?notice="+noticeJoined)
	return nil
}

// signInNewUser signs in whoever has accepted an invitation, or begins their second step; done is
// false then.
func (p *invitationPages) signInNewUser(w http.ResponseWriter, r *http.Request, userID, organizationID string) (done bool, err error) {
	user, err := p.users.Get(r.Context(), userID)
	if err != nil {
		return false, err
	}
	by := firstFactor{methodPassword, p.now()}
	if said, waits := p.sessions.assertion(r.Context()); waits && withIdentity(r) {
		by = firstFactor{methodOIDC, said.AuthenticatedAt}
		p.sessions.forgetAssertion(r.Context())
	}
	if done, err = p.sessions.beginSignIn(r.Context(), userID, organizationID, p.now(), by); err != nil || !done {
		return done, err
	}
	p.devices.remember(w, r, user)
	return true, nil
}

func (p *invitationPages) showRefusal(w http.ResponseWriter, r *http.Request, cause error) error {
	stateOf(r).err = cause
	invalid := fieldMessages(r.Context(), cause)
	status := refusalStatus(cause)
	if apperr.CodeOf(cause) == apperr.CodeUnauthenticated {
		status = http.StatusConflict // the page says which account to sign in with
	}
	return p.renderPage(w, r, status, authviews.InvitationPageProps{
		Name: r.PostFormValue("name"), Errors: authviews.InvitationErrors{Form: formMessage(r.Context(), cause), Name: invalid["name"], Password: invalid["password"]},
	})
}

// renderPage renders the invitation with the submitted values. If it cannot be accepted, the page
// says only that.
func (p *invitationPages) renderPage(w http.ResponseWriter, r *http.Request, status int, props authviews.InvitationPageProps) error {
	protectTokenPage(w)
	props.Layout = p.layout(r, layout.SectionNone)
	open, err := p.invitations.Open(r.Context(), r.PathValue("token"))
	code := apperr.CodeOf(err)
	if code == apperr.CodeNotFound || code == apperr.CodeConflict {
		closed := authviews.InvitationPageProps{Layout: props.Layout, State: authviews.InvitationClosed, Message: messageIn(r.Context(), err)}
		return render(w, r, problemOf(err).status, authviews.InvitationPage(closed))
	}
	if err != nil {
		return err
	}
	if err := p.fillProps(r, open, &props); err != nil {
		return err
	}
	return render(w, r, status, authviews.InvitationPage(props))
}

func (p *invitationPages) fillProps(r *http.Request, open account.OpenInvitation, props *authviews.InvitationPageProps) error {
	props.Organization, props.Role = open.Organization.Name, open.Role.Name
	if !open.OfInstallation() {
		props.Inviter = cmp.Or(open.Inviter.Name, open.Organization.Name)
	}
	props.Email, props.ExpiresAt = open.Email, open.ExpiresAt
	props.Action = "/invite/" + url.PathEscape(r.PathValue("token"))
	props.LoginHref = withNext("/login", props.Action)
	if !identityOf(r).signedIn() {
		props.State = authviews.InvitationSignup
		props.Provider, props.PasswordsOff = p.providerForm(r.Context(), props.Action), p.signInPolicy.PasswordsOff
		if said, waits := p.sessions.assertion(r.Context()); waits {
			props.IdentityProvider, props.IdentityEmail = p.identityProvider(), said.Email
			if props.Name == "" {
				props.Name = said.Name
			}
		}
		if open.HasAccount {
			props.State = authviews.InvitationLogin
		}
		return nil
	}
	viewer, err := p.users.Get(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	props.State, props.SignedInAs = authviews.InvitationOtherAccount, viewer.Email
	if mail.SameAddress(viewer.Email, open.Email) {
		props.State = authviews.InvitationJoin
	}
	return nil
}
