package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"usher/billing/apperr"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// layout is the frame around every page: who looks at it, and the notice its address asks for.
func (s *server) layout(r *http.Request, section layout.Section) layout.Props {
	props := layout.Props{Section: section, Remark: s.remark, Links: s.links}
	if viewer := identityOf(r); viewer.signedIn() {
		props.Viewer = &layout.Viewer{
			Name: viewer.access.User.Name, Organization: viewer.access.Organization.Name, OrganizationID: viewer.access.Organization.ID,
			Others: s.otherOrganizations(r), Operator: viewer.operator,
		}
	}
	switch organization := identityOf(r).access.Organization; {
	case organization.DeletedAt != nil:
		props.Notices = append(props.Notices, organizationviews.DeletedNotice(*organization.DeletedAt))
	case organization.DeletesAt != nil:
		props.Notices = append(props.Notices, organizationviews.DeletionNotice(*organization.DeletesAt))
	}
	if notice, ok := notices[r.URL.Query().Get("notice")]; ok {
		props.Notices = append(props.Notices, notice)
	}
	return props
}

// otherOrganizations lists where else the viewer could work. A page without the list is better than none.
func (s *server) otherOrganizations(r *http.Request) []layout.OrganizationChoice {
	viewer := identityOf(r)
	all, err := s.billing.Organizations.OfUser(r.Context(), viewer.userID)
	if err != nil {
		s.log.WarnContext(r.Context(), "other organizations", "id", stateOf(r).requestID, "err", err)
		return nil
	}
	var others []layout.OrganizationChoice
	for _, organization := range all {
		if organization.ID != viewer.access.Organization.ID {
			others = append(others, layout.OrganizationChoice{ID: organization.ID, Name: organization.Name})
		}
	}
	return others
}

// notices are what a page can be asked to say by its address, after a redirect. They are not kept in the session: a GET that saves a
// session could bring one back that is being signed out.
var notices = map[string]ui.NoticeProps{
	noticeSignedOut:   {Tone: ui.Good, Title: "You are signed out."},
	noticePasswordSet: {Tone: ui.Good, Title: "Your new password is set.", Body: "Sign in with it. Everywhere else you are signed out."},
	noticeSubscribed:  {Tone: ui.Note, Title: "This organization has a plan already.", Body: "Change it here; a second one is never needed."},
	noticeForbidden:   {Tone: ui.Wait, Title: apperr.MessageBillingAccess + ".", Body: "Ask one of them to choose the plan."},
	noticeUnavailable: {Tone: ui.Bad, Title: "Checkout could not be opened.", Body: "Nothing was charged. Choose the plan again in a moment."},

	noticeResynced:       {Tone: ui.Good, Title: "Stripe was asked.", Body: "What differed is set right. Seats that Stripe is still to be told follow in a moment."},
	noticeInSync:         {Tone: ui.Good, Title: "Stripe was asked.", Body: "Everything here agrees with it."},
	noticeMemberChanged:  {Tone: ui.Good, Title: "The change is made.", Body: "If it changes how many people are billed, Stripe is told within seconds."},
	noticeMemberRemoved:  {Tone: ui.Good, Title: "The person is removed.", Body: "They have no access any more."},
	noticeLeft:           {Tone: ui.Good, Title: "You have left the organization."},
	noticeJoined:         {Tone: ui.Good, Title: "Welcome. You are a member now."},
	noticeInvited:        {Tone: ui.Good, Title: "The invitation is on its way.", Body: "Its link can be used for 7 days. One that was sent before does not work any more."},
	noticeInvitationRevoked:        {Tone: ui.Good, Title: "The invitation is taken back.", Body: "Its link does not work any more."},
	noticeRoleSaved:      {Tone: ui.Good, Title: "The role is saved.", Body: "It counts at once for everybody who holds it."},
	noticeRoleDeleted:    {Tone: ui.Good, Title: "The role is deleted."},
	noticeProfileSaved:   {Tone: ui.Good, Title: "Your name is saved."},
	noticePasswordChanged:    {Tone: ui.Good, Title: "Your password is changed.", Body: "You are signed out everywhere else."},
	noticeSessionsEnded:  {Tone: ui.Good, Title: "You are signed out everywhere else."},
	noticeReplayed:       {Tone: ui.Good, Title: "The event is settled anew.", Body: "What it tells of counts once all the same."},
	noticeContacts:       {Tone: ui.Good, Title: "The billing contacts are saved."},
	noticeNotices:        {Tone: ui.Good, Title: "The notices are saved."},
	noticeHandedOver:     {Tone: ui.Good, Title: "The organization has a new admin.", Body: "You are a member of it now."},
	noticeDeletionWithdrawn:           {Tone: ui.Good, Title: "The organization stays.", Body: "Its plan renews again, if it did before."},
	noticeCanceled:       {Tone: ui.Good, Title: "The plan is canceled.", Body: "It goes on until the end of what is paid for."},
	noticeResumed:        {Tone: ui.Good, Title: "The plan goes on."},
	noticeAccountDeleted: {Tone: ui.Good, Title: "Your account is deleted."},
	noticeRenamed:        {Tone: ui.Good, Title: "The organization has its new name."},
}

// The names of the notices, as addresses have them.
const (
	noticeSignedOut   = "signed-out"
	noticePasswordSet = "password-set"
	noticeSubscribed  = "subscribed"
	noticeForbidden   = "forbidden"
	noticeUnavailable = "checkout-unavailable"

	noticeResynced       = "resynced"
	noticeInSync         = "agreed"
	noticeMemberChanged  = "member-changed"
	noticeMemberRemoved  = "member-removed"
	noticeLeft           = "left"
	noticeJoined         = "joined"
	noticeInvited        = "invited"
	noticeInvitationRevoked        = "invitation-taken-back"
	noticeRoleSaved      = "role-saved"
	noticeRoleDeleted    = "role-deleted"
	noticeContacts       = "contacts"
	noticeNotices        = "notices"
	noticeHandedOver     = "handed-over"
	noticeDeletionWithdrawn           = "kept"
	noticeCanceled       = "plan-canceled"
	noticeResumed        = "plan-resumed"
	noticeAccountDeleted = "account-deleted"
	noticeRenamed        = "renamed"
	noticeReplayed       = "replayed"
	noticeProfileSaved   = "name-saved"
	noticePasswordChanged    = "password-changed"
	noticeSessionsEnded  = "signed-out-elsewhere"
)

// render writes a page or a fragment. It goes into the response that is held back, so that nothing is sent of a page that fails.
func render(w http.ResponseWriter, r *http.Request, status int, component templ.Component) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := component.Render(r.Context(), w); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return nil
}

// isFragment tells whether htmx asks for a part of a page. A boosted link, and a step back in the history, want it whole.
func isFragment(r *http.Request) bool {
	header := r.Header
	return header.Get("HX-Request") == "true" && header.Get("HX-Boosted") != "true" && header.Get("HX-History-Restore-Request") != "true"
}

// redirect leads on after a POST. htmx would follow a 303 by itself and put the page into the panel, so it is told to go there.
func (s *server) redirect(w http.ResponseWriter, r *http.Request, to string) {
	if isFragment(r) {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// localPath returns a path of this site unchanged and nothing for all else, so that no link can make the site send people elsewhere.
// Browsers read a backslash as a slash and drop tabs and line ends, so none of them may be in it.
func localPath(path string) string {
	odd := func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, odd) {
		return ""
	}
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" {
		return ""
	}
	return path
}
