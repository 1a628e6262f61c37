package handlers

import (
	"fmt"
	"io"
	"net/http"
	"usher/billing"
)

// webhookEndpoint receives events from Stripe.
type webhookEndpoint struct {
	inbox *billing.Inbox
}

// webhookResponse is what Stripe is answered. It looks at the status only; the body is for people who try the address out.
type webhookResponse struct {
	Received bool `json:"received"`
}

// receiveEvent takes an event of Stripe. It answers 200 once the event is stored and committed, 400 where sending it again can't help,
// and 500 where it can.
func (e *webhookEndpoint) receive(w http.ResponseWriter, r *http.Request) error {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return errBody.withCause(err)
	}
	if err := e.inbox.Receive(r.Context(), payload, r.Header.Get("Stripe-Signature")); err != nil {
		return fmt.Errorf("receive event: %w", err)
	}
	return writeJSON(w, http.StatusOK, webhookResponse{Received: true})
}
