package billing_test

import (
	"encoding/json"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
)

func TestRenewalNoticeIsQueuedOnce(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	now := time.Now().UTC().Truncate(time.Second)
	price := env.planPriceID("pro", catalog.Monthly)
	renewal := paidInvoice{"in_renewal", "subscription_cycle", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	for i, kind := range []string{"invoice.paid", "invoice.payment_succeeded", "invoice.updated", "invoice.paid"} {
		deliver(t, env, renewal.event(env, current, "evt_"+string(rune('a'+i)), kind))
	}
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Errorf("%d renewal notices, want 1", got)
	}
	old := renewal
	old.id, old.created = "in_old", now.AddDate(0, 0, -10)
	deliver(t, env, old.event(env, current, "evt_old", "invoice.paid"))
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Error("a renewal of ten days ago queued a notice")
	}
	first := paidInvoice{"in_first", "subscription_create", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	deliver(t, env, first.event(env, current, "evt_first", "invoice.paid"))
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Error("the first payment queued a renewal notice")
	}
}

func TestCancellationNoticeIsQueuedOnce(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.cancelAtStripe(current)
	for range 3 {
		if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
			t.Fatal(err)
		}
	}
	if got := env.countMails(mail.KindCanceled); got != 1 {
		t.Errorf("%d cancellation notices, want 1", got)
	}
}

func TestTrialEndingNoticeRequiresLinkedCustomer(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	now := time.Now().UTC().Truncate(time.Second)
	event := func(id, customerID string) []byte {
		payload, err := json.Marshal(map[string]any{
			"id": id, "object": "event", "type": "customer.subscription.trial_will_end", "api_version": "2024-06-20", "created": now.Unix(),
			"data": map[string]any{"object": map[string]any{
				"id": current.ID, "object": "subscription", "customer": customerID, "status": "trialing", "trial_end": now.AddDate(0, 0, 3).Unix(),
				"metadata": map[string]any{"orgId": env.access.Organization.ID},
				"items": map[string]any{"object": "list", "data": []any{map[string]any{
					"id": current.ItemID, "object": "subscription_item", "quantity": 1, "price": map[string]any{"id": current.PriceID, "object": "price"},
				}}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	deliver(t, env, event("evt_other", "cus_other"))
	if got := env.countMails(mail.KindTrialEnding); got != 0 {
		t.Errorf("%d trial notices for an unlinked customer, want 0", got)
	}
	for _, id := range []string{"evt_1", "evt_2"} {
		deliver(t, env, event(id, current.CustomerID))
	}
	if got := env.countMails(mail.KindTrialEnding); got != 1 {
		t.Errorf("%d trial notices, want 1", got)
	}
}
