package handlers

import (
	"net/http"

	"usher/billing"
)

// entitlements is the answer of /api/v1/entitlements.
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

// getEntitlements tells what the organization may use.
func (a *jsonAPI) getEntitlements(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, entitlementsOf(o))
}

func entitlementsOf(o billing.Overview) entitlements {
	answer := entitlements{
		OrganizationID: o.Organization.ID, Access: o.HasAccess, Seats: entitlementSeats{Billed: o.Seats.Billable, Paid: o.Seats.Quantity},
		Credits: entitlementCredits{Balance: o.Credits.Balance, Granted: o.Credits.Granted}, Entitlements: []string{},
	}
	if o.Subscription != nil {
		status := string(o.Subscription.Status)
		answer.Status = &status
	}
	if o.Plan != nil {
		answer.Plan = &o.Plan.ID
		if o.HasAccess {
			answer.Entitlements = append(answer.Entitlements, o.Plan.Entitlements...)
		}
	}
	if o.Credits.ResetsAt != nil {
		seconds := o.Credits.ResetsAt.Unix()
		answer.Credits.ResetsAt = &seconds
	}
	return answer
}

// consumeRequest is what /api/v1/credits/consume takes.
type consumeRequest struct {
	OrganizationID string `json:"organizationId"` // may be left out: the session's
	Amount         int    `json:"amount"`
	Reason         string `json:"reason"`
	IdempotencyKey string `json:"idempotencyKey"`
}

type consumeResponse struct {
	Balance int `json:"balance"`
}

// consumeCredits takes credits.
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
