package handlers

import (
	"net/http"

	"usher/billing"
)

// getEntitlements responds with what the organization may use.
func (a *jsonAPI) getEntitlements(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeTagged(w, r, o.EntitlementsObject())
}

// consumeRequest is the body of /api/v1/credits/consume.
type consumeRequest struct {
	OrganizationID string `json:"organizationId"` // optional; default: the session's
	Amount         int    `json:"amount"`
	Reason         string `json:"reason"`
	IdempotencyKey string `json:"idempotencyKey"`
}

type consumeResponse struct {
	Balance int `json:"balance"`
}

// consumeCredits deducts credits once per idempotency key.
func (a *jsonAPI) consumeCredits(w http.ResponseWriter, r *http.Request) error {
	var body consumeRequest
	if err := decodeJSON(r, &body); err != nil {
		return err
	}
	if body.OrganizationID != "" {
		if err := a.requireCurrentOrganization(r.Context(), identityOf(r), body.OrganizationID); err != nil {
			return err
		}
	}
	balance, err := a.credits.Consume(r.Context(), accessOf(r), billing.Consumption{
		Amount: body.Amount, Reason: body.Reason, IdempotencyKey: body.IdempotencyKey,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, consumeResponse{Balance: balance})
}
