package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	billingviews "usher/views/billing"
)

// Bounds of a return from Checkout or the portal: how long Stripe is waited for, how often the page asks again, and how soon.
const (
	returnTimeout  = 3 * time.Second
	returnPolls    = 20
	returnInterval = 2 * time.Second
)

// checkoutReturn is what the address says of where one comes from, and what Stripe said to it.
type checkoutReturn struct {
	from      billingviews.CheckoutReturn
	checked   bool // Stripe was asked about a Checkout session
	confirmed bool // and has confirmed it
	credits   int  // what it sold were these, and no plan
	stale     bool // Stripe did not answer after the portal
	polls     int  // how often the page has asked by itself
}

// comebackOf takes up a return from Checkout or the portal. moved: an answer was written, the request belongs elsewhere.
func (p *checkoutPages) handleReturn(w http.ResponseWriter, r *http.Request) (back checkoutReturn, moved bool, err error) {
	query := r.URL.Query()
	if query.Get("portal") == "" || query.Get("success") == "true" {
		return p.handleCheckoutReturn(w, r)
	}
	back.polls = pollCount(r)
	ctx, cancel := context.WithTimeout(r.Context(), p.returnTimeout)
	defer cancel()
	err = p.subscriptions.Refresh(ctx, accessOf(r))
	if isStripeUnavailable(err) {
		stateOf(r).err, back.stale, err = err, true, nil
	}
	return back, false, err
}

// checkoutReturn takes up a return from Checkout. The address alone proves nothing: Stripe is asked about the session.
func (p *checkoutPages) handleCheckoutReturn(w http.ResponseWriter, r *http.Request) (back checkoutReturn, moved bool, err error) {
	query := r.URL.Query()
	switch {
	case query.Get("canceled") == "true":
		return checkoutReturn{from: billingviews.ReturnCanceled, polls: pollCount(r)}, false, nil
	case query.Get("success") != "true":
		return checkoutReturn{polls: pollCount(r)}, false, nil
	}
	back = checkoutReturn{from: billingviews.ReturnConfirming, polls: pollCount(r)}
	sessionID := query.Get("session_id")
	if sessionID == "" {
		return back, false, nil
	}
	back.checked = true
	completed, err := p.complete(r, accessOf(r), sessionID)
	back.confirmed, back.credits = completed.Settled, completed.Credits
	if !errors.Is(err, apperr.ErrNotFound) {
		return back, false, err
	}
	moved, err = p.switchToOrganizationOf(w, r, sessionID)
	return back, moved, err
}

// completeCheckout asks about a session for a short time; no answer is no error.
func (p *checkoutPages) complete(r *http.Request, a account.Access, sessionID string) (billing.CompletedCheckout, error) {
	ctx, cancel := context.WithTimeout(r.Context(), p.returnTimeout)
	defer cancel()
	completed, err := p.checkouts.Complete(ctx, a, sessionID)
	if isStripeUnavailable(err) {
		stateOf(r).err = err
		return billing.CompletedCheckout{}, nil
	}
	return completed, err
}

// isStripeUnavailable tells whether Stripe refused or did not answer in time; the page then shows what is known.
func isStripeUnavailable(err error) bool {
	return apperr.CodeOf(err) == apperr.CodeStripe || errors.Is(err, context.DeadlineExceeded)
}

// followCheckout switches to the organization that a Checkout session was opened for, where it is another one of the viewer's own: in
// another tab one may have switched meanwhile. A session of nobody's here is not found.
func (p *checkoutPages) switchToOrganizationOf(w http.ResponseWriter, r *http.Request, sessionID string) (moved bool, err error) {
	organizations, err := p.organizations.OfUser(r.Context(), identityOf(r).userID)
	if err != nil {
		return false, err
	}
	for _, organization := range organizations {
		err := p.completeForOrganization(r, organization.ID, sessionID)
		if errors.Is(err, apperr.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		p.sessions.Put(r.Context(), sessionOrganization, organization.ID)
		redirect(w, r, r.URL.RequestURI())
		return true, nil
	}
	return false, apperr.ErrNotFound
}

func (p *checkoutPages) completeForOrganization(r *http.Request, organizationID, sessionID string) error {
	access, err := p.organizations.Access(r.Context(), identityOf(r).userID, organizationID)
	if err != nil {
		return err
	}
	_, err = p.complete(r, access, sessionID)
	return err
}

// state says how a return from Checkout stands, once the organization's state has been read.
func (b checkoutReturn) state(o billing.Overview) billingviews.CheckoutReturn {
	switch {
	case b.from != billingviews.ReturnConfirming:
		return b.from
	case b.confirmed || (!b.checked && o.HasAccess):
		return billingviews.ReturnConfirmed
	case b.polls >= returnPolls:
		return billingviews.ReturnDelayed
	}
	return billingviews.ReturnConfirming
}

// shouldPoll tells whether the page shall ask again by itself.
func (b checkoutReturn) shouldPoll(o billing.Overview) bool {
	return b.state(o) == billingviews.ReturnConfirming || (b.stale && b.polls < returnPolls)
}

// pollCount reads how often the page has asked by itself.
func pollCount(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("poll"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, returnPolls)
}

// pollPath is where the billing panel asks for itself for the nth time; the first time it is where a person looks again.
func pollPath(r *http.Request, n int) string {
	query := url.Values{"tab": {"billing"}}
	for _, name := range []string{"success", "session_id", "portal"} {
		if value := r.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	if n > 0 {
		query.Set("poll", strconv.Itoa(n))
	}
	return "/organization?" + query.Encode()
}
