package stripegw

import (
	"net/http"
	"testing"

	"usher/billing"
)

// Stripe stores a response of 500 under the idempotency key. The first call returns it; a later one
// gets it replayed and continues with the next key.
func TestStoredServerErrorDoesNotBlockTheKey(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	const failed = `{"error":{"type":"api_error","message":"An unexpected error occurred."}}`
	stored := map[string]bool{}
	f.HandleFunc("POST /v1/credit_notes", func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Idempotency-Key")
		switch {
		case stored[key]:
			w.Header().Set("Idempotent-Replayed", "true")
		case len(stored) == 2:
			respond(`{"id":"cn_1","object":"credit_note"}`)(w, r)
			return
		}
		stored[key] = true
		w.Header().Set("Stripe-Should-Retry", "false")
		status(http.StatusInternalServerError, failed)(w, r)
	})
	note := billing.CreditNote{InvoiceID: "in_1", Refund: 100}
	for attempt, want := range []struct {
		succeeds bool
		requests int
	}{{false, 1}, {false, 3}, {true, 6}} {
		err := gateway.CreateCreditNote(t.Context(), note)
		requests := f.seen("POST", "/v1/credit_notes")
		if (err == nil) != want.succeeds || len(requests) != want.requests {
			t.Fatalf("attempt %d: %d requests, %v", attempt+1, len(requests), err)
		}
	}
	for _, replay := range []int{1, 3} {
		if requests := f.seen("POST", "/v1/credit_notes"); requests[replay].key != requests[0].key {
			t.Errorf("request %d has the key %q, want the first one, %q", replay, requests[replay].key, requests[0].key)
		}
	}
}
