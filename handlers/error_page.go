package handlers

import (
	"errors"
	"net/http"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// problemTitles are the error page titles of messages that need another title than their status.
var problemTitles = map[string]string{
	apperr.MessageOtherOrganization: locale.Mark("This form is for another organization"),
	apperr.MessageAlreadySubscribed: locale.Mark("You already have a plan"),
	apperr.MessageNoCustomer:        locale.Mark("There is no billing account yet"),
	errNoOrganization.message:       locale.Mark("You're not in an organization"),
}

// showErrorPage renders the error page.
func (s *site) showErrorPage(w http.ResponseWriter, r *http.Request, p problem) {
	if err := render(w, r, p.status, layout.ErrorPage(s.errorProps(r, p))); err != nil {
		// The error page itself failed.
		s.log.ErrorContext(r.Context(), "render error page failed", "request_id", stateOf(r).requestID, "err", err)
		http.Error(w, http.StatusText(p.status), p.status)
	}
}

// errorProps returns the content of the error page. For an internal error, an unknown address and a
// frame without a session the view's text for the status replaces the message.
func (s *site) errorProps(r *http.Request, p problem) layout.ErrorPageProps {
	if p.status == http.StatusInternalServerError || p.status == http.StatusUnauthorized || errors.Is(stateOf(r).err, errPageNotFound) {
		p.message = ""
	}
	title := ""
	if own, found := problemTitles[p.message]; found {
		title = locale.Lookup(r.Context(), own)
	}
	shown := p.message
	if shown != "" {
		shown = messageIn(r.Context(), stateOf(r).err)
	}
	props := layout.ErrorPageProps{
		Layout: s.layout(r, layout.SectionNone), Status: p.status, Title: title, Message: shown,
		Helpers: s.helpers(r, p), RequestID: stateOf(r).requestID, Link: errorLink(r, p.status),
	}
	if p.status >= http.StatusInternalServerError && r.Method == http.MethodGet {
		props.RetryHref = r.URL.RequestURI()
	} else if props.Link != nil {
		props.Link.Kind = ui.Primary
	}
	return props
}

// errorLink leads back to the page of the form, or to billing where Stripe failed; nil: the
// view's own.
func errorLink(r *http.Request, status int) *ui.LinkButtonProps {
	pattern := stateOf(r).route
	if viewer := identityOf(r); viewer.signedIn() && !viewer.isMember() {
		return &ui.LinkButtonProps{Label: locale.T(r.Context(), "Go to settings"), Href: "/settings", Kind: ui.Secondary}
	}
	if !identityOf(r).isMember() || status == http.StatusForbidden {
		return nil
	}
	if page, found := formPageOf(pattern); found && r.Method == http.MethodPost {
		return &ui.LinkButtonProps{Label: locale.Lookup(r.Context(), page.label), Href: page.path, Kind: ui.Secondary}
	}
	if status == http.StatusBadGateway && !strings.HasPrefix(pattern, "/admin") {
		return &ui.LinkButtonProps{Label: locale.T(r.Context(), "Back to billing"), Href: billingPath, Kind: ui.Secondary}
	}
	return nil
}

// maxHelpers is how many people an error page names.
const maxHelpers = 3

// helpers returns who in the organization can do what the viewer can't, by the refusal. It names
// nobody to those who are not members, for a refusal by the HTTP layer, and if the members can't be
// read.
func (s *site) helpers(r *http.Request, p problem) []ui.NameWithRole {
	edge := (*httpError)(nil)
	if p.status != http.StatusForbidden || !identityOf(r).isMember() || p.message == account.MessageOperatorsOnly || errors.As(stateOf(r).err, &edge) {
		return nil
	}
	access := accessOf(r)
	members, err := s.memberships.List(r.Context(), access)
	if err != nil {
		s.log.WarnContext(r.Context(), "list members for error page failed", "request_id", stateOf(r).requestID, "err", err)
		return nil
	}
	var helpers []ui.NameWithRole
	for _, member := range members {
		if member.UserID != access.User.ID && len(helpers) < maxHelpers && canHelp(account.Access{Member: member}, p.message) {
			helpers = append(helpers, ui.NameWithRole{Name: member.Name, Role: member.Role.Name})
		}
	}
	return helpers
}

// canHelp reports whether a member has the right whose lack a refusal is about.
func canHelp(a account.Access, refusal string) bool {
	switch refusal {
	case apperr.MessageBillingAccess:
		return a.CanManageBilling()
	case account.MessageMemberAccess:
		return a.CanManageMembers()
	}
	return a.IsAdmin()
}

// formPage is a page with forms that post to other addresses.
type formPage struct {
	prefix string // of those addresses
	path   string
	label  string // of the link back
}

// formPages are the pages of the forms whose addresses have no page of their own; the first prefix
// that fits counts.
var formPages = []formPage{
	{"/organization/members", membersTab, locale.Mark("Back to members")},
	{"/organization/invitations", membersTab, locale.Mark("Back to members")},
	{"/organization/people", "/organization/people", locale.Mark("Back to invitations")},
	{"/organization/roles", "/organization?tab=roles", locale.Mark("Back to roles")},
	{"/organization/contacts", "/organization/contacts", locale.Mark("Back to billing contacts")},
	{"/organization/notices", "/organization/contacts", locale.Mark("Back to billing contacts")},
	{"/organization/api-keys", apiKeysPath, locale.Mark("Back to API keys")},
	{webhooksPath, webhooksPath, locale.Mark("Back to webhooks")},
	{domainsPath, domainsPath, locale.Mark("Back to domains")},
	{"/organization/seats", "/organization/seats", locale.Mark("Back to seats")},
	{"/organization/switch", "/dashboard", locale.Mark("Back to the dashboard")},
	{"/organization/", generalPath, locale.Mark("Back to the organization")},
	{"/billing/checkout", "/pricing", locale.Mark("Back to pricing")},
	{"/billing/", billingPath, locale.Mark("Back to billing")},
	{"/settings/security", securityPath, locale.Mark("Back to account security")},
	{"/settings/", "/settings", locale.Mark("Back to settings")},
	{"/theme", "/", locale.Mark("Back to the start")},
	{"/language", "/", locale.Mark("Back to the start")},
	{"/admin/events", "/admin/events", "Back to events"},
	{"/admin/organizations", "/admin/organizations", "Back to organizations"},
	{"/admin/people", "/admin/people", "Back to people"},
}

// formPageOf returns the page with the form that posts to a route.
func formPageOf(pattern string) (formPage, bool) {
	for _, page := range formPages {
		if strings.HasPrefix(pattern, page.prefix) {
			return page, true
		}
	}
	return formPage{}, false
}
