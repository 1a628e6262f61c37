package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"usher/billing/account"
	"usher/billing/apperr"
)

// requestTimeout bounds one request, calls to Stripe included.
const requestTimeout = 20 * time.Second

// serve wraps the handler in the middleware for its access policy and response type. It adds
// them from the inside out, so that steps without database access run first.
func (s *server) serve(rt route) http.Handler {
	if rt.response == asset || rt.response == stateless {
		return s.wrap(rt, s.withoutSession(rt))
	}
	next := s.limitRate(rt, s.idempotent(rt, rt.handler))
	next = s.requireRecent(rt, next)
	next = s.checkFormOrganization(rt, next)
	next = bodyLimit(rt, next)
	next = s.authorize(rt, next)
	next = s.sessions.withSession(next)
	next = s.refuseCrossOrigin(next)
	if rt.response == page {
		next = s.redirectLoopback(next)
	}
	return s.wrap(rt, s.allowFrame(rt, s.buffer(next)))
}

// withoutSession serves routes that have no session. It refuses a policy that needs one.
func (s *server) withoutSession(rt route) handlerFunc {
	switch {
	case rt.policy != public && rt.policy != webhook && rt.policy != metricsToken:
		return func(http.ResponseWriter, *http.Request) error { return errNoPolicy }
	case rt.response == asset:
		return rt.handler
	}
	return s.buffer(bodyLimit(rt, rt.handler))
}

// wrap is the outermost middleware of a route. It records the route in the request state, sets the
// deadline and responds to errors.
func (s *server) wrap(rt route, next handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := stateOf(r)
		state.route, state.response = rt.pattern, rt.response
		r = s.startSpan(r, rt)
		if rt.secret {
			w.Header().Set(gzhttp.HeaderNoCompression, "1")
		}
		ctx, cancel := context.WithTimeout(withRequestOrigin(r.Context(), r, rt), requestTimeout)
		defer cancel()
		r = s.withLanguage(r.WithContext(ctx), rt, identity{})
		if err := next(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// buffer holds the response until it is complete, and compresses it then.
func (s *server) buffer(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := newBufferedResponse()
		s.setReadDeadline(w, r)
		if err := next(out, r); err != nil {
			out.discard()
			s.fail(out, r, err)
		}
		s.send(w, r, out)
		return nil
	}
}

// authorize identifies the viewer and checks the route's policy.
func (s *server) authorize(rt route, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		viewer, err := s.identify(w, r, rt)
		if err != nil {
			return err
		}
		stateOf(r).identity = viewer
		if viewer.signedIn() && s.sessions.recentlyAuthenticated(r.Context()) {
			r = r.WithContext(account.WithRecentAuthentication(r.Context()))
		}
		r = s.withLanguage(withViewerOrigin(r, rt, viewer), rt, viewer)
		setCacheControl(w.Header(), rt.response, viewer)
		if rt.signedOut != nil && !viewer.signedIn() {
			return bodyLimit(rt, s.limitRate(rt, rt.signedOut))(w, r)
		}
		if err := rt.authorize(viewer); err != nil {
			return err
		}
		if s.needsSecondFactor(rt, viewer) {
			return leadToSecondFactor(w, r, rt)
		}
		if rt.blockedByDeletion(viewer) {
			return s.refuseDeleted(w, r, rt)
		}
		return next(w, r)
	}
}

// blockedByDeletion reports whether the route needs an organization and the viewer's was deleted.
func (rt route) blockedByDeletion(v identity) bool {
	return rt.policy.forOrganization() && !rt.afterDeletion && v.access.Organization.DeletedAt != nil
}

// refuseDeleted redirects a page of a deleted organization to its invoices. Other requests get a
// conflict.
func (s *server) refuseDeleted(w http.ResponseWriter, r *http.Request, rt route) error {
	if rt.response == page && rt.method == get {
		redirect(w, r, "/billing/invoices")
		return nil
	}
	return apperr.Errorf(apperr.CodeConflict, account.MessageDeleted)
}

// setCacheControl keeps personal responses out of every cache, the browser's own included. Browsers
// may keep signed-out pages but must revalidate them, since pages differ by cookie.
func setCacheControl(header http.Header, f responseType, v identity) {
	header.Add("Vary", "Cookie")
	if f == page {
		header.Add("Vary", "HX-Request")
		header.Add("Vary", "Accept-Language")
	}
	if v.signedIn() || f.forPrograms() {
		header.Set("Cache-Control", "no-store")
		return
	}
	header.Set("Cache-Control", "private, no-cache")
}

// checkFormOrganization refuses a form that was rendered for another organization than the
// session's: the viewer may have switched in another tab.
func (s *server) checkFormOrganization(rt route, next handlerFunc) handlerFunc {
	if rt.response != page || rt.method != post || !rt.policy.forOrganization() {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		organizationID := r.PostFormValue("organizationId")
		if organizationID != "" && organizationID != accessOf(r).Organization.ID {
			return apperr.Errorf(apperr.CodeConflict, apperr.MessageOtherOrganization)
		}
		return next(w, r)
	}
}
