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

// Limits after a return from Checkout or the portal: the time-out of the call to Stripe, and how
// often and at which interval the page polls.
const (
	returnTimeout  = 2500 * time.Millisecond // the page is complete within three seconds
	returnPolls    = 20
	returnInterval = 2 * time.Second
)

// checkoutReturn describes a return from Checkout or the portal, and what Stripe reported about it.
type checkoutReturn struct {
	from      billingviews.CheckoutReturn
	checked   bool // the Checkout session was fetched from Stripe
	confirmed bool // and is complete
	credits   int  // bought with a pack; 0 for a plan
	completed billing.CompletedCheckout
	stale     bool // the refetch after the portal failed
	polls     int  // how often the page has polled
}

// handleReturn handles a return from Checkout or the portal. If redirected is true, the response is
// a redirect and the caller writes nothing.
func (p *checkoutPages) handleReturn(w http.ResponseWriter, r *http.Request) (ret checkoutReturn, redirected bool, err error) {
	query := r.URL.Query()
	if query.Get("portal") == "" || query.Get("success") == "true" {
		return p.handleCheckoutReturn(w, r)
	}
	ret.polls = pollCount(r)
	ctx, cancel := context.WithTimeout(r.Context(), p.returnTimeout)
	defer cancel()
	err = p.subscriptions.Refresh(ctx, accessOf(r))
	if isStripeUnavailable(err) {
		stateOf(r).err, ret.stale, err = err, true, nil
	}
	return ret, false, err
}

// handleCheckoutReturn handles a return from Checkout. The URL proves nothing, so the session is
// fetched from Stripe.
func (p *checkoutPages) handleCheckoutReturn(w http.ResponseWriter, r *http.Request) (ret checkoutReturn, redirected bool, err error) {
	query := r.URL.Query()
	switch {
	case query.Get("canceled") == "true":
		return checkoutReturn{from: billingviews.ReturnCanceled, polls: pollCount(r)}, false, nil
	case query.Get("success") != "true":
		return checkoutReturn{polls: pollCount(r)}, false, nil
	}
	ret = checkoutReturn{from: billingviews.ReturnConfirming, polls: pollCount(r)}
	sessionID := query.Get("session_id")
	if sessionID == "" {
		return ret, false, nil
	}
	ret.checked = true
	completed, err := p.complete(r, accessOf(r), sessionID)
	ret.confirmed, ret.credits, ret.completed = completed.Confirmed, completed.Credits, completed
	if !errors.Is(err, apperr.ErrNotFound) {
		return ret, false, err
	}
	redirected, err = p.switchToOrganizationOf(w, r, sessionID)
	return ret, redirected, err
}

// complete fetches a Checkout session within the return time-out. If Stripe is unavailable, the
// result is empty and the webhook completes the session later.
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

// isStripeUnavailable reports whether Stripe failed or did not respond in time. The page then shows
// the stored state.
func isStripeUnavailable(err error) bool {
	return apperr.CodeOf(err) == apperr.CodeStripe || errors.Is(err, context.DeadlineExceeded)
}

// switchToOrganizationOf makes the organization that the Checkout session was opened for the
// current one, if the viewer is a member: they may have switched in another tab. Any other session
// is not found.
func (p *checkoutPages) switchToOrganizationOf(w http.ResponseWriter, r *http.Request, sessionID string) (redirected bool, err error) {
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

// state returns what to show about the return, given the organization's current state.
func (b checkoutReturn) state(o billing.Overview) billingviews.CheckoutReturn {
	switch {
	case b.from != billingviews.ReturnConfirming:
		return b.from
	case b.completed.Processing:
		return billingviews.ReturnProcessing
	case b.confirmed || (!b.checked && o.HasAccess):
		return b.confirmedState(o)
	case b.polls >= returnPolls:
		return billingviews.ReturnDelayed
	}
	return billingviews.ReturnConfirming
}

// confirmedState returns what to show about a confirmed payment. Nothing is said above a later one
// that failed.
func (b checkoutReturn) confirmedState(o billing.Overview) billingviews.CheckoutReturn {
	if b.credits == 0 && (o.OpenInvoice != nil || isUnpaid(o.Trouble)) {
		return billingviews.ReturnNone
	}
	return billingviews.ReturnConfirmed
}

// isUnpaid reports whether trouble is about a payment that was due, and not about the card for the
// next one.
func isUnpaid(trouble *billing.PaymentTrouble) bool {
	return trouble != nil && trouble.Kind != billing.TroubleTrialCard && trouble.Kind != billing.TroubleCardExpiry
}

// shouldPoll reports whether the page polls.
func (b checkoutReturn) shouldPoll(o billing.Overview) bool {
	return b.state(o) == billingviews.ReturnConfirming || (b.stale && b.polls < returnPolls)
}

// pollCount reads how often the page has polled.
func pollCount(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("poll"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, returnPolls)
}

// pollPath returns the address of the nth poll of the billing panel; 0 is the address for a manual
// reload.
func pollPath(r *http.Request, n int) string {
	query := url.Values{"tab": {"billing"}}
	for _, name := range []string{"success", "session_id", "portal", awaitedChange} {
		if value := r.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	if n > 0 {
		query.Set("poll", strconv.Itoa(n))
	}
	return "/organization?" + query.Encode()
}
