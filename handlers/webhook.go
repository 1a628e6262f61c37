package handlers

import (
	"fmt"
	"net/http"

	"usher/billing"
)

// webhookEndpoint receives events from Stripe.
type webhookEndpoint struct {
	inbox *billing.Inbox
}

// webhookResponse is the response to Stripe, which reads only the status.
type webhookResponse struct {
	Received bool `json:"received"`
}

// receive stores an event. It responds with 200 after the commit, with 400 if a retry cannot help,
// and with 500 if it can. See [billing.Inbox.Receive].
func (e *webhookEndpoint) receive(w http.ResponseWriter, r *http.Request) error {
	if err := e.inbox.Receive(r.Context(), bodyOf(r), r.Header.Get("Stripe-Signature")); err != nil {
		return fmt.Errorf("receive event: %w", err)
	}
	return writeJSON(w, http.StatusOK, webhookResponse{Received: true})
}
