package handlers

import (
	"context"
	"errors"
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/brand"
)

// jsonAPI serves the JSON endpoints that use a session.
type jsonAPI struct {
	organizations   *account.Organizations
	overviews       *billing.Overviews
	checkouts       *billing.Checkouts
	portal          *billing.Portal
	seatSyncer      *billing.SeatSyncer
	members         *account.Members
	memberSets      *billing.MemberSets
	provisioning    *account.Provisioning
	invoices        *billing.Invoices
	credits         *billing.Credits
	portalReturnURL string
	// allowInvitation counts an invitation, see [server.allowInvitation].
	allowInvitation func(*http.Request) error
	brand           brand.Brand
}

// summary is the response of /billing/getSummary. Times are Unix seconds.
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
	// AwaitsConfirmation: the subscription was imported and keeps its quantity until somebody
	// confirms the number of people.
	AwaitsConfirmation bool `json:"awaitsConfirmation,omitempty"`
}

// getSummary responds with the billing state of the organization.
func (a *jsonAPI) getSummary(w http.ResponseWriter, r *http.Request) error {
	overview, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, summaryOf(overview))
}

func summaryOf(o billing.Overview) summary {
	response := summary{
		OrganizationID: o.Organization.ID,
		Seats:          summarySeats{o.Seats.Billable, o.Seats.Desired, o.Seats.LastApplied},
		Sync:           summarySync{Status: o.Seats.Status, AwaitsConfirmation: o.Seats.Unconfirmed},
	}
	if o.CustomerID != "" {
		response.Customer = &summaryCustomer{o.CustomerID}
	}
	if o.Subscription != nil {
		response.Subscription = &summarySubscription{
			o.Subscription.ID, o.Subscription.PriceID, o.Subscription.Status, o.Subscription.CurrentPeriodEnd.Unix(),
			o.Subscription.CancelAtPeriodEnd,
		}
	}
	if o.Seats.LastSyncAt != nil {
		seconds := o.Seats.LastSyncAt.Unix()
		response.Sync.LastSyncAt = &seconds
	}
	if o.Seats.Error != "" {
		response.Sync.Error = &o.Seats.Error
	}
	return response
}

// checkoutRequest is the body of /billing/createSubscriptionCheckout. SessionID is accepted for
// compatibility and ignored: the session is the cookie's.
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

// createSubscriptionCheckout opens Checkout for a price of the catalog: of a plan or, in payment
// mode, of a pack.
func (a *jsonAPI) createSubscriptionCheckout(w http.ResponseWriter, r *http.Request) error {
	var body checkoutRequest
	if err := a.decodeForOrganization(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	start := a.checkouts.Start
	switch billing.CheckoutMode(body.Mode) {
	case "", billing.ModeSubscription:
	case billing.ModePayment:
		start = a.checkouts.StartPack
	default:
		return apperr.Errorf(apperr.CodeInvalid, "The mode has to be subscription or payment.")
	}
	session, err := start(r.Context(), accessOf(r), billing.CheckoutRequest{
		PriceID: body.PriceID, SuccessURL: body.SuccessURL, CancelURL: body.CancelURL, Texts: checkoutTexts(r.Context(), a.brand),
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

func (a *jsonAPI) createCustomerPortal(w http.ResponseWriter, r *http.Request) error {
	var body portalRequest
	if err := a.decodeForOrganization(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	returnURL := body.ReturnURL
	if returnURL == "" {
		returnURL = a.portalReturnURL
	}
	to, err := a.portal.Open(r.Context(), accessOf(r), billing.PortalHome, returnURL)
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

// retrySeatSync starts a seat sync at once. The body is optional; the organization is the
// session's.
func (a *jsonAPI) retrySeatSync(w http.ResponseWriter, r *http.Request) error {
	body := retryRequest{OrganizationID: accessOf(r).Organization.ID}
	if hasBody(r) {
		if err := a.decodeForOrganization(r, &body, &body.OrganizationID); err != nil {
			return err
		}
	}
	queued, err := a.seatSyncer.Retry(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, retryResponse{OK: true, Queued: queued})
}

// decodeForOrganization decodes the body and checks that it names the current organization.
func (a *jsonAPI) decodeForOrganization(r *http.Request, into any, organizationID *string) error {
	if err := decodeJSON(r, into); err != nil {
		return err
	}
	return a.requireCurrentOrganization(r.Context(), identityOf(r), *organizationID)
}

// requireCurrentOrganization returns a conflict for another of the caller's organizations, and not
// found for any other id.
func (a *jsonAPI) requireCurrentOrganization(ctx context.Context, v identity, organizationID string) error {
	switch organizationID {
	case v.access.Organization.ID:
		return nil
	case "":
		return apperr.Errorf(apperr.CodeInvalid, "organizationId is missing.")
	}
	_, err := a.organizations.Access(ctx, v.userID, organizationID)
	switch {
	case errors.Is(err, apperr.ErrNotFound):
		return apperr.ErrNotFound
	case err != nil:
		return err
	}
	return apperr.Errorf(apperr.CodeConflict, apperr.MessageOtherOrganization)
}
