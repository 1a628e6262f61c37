package handlers

import (
	"net/http"
	"time"

	webhooks "usher/billing/webhook"
)

// webhookList is the response of GET /api/v1/webhooks.
type webhookList struct {
	Webhooks []webhookObject `json:"webhooks"` // oldest first
}

// webhookObject is an outgoing webhook. Times are Unix seconds.
type webhookObject struct {
	ID           string               `json:"id"`
	URL          string               `json:"url"`
	Events       []webhooks.EventType `json:"events"`
	Enabled      bool                 `json:"enabled"`
	CreatedAt    int64                `json:"createdAt"`
	FailingSince *int64               `json:"failingSince"` // null: it does not fail
	SucceededAt  *int64               `json:"succeededAt"`
}

// webhookWithSecret is the response that shows a signing secret, once.
type webhookWithSecret struct {
	webhookObject
	Secret string `json:"secret"`
}

func webhookObjectOf(e webhooks.Endpoint) webhookObject {
	return webhookObject{
		ID: e.ID, URL: e.URL, Events: e.Events, Enabled: e.Enabled(), CreatedAt: e.CreatedAt.Unix(),
		FailingSince: secondsOrNull(e.FailingSince), SucceededAt: secondsOrNull(e.SucceededAt),
	}
}

func secondsOrNull(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	seconds := t.Unix()
	return &seconds
}

// listWebhooks responds with the organization's webhooks.
func (a *jsonAPI) listWebhooks(w http.ResponseWriter, r *http.Request) error {
	endpoints, err := a.webhooks.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	response := webhookList{Webhooks: make([]webhookObject, 0, len(endpoints))}
	for _, e := range endpoints {
		response.Webhooks = append(response.Webhooks, webhookObjectOf(e))
	}
	return writeTagged(w, r, response)
}

// webhookRequest is the body of POST /api/v1/webhooks. Without events, all are sent.
type webhookRequest struct {
	OrganizationID string   `json:"organizationId"` // optional; default: the session's
	URL            string   `json:"url"`
	Events         []string `json:"events"`
}

// createWebhook creates a webhook and responds with its secret.
func (a *jsonAPI) createWebhook(w http.ResponseWriter, r *http.Request) error {
	var body webhookRequest
	if err := a.decodeOptional(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	if body.Events == nil {
		for _, event := range webhooks.EventTypes() {
			body.Events = append(body.Events, string(event))
		}
	}
	e, secret, err := a.webhooks.Create(r.Context(), accessOf(r), webhooks.Draft{URL: body.URL, Events: body.Events})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, webhookWithSecret{webhookObjectOf(e), secret})
}

// webhookActRequest is the optional body of the other endpoints.
type webhookActRequest struct {
	OrganizationID string `json:"organizationId"`
}

// decodeOptional decodes a body that may be missing and need not name the organization.
func (a *jsonAPI) decodeOptional(r *http.Request, into any, organizationID *string) error {
	if hasBody(r) {
		if err := decodeJSON(r, into); err != nil {
			return err
		}
	}
	if *organizationID == "" {
		return nil
	}
	return a.requireCurrentOrganization(r.Context(), identityOf(r), *organizationID)
}

// rotateWebhook replaces the secret and responds with the new one.
func (a *jsonAPI) rotateWebhook(w http.ResponseWriter, r *http.Request) error {
	var body webhookActRequest
	if err := a.decodeOptional(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	e, secret, err := a.webhooks.Rotate(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, webhookWithSecret{webhookObjectOf(e), secret})
}

// webhookActResponse is the response to an act without a result.
type webhookActResponse struct {
	OK bool `json:"ok"`
}

// testWebhook sends a test event.
func (a *jsonAPI) testWebhook(w http.ResponseWriter, r *http.Request) error {
	return a.actOnWebhook(w, r, func() error { return a.webhooks.SendTest(r.Context(), accessOf(r), r.PathValue("id")) })
}

// enableWebhook turns a webhook on that was turned off after failures.
func (a *jsonAPI) enableWebhook(w http.ResponseWriter, r *http.Request) error {
	return a.actOnWebhook(w, r, func() error { return a.webhooks.Enable(r.Context(), accessOf(r), r.PathValue("id")) })
}

// deleteWebhook deletes a webhook.
func (a *jsonAPI) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	if err := a.webhooks.Delete(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *jsonAPI) actOnWebhook(w http.ResponseWriter, r *http.Request, act func() error) error {
	var body webhookActRequest
	if err := a.decodeOptional(r, &body, &body.OrganizationID); err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, webhookActResponse{OK: true})
}
