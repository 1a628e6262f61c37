package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"usher/billing"
)

const billingPath = "/organization?tab=billing"

// createPortal leads to the customer portal, or to the part of it that a deep link names.
func (s *server) createPortal(w http.ResponseWriter, r *http.Request) error {
	to, err := s.billing.Portal.Open(r.Context(), accessOf(r), billing.PortalFlow(r.PostFormValue("flow")), s.portalReturn())
	if err != nil {
		return err
	}
	s.redirect(w, r, to)
	return nil
}

// cancelPlan has the plan end with what is paid for.
func (s *server) cancelPlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.Subscriptions.CancelAtPeriodEnd(r.Context(), accessOf(r)), noticeCanceled)
}

// resumePlan has it go on.
func (s *server) resumePlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.Subscriptions.Resume(r.Context(), accessOf(r)), noticeResumed)
}

func (s *server) afterPlan(w http.ResponseWriter, r *http.Request, err error, notice string) error {
	if err != nil {
		return err
	}
	s.redirect(w, r, billingPath+"&notice="+notice)
	return nil
}

// resyncTimeout is how long a page waits for Stripe because somebody asked for just that.
const resyncTimeout = 10 * time.Second

// resync compares the organization with Stripe.
func (s *server) resync(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), resyncTimeout)
	defer cancel()
	report, err := s.billing.Reconciler.Resync(ctx, accessOf(r))
	if err != nil {
		return err
	}
	notice := noticeInSync
	if len(report.Drifts) > 0 {
		notice = noticeResynced
	}
	s.redirect(w, r, "/organization?tab=billing&notice="+notice)
	return nil
}

// portalReturn is the configured return URL, marked so that the page knows to ask Stripe. Another site's would not know the mark.
func (s *server) portalReturn() string {
	u, err := url.Parse(s.returnURL)
	if err != nil || u.Host != s.baseURL.Host {
		return s.returnURL
	}
	query := u.Query()
	query.Set("portal", "1")
	u.RawQuery = query.Encode()
	return u.String()
}
