package handlers

import (
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"

	"usher/views/layout"
)

// sessionPartitioned marks a session that began in a frame of another site. Browsers keep its
// cookie apart for each site that has the frame.
const sessionPartitioned = "partitioned"

// partitionedField is the form field of a hand-over in a frame of another site.
const partitionedField = "partitioned"

// isFramed reports whether a browser loads the page into a frame, which EMBED_ORIGINS allows to the
// adopter's product. Browsers that do not say so show Usher in no frame.
func (s *site) isFramed(r *http.Request) bool {
	return len(s.embedOrigins) > 0 && r.Header.Get("Sec-Fetch-Dest") == "iframe"
}

// embeddable reports whether a frame can show the route: what members of an organization do, the
// plans, and a hand-over with its second step. No password is typed in a frame.
func (rt route) embeddable() bool {
	switch rt.pattern {
	case "/pricing", handoverPath, secondStepPath, passkeySecondStepPath:
		return true
	}
	return rt.policy.forOrganization() && rt.pattern != "/dashboard"
}

// allowFrame lets the adopter's product show the response in a frame. What a frame can't show is
// replaced by a link to it.
func (s *server) allowFrame(rt route, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.isFramed(r) || !rt.embeddable() && r.Method != http.MethodGet {
			return next(w, r)
		}
		w.Header().Set("Content-Security-Policy", s.framePolicy)
		if !rt.embeddable() {
			return s.leaveFrame(w, r, r.URL.RequestURI(), layout.NewTab)
		}
		return next(w, r)
	}
}

// leaveFrame shows a link that leads out of the frame, because the address refuses to be shown in
// one.
func (s *site) leaveFrame(w http.ResponseWriter, r *http.Request, to string, in layout.Window) error {
	return render(w, r, http.StatusOK, layout.LeaveFramePage(layout.LeaveFramePageProps{
		Layout: s.layout(r, layout.SectionNone), Href: to, Window: in, Stripe: s.isHosted(to),
	}))
}

// framePolicy is the Content-Security-Policy of pages in a frame of the adopter's product.
func framePolicy(policy string, embedOrigins []string) string {
	return strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(embedOrigins, " "), 1)
}

// partitionedCookies returns the sessions with the cookie that browsers keep in a frame of another
// site, apart for each such site (https://github.com/privacycg/CHIPS).
func partitionedCookies(sessions *scs.SessionManager) *scs.SessionManager {
	partitioned := *sessions
	partitioned.Cookie.SameSite, partitioned.Cookie.Secure, partitioned.Cookie.Partitioned = http.SameSiteNoneMode, true, true
	return &partitioned
}
