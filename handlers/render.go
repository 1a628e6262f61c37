package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"usher/views/layout"
	organizationviews "usher/views/organization"
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

// redirectTo leads elsewhere.
func redirectTo(path string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return nil
	}
}

func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
