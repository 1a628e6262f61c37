package billing_test

import (
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/webhook"
)

// A replica that has not read the account yet must not say that an organization has no plan.
func TestWebhooksNeedTheAccount(t *testing.T) {
	env := newTestEnv(t)
	organizationID := env.access.Organization.ID
	env.must(env.store.InTx(t.Context(), func(tx billing.Tx) error {
		return tx.Webhooks().InsertEndpoint(t.Context(), webhook.Endpoint{
			ID: "whe_1", OrganizationID: organizationID, URL: "https://example.com/", Events: webhook.EventTypes(), Secret: []byte{1}, CreatedAt: time.Now(),
		})
	}))
	env.must(env.store.Seats().PutState(t.Context(), billing.SeatState{OrganizationID: organizationID, DesiredSeats: 1}))
	starting := env.newService(env.store)
	if err := starting.Publisher.PublishAllDue(t.Context()); err == nil || !strings.Contains(err.Error(), "not loaded yet") {
		t.Fatalf("published before the account is known: %v", err)
	}
	if _, err := env.store.Webhooks().Next(t.Context(), "whe_1"); err == nil {
		t.Error("a message was made")
	}
	env.must(env.service.Publisher.PublishAllDue(t.Context()))
	next, err := env.store.Webhooks().Next(t.Context(), "whe_1")
	env.must(err)
	if next.Type != webhook.EntitlementsChanged || !strings.Contains(next.Body, `"access":false`) {
		t.Errorf("%+v", next)
	}
}
