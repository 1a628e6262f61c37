package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
)

// createInvitation invites somebody.
func (s *server) createInvitation(w http.ResponseWriter, r *http.Request) error {
	typed := account.NewInvitation{Email: r.PostFormValue("email"), RoleID: r.PostFormValue("roleId"), Billable: isChecked(r, "billable")}
	_, err := s.billing.Invitations.Invite(r.Context(), accessOf(r), typed)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		stateOf(r).err = err
		return s.membersPage(w, r, http.StatusUnprocessableEntity, inviteForm{typed, wrong})
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, membersTab+"&notice="+noticeInvited)
	return nil
}

// resendInvitation sends an invitation again, with a new link.
func (s *server) resendInvitation(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.billing.Invitations.Resend(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	s.redirect(w, r, membersTab+"&notice="+noticeInvited)
	return nil
}

// revokeInvitation takes an invitation back.
func (s *server) revokeInvitation(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.Invitations.Revoke(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	s.redirect(w, r, membersTab+"&notice="+noticeInvitationRevoked)
	return nil
}

// showInvitation shows what an invitation asks, and the way in for whoever looks.
func (s *server) showInvitation(w http.ResponseWriter, r *http.Request) error {
	return s.invitePage(w, r, http.StatusOK, authviews.InvitationPageProps{})
}

// acceptInvitation lets the viewer in: with the account they are signed in with, or with a new one.
func (s *server) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	userID, organization, err := s.accept(r)
	switch {
	case err == nil:
		return s.welcome(w, r, userID, organization)
	case isRefusal(err), apperr.CodeOf(err) == apperr.CodeForbidden, apperr.CodeOf(err) == apperr.CodeUnauthenticated:
		return s.refuseAccepting(w, r, err)
	case apperr.CodeOf(err) == apperr.CodeNotFound:
		return s.invitePage(w, r, http.StatusNotFound, authviews.InvitationPageProps{})
	}
	return err
}

func (s *server) accept(r *http.Request) (userID string, organization account.Organization, err error) {
	token := r.PathValue("token")
	if userID = identityOf(r).userID; userID != "" {
		organization, err = s.billing.Invitations.Accept(r.Context(), token, userID)
		return userID, organization, err
	}
	user, organization, err := s.billing.Invitations.AcceptWithNewAccount(r.Context(), token, account.NewAccount{
		Name: r.PostFormValue("name"), Password: r.PostFormValue("password"),
	})
	return user.ID, organization, err
}

// welcome signs a new account in and makes the organization the one that is worked in.
func (s *server) welcome(w http.ResponseWriter, r *http.Request, userID string, organization account.Organization) error {
	if identityOf(r).signedIn() {
		s.sessions.Put(r.Context(), sessionOrganization, organization.ID)
	} else if err := s.enter(r.Context(), userID, organization.ID); err != nil {
		return err
	}
	s.redirect(w, r, "/dashboard?notice="+noticeJoined)
	return nil
}

func (s *server) refuseAccepting(w http.ResponseWriter, r *http.Request, cause error) error {
	stateOf(r).err = cause
	wrong := fieldMessages(cause)
	status := refusalStatus(cause)
	if apperr.CodeOf(cause) == apperr.CodeUnauthenticated {
		status = http.StatusConflict // the page itself says to sign in, and as whom
	}
	return s.invitePage(w, r, status, authviews.InvitationPageProps{
		Name: r.PostFormValue("name"), Errors: authviews.InvitationErrors{Form: formMessage(cause), Name: wrong["name"], Password: wrong["password"]},
	})
}

// invitePage shows the invitation as it stands, with what was typed. One that can't be accepted says so and nothing else.
func (s *server) invitePage(w http.ResponseWriter, r *http.Request, status int, props authviews.InvitationPageProps) error {
	protectTokenPage(w)
	props.Layout = s.layout(r, layout.SectionNone)
	open, err := s.billing.Invitations.Open(r.Context(), r.PathValue("token"))
	code := apperr.CodeOf(err)
	if code == apperr.CodeNotFound || code == apperr.CodeConflict {
		closed := authviews.InvitationPageProps{Layout: props.Layout, State: authviews.InvitationClosed, Message: apperr.MessageOf(err)}
		return render(w, r, problemOf(err).status, authviews.InvitationPage(closed))
	}
	if err != nil {
		return err
	}
	if err := s.fillInvitePage(r, open, &props); err != nil {
		return err
	}
	return render(w, r, status, authviews.InvitationPage(props))
}

func (s *server) fillInvitePage(r *http.Request, open account.OpenInvitation, props *authviews.InvitationPageProps) error {
	props.Organization, props.Inviter, props.Role = open.Organization.Name, open.Inviter.Name, open.Role.Name
	props.Email, props.ExpiresAt = open.Email, open.ExpiresAt
	props.Action = "/invite/" + url.PathEscape(r.PathValue("token"))
	props.LoginHref = withNext("/login", props.Action)
	if !identityOf(r).signedIn() {
		props.State = authviews.InvitationSignup
		if open.HasAccount {
			props.State = authviews.InvitationLogin
		}
		return nil
	}
	viewer, err := s.billing.Users.Get(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	props.State, props.SignedInAs = authviews.InvitationOtherAccount, viewer.Email
	if strings.EqualFold(viewer.Email, open.Email) {
		props.State = authviews.InvitationJoin
	}
	return nil
}
