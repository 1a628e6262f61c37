package handlers

import (
	"context"
	"errors"
	"net/http"

	"usher/billing"
	"usher/billing/apperr"
)

// summary is the answer of /billing/getSummary. Times are Unix seconds.
type summary struct {
	OrganizationID string               `json:"organizationId"`
	Customer       *summaryCustomer     `json:"customer"`
	Subscription   *summarySubscription `json:"subscription"`
	Seats          summarySeats         `json:"seats"`
	Sync           summarySync          `json:"sync"`
}

type summaryCustomer struct {
	StripeCustomerID string `json:"stripeCustomerId"`
}

type summarySubscription struct {
	StripeSubscriptionID string                     `json:"stripeSubscriptionId"`
	StripePriceID        string                     `json:"stripePriceId"`
	Status               billing.SubscriptionStatus `json:"status"`
	CurrentPeriodEnd     int64                      `json:"currentPeriodEnd"`
	CancelAtPeriodEnd    bool                       `json:"cancelAtPeriodEnd"`
}

type summarySeats struct {
	BillableMembers  int  `json:"billableMembers"`
	DesiredSeats     int  `json:"desiredSeats"`
	LastAppliedSeats *int `json:"lastAppliedSeats"`
}

type summarySync struct {
	Status     billing.SyncStatus `json:"status"`
	LastSyncAt *int64             `json:"lastSyncAt"`
	Error      *string            `json:"error"`
}

// getSummary tells any member how the organization's billing stands.
func (s *server) getSummary(w http.ResponseWriter, r *http.Request) error {
	overview, err := s.billing.Overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, summaryOf(overview))
}

func summaryOf(o billing.Overview) summary {
	answer := summary{
		OrganizationID: o.Organization.ID,
		Seats:          summarySeats{o.Seats.Billable, o.Seats.Desired, o.Seats.LastApplied},
		Sync:           summarySync{Status: o.Seats.Status},
	}
	if o.CustomerID != "" {
		answer.Customer = &summaryCustomer{o.CustomerID}
	}
	if o.Subscription != nil {
		answer.Subscription = &summarySubscription{
			o.Subscription.ID, o.Subscription.PriceID, o.Subscription.Status, o.Subscription.CurrentPeriodEnd.Unix(),
			o.Subscription.CancelAtPeriodEnd,
		}
	}
	if o.Seats.LastSyncAt != nil {
		seconds := o.Seats.LastSyncAt.Unix()
		answer.Sync.LastSyncAt = &seconds
	}
	if o.Seats.Error != "" {
		answer.Sync.Error = &o.Seats.Error
	}
	return answer
}

// checkoutRequest is what /billing/createSubscriptionCheckout takes. SessionID is taken because callers send it; the session is the
// cookie's, whatever it says.
type checkoutRequest struct {
	OrganizationID string `json:"organizationId"`
	PriceID        string `json:"priceId"`
	Mode           string `json:"mode"`
	SuccessURL     string `json:"successUrl"`
	CancelURL      string `json:"cancelUrl"`
	SessionID      string `json:"sessionId"`
}

type checkoutResponse struct {
	URL       string `json:"url"`
	SessionID string `json:"sessionId"`
}

// createSubscriptionCheckout opens Checkout for a price of the catalogue: a plan's, or in the mode payment a pack's.
func (s *server) createSubscriptionCheckout(w http.ResponseWriter, r *http.Request) error {
	var body checkoutRequest
	if err := s.readOwn(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	start := s.billing.Checkouts.Start
	switch billing.CheckoutMode(body.Mode) {
	case "", billing.ModeSubscription:
	case billing.ModePayment:
		start = s.billing.Checkouts.StartPack
	default:
		return apperr.Errorf(apperr.CodeInvalid, "The mode has to be subscription or payment.")
	}
	session, err := start(r.Context(), accessOf(r), billing.CheckoutRequest{
		PriceID: body.PriceID, SuccessURL: body.SuccessURL, CancelURL: body.CancelURL,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, checkoutResponse{session.URL, session.StripeSessionID})
}

type portalRequest struct {
	OrganizationID string `json:"organizationId"`
	ReturnURL      string `json:"returnUrl"`
	SessionID      string `json:"sessionId"`
}

type portalResponse struct {
	URL string `json:"url"`
}

// createCustomerPortal opens the customer portal.
func (s *server) createCustomerPortal(w http.ResponseWriter, r *http.Request) error {
	var body portalRequest
	if err := s.readOwn(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	back := body.ReturnURL
	if back == "" {
		back = s.portalReturn()
	}
	to, err := s.billing.Portal.Open(r.Context(), accessOf(r), billing.PortalHome, back)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, portalResponse{to})
}

type retryRequest struct {
	OrganizationID string `json:"organizationId"`
	SessionID      string `json:"sessionId"`
}

type retryResponse struct {
	OK     bool `json:"ok"`
	Queued bool `json:"queued"`
}

// retrySeatSync has Stripe told the number of seats at once. It needs no body: the organization is the session's.
func (s *server) retrySeatSync(w http.ResponseWriter, r *http.Request) error {
	body := retryRequest{OrganizationID: accessOf(r).Organization.ID}
	if hasBody(r) {
		if err := s.readOwn(r, &body, &body.OrganizationID); err != nil {
			return err
		}
	}
	queued, err := s.billing.SeatSyncer.Retry(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, retryResponse{OK: true, Queued: queued})
}

// readOwn reads a body and holds its organization against the session's.
func (s *server) readOwn(r *http.Request, into any, organizationID *string) error {
	if err := decodeJSON(r, into); err != nil {
		return err
	}
	return s.requireOwn(r.Context(), identityOf(r), *organizationID)
}

// requireOwn refuses another organization than the session's: one the caller is no member of as if it did not exist, another one of
// their own with a conflict.
func (s *server) requireOwn(ctx context.Context, v identity, organizationID string) error {
	switch organizationID {
	case v.access.Organization.ID:
		return nil
	case "":
		return apperr.Errorf(apperr.CodeInvalid, "organizationId is missing.")
	}
	_, err := s.billing.Organizations.Access(ctx, v.userID, organizationID)
	switch {
	case errors.Is(err, apperr.ErrNotFound):
		return apperr.ErrNotFound
	case err != nil:
		return err
	}
	return apperr.Errorf(apperr.CodeConflict, apperr.MessageOtherOrganization)
}
