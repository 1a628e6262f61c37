package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"usher/views/layout"
	organizationviews "usher/views/organization"
)

// layout returns the props of the frame around every page: the viewer and the notice that the query
// names.
func (s *site) layout(r *http.Request, section layout.Section) layout.Props {
	props := layout.Props{Section: section, Remark: s.remark, Links: s.links, Theme: s.theme(r), Brand: s.brand, Embedded: s.isFramed(r)}
	if viewer := identityOf(r); viewer.signedIn() {
		props.Viewer = &layout.Viewer{
			Name: viewer.access.User.Name, Organization: viewer.access.Organization.Name, OrganizationID: viewer.access.Organization.ID,
			Others: s.otherOrganizations(r), Operator: viewer.operator,
		}
	}
	switch organization := identityOf(r).access.Organization; {
	case organization.DeletedAt != nil:
		props.Notices = append(props.Notices, organizationviews.DeletedNotice(r.Context(), *organization.DeletedAt))
	case organization.DeletesAt != nil:
		props.Notices = append(props.Notices, organizationviews.DeletionNotice(r.Context(), *organization.DeletesAt))
	}
	if s.hasDisabledWebhook(r) {
		props.Notices = append(props.Notices, organizationviews.WebhookDisabledNotice(r.Context()))
	}
	if notice, ok := notices[r.URL.Query().Get("notice")]; ok {
		props.Notices = append(props.Notices, *translated(r.Context(), notice))
	}
	return props
}

// hasDisabledWebhook reports whether the viewer is to be shown that a webhook was turned off. If
// that is not known, the page is rendered without it.
func (s *site) hasDisabledWebhook(r *http.Request) bool {
	access := accessOf(r)
	if !access.Organization.HasWebhooks || access.Organization.DeletedAt != nil {
		return false
	}
	disabled, err := s.webhookEndpoints.HasDisabled(r.Context(), access)
	if err != nil {
		s.log.WarnContext(r.Context(), "webhooks not read", "request_id", stateOf(r).requestID, "err", err)
	}
	return disabled
}

// otherOrganizations lists the viewer's other organizations. If that fails, the page is rendered
// without them.
func (s *site) otherOrganizations(r *http.Request) []layout.OrganizationChoice {
	viewer := identityOf(r)
	all, err := s.organizations.OfUser(r.Context(), viewer.userID)
	if err != nil {
		s.log.WarnContext(r.Context(), "list organizations failed", "request_id", stateOf(r).requestID, "err", err)
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

// render writes a page or a fragment to the buffered response, so that nothing is sent if rendering
// fails.
func render(w http.ResponseWriter, r *http.Request, status int, component templ.Component) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := component.Render(r.Context(), w); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return nil
}

// isFragment reports whether htmx requests a part of a page. Boosted links and history restores
// need the whole page.
func isFragment(r *http.Request) bool {
	header := r.Header
	return header.Get("HX-Request") == "true" && header.Get("HX-Boosted") != "true" && header.Get("HX-History-Restore-Request") != "true"
}

// redirect responds with 303 See Other. htmx would follow that and swap the page into the panel, so
// it gets an HX-Redirect header instead.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	if isFragment(r) {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther) // #nosec G710 -- see localPath and redirectToStripe
}

// redirectToStripe redirects to a hosted page or document. Its address comes from Stripe's
// response; anything that is not Stripe's, or a configured origin, is an error all the same.
func (s *site) redirectToStripe(w http.ResponseWriter, r *http.Request, to string) error {
	if !s.isHosted(to) {
		return errors.New("the address of a hosted page is not at Stripe")
	}
	switch {
	case s.isFramed(r) && r.Method == http.MethodGet: // a document
		return s.leaveFrame(w, r, to, layout.NewTab)
	case s.isFramed(r):
		return s.leaveFrame(w, r, to, layout.WholeWindow)
	}
	redirect(w, r, to)
	return nil
}

func (s *site) isHosted(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if u.Scheme == "https" && u.User == nil && strings.HasSuffix(u.Host, ".stripe.com") {
		return true
	}
	own, _ := originOf(address)
	return slices.ContainsFunc(s.hostedOrigins, func(allowed string) bool {
		origin, valid := originOf(allowed)
		return valid && origin == own
	})
}

// localPath returns a path of this site unchanged and an empty string for anything else, to prevent
// open redirects. Browsers treat a backslash as a slash and drop tabs and line breaks, so these are
// refused too.
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

// redirectTo returns a handler that redirects to a path.
func redirectTo(path string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return nil
	}
}

// timeOrZero returns the zero time for nil.
func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
