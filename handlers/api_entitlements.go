package handlers

import (
	"net/http"

	"usher/billing"
)

// entitlements is the response of /api/v1/entitlements.
type entitlements struct {
	OrganizationID string             `json:"organizationId"`
	Plan           *string            `json:"plan"`
	Status         *string            `json:"status"`
	Access         bool               `json:"access"`
	Seats          entitlementSeats   `json:"seats"`
	Credits        entitlementCredits `json:"credits"`
	Entitlements   []string           `json:"entitlements"`
}

type entitlementSeats struct {
	Billed int `json:"billed"`
	Paid   int `json:"paid"`
}

type entitlementCredits struct {
	Balance  int    `json:"balance"`
	Granted  int    `json:"granted"`
	ResetsAt *int64 `json:"resetsAt"` // Unix seconds
}

// getEntitlements responds with what the organization may use.
func (a *jsonAPI) getEntitlements(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeTagged(w, r, entitlementsOf(o))
}

func entitlementsOf(o billing.Overview) entitlements {
	response := entitlements{
		OrganizationID: o.Organization.ID, Access: o.HasAccess, Seats: entitlementSeats{Billed: o.Seats.Billable, Paid: o.Seats.Quantity},
		Credits: entitlementCredits{Balance: o.Credits.Balance, Granted: o.Credits.Granted}, Entitlements: []string{},
	}
	if o.Subscription != nil {
		status := string(o.Subscription.Status)
		response.Status = &status
	}
	if o.Plan != nil {
		response.Plan = &o.Plan.ID
		if o.HasAccess {
			response.Entitlements = append(response.Entitlements, o.Plan.Entitlements...)
		}
	}
	if o.Credits.ResetsAt != nil {
		seconds := o.Credits.ResetsAt.Unix()
		response.Credits.ResetsAt = &seconds
	}
	return response
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
