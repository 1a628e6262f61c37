package handlers

import (
	"context"
	"errors"
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	webhooks "usher/billing/webhook"
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
	webhooks        *webhooks.Endpoints
	portalReturnURL string
	// allowInvitation counts an invitation, see [server.allowInvitation].
	allowInvitation func(*http.Request) error
	brand           brand.Brand
}

// getSummary responds with the billing state of the organization.
func (a *jsonAPI) getSummary(w http.ResponseWriter, r *http.Request) error {
	overview, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, overview.Summary())
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
