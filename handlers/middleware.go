package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// requestTimeout bounds what one request may take, Stripe's part included.
const requestTimeout = 20 * time.Second

// serve puts around a route's handler what its needs and its form ask for. The outermost
// step is taken first: what needs no database comes before what does.
func (s *server) serve(rt route) http.Handler {
	if rt.response == asset || rt.response == stateless {
		return s.wrap(rt, s.withoutSession(rt))
	}
	steps := s.withSession(s.authorize(rt, bodyLimit(rt, s.checkFormOrganization(rt, s.limitRate(rt, rt.handler)))))
	steps = s.refuseCrossOrigin(steps)
	if rt.response == page {
		steps = s.redirectLoopback(steps)
	}
	return s.wrap(rt, s.buffer(steps))
}

// withoutSession serves what knows nobody, and refuses a route that says otherwise.
func (s *server) withoutSession(rt route) handlerFunc {
	switch {
	case rt.policy != public && rt.policy != webhook && rt.policy != metricsToken:
		return func(http.ResponseWriter, *http.Request) error { return errNoPolicy }
	case rt.response == asset:
		return rt.handler
	}
	return s.buffer(bodyLimit(rt, rt.handler))
}

// direct is where a route begins: it is named in the state, gets its deadline, and its errors are answered.
func (s *server) wrap(rt route, next handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := stateOf(r)
		state.route, state.response = rt.pattern, rt.response
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		if err := next(w, r.WithContext(ctx)); err != nil {
			s.fail(w, r, err)
		}
	})
}

// held keeps the answer back until it is whole.
func (s *server) buffer(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := newBufferedResponse()
		s.setReadDeadline(w, r)
		if err := next(out, r); err != nil {
			out.discard()
			s.fail(out, r, err)
		}
		out.send(w)
		return nil
	}
}

// admit lets in whom the route's needs let in.
func (s *server) authorize(rt route, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		viewer, err := s.identify(r.Context())
		if err != nil {
			return err
		}
		stateOf(r).identity = viewer
		setCacheControl(w.Header(), rt.response, viewer)
		if rt.signedOut != nil && !viewer.signedIn() {
			return bodyLimit(rt, s.limitRate(rt, rt.signedOut))(w, r)
		}
		if err := rt.policy.authorize(viewer); err != nil {
			return err
		}
		if rt.blockedByDeletion(viewer) {
			return s.refuseDeleted(w, r, rt)
		}
		return next(w, r)
	}
}

// blockedByDeletion tells that a route needs an organization that lives, and the viewer's was deleted.
func (rt route) blockedByDeletion(v identity) bool {
	return rt.policy.forOrganization() && !rt.afterDeletion && v.access.Organization.DeletedAt != nil
}

// refuseDeleted leads who opens a page to what is left of a deleted organization.
func (s *server) refuseDeleted(w http.ResponseWriter, r *http.Request, rt route) error {
	if rt.response == page && rt.method == get {
		s.redirect(w, r, "/billing/invoices")
		return nil
	}
	return apperr.Errorf(apperr.CodeConflict, account.MessageDeleted)
}

// setCacheControl keeps what belongs to a person out of every cache, the browser's own included. Signed-out pages may be kept, but are asked
// for again; they differ by cookie too.
func setCacheControl(header http.Header, f responseType, v identity) {
	header.Add("Vary", "Cookie")
	if f == page {
		header.Add("Vary", "HX-Request")
	}
	if v.signedIn() || f == api {
		header.Set("Cache-Control", "no-store")
		return
	}
	header.Set("Cache-Control", "private, no-cache")
}

// checkFormOrganization refuses a form that was made for another organization than the session's: in another tab one may have switched.
func (s *server) checkFormOrganization(rt route, next handlerFunc) handlerFunc {
	if rt.response != page || rt.method != post || !rt.policy.forOrganization() {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		meant := r.PostFormValue("organizationId")
		if meant != "" && meant != accessOf(r).Organization.ID {
			return apperr.Errorf(apperr.CodeConflict, apperr.MessageOtherOrganization)
		}
		return next(w, r)
	}
}
