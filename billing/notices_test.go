package billing_test

import (
	"encoding/json"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
)

// kept counts the mails of a kind in the outbox.
func (s *stage) kept(kind mail.Kind) int {
	s.t.Helper()
	mails, err := s.store.Mails().Unsent(s.t.Context(), 100)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, m := range mails {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

func TestNoticesAreWrittenOncePerFact(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	now := time.Now().UTC().Truncate(time.Second)
	price := s.planPrice("pro", catalog.Monthly)
	renewal := paidInvoice{"in_renewal", "subscription_cycle", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	for i, kind := range []string{"invoice.paid", "invoice.payment_succeeded", "invoice.updated", "invoice.paid"} {
		deliver(t, s, renewal.event(s, current, "evt_"+string(rune('a'+i)), kind))
	}
	if got := s.kept(mail.KindRenewed); got != 1 {
		t.Errorf("one renewal is told %d times", got)
	}
	old := renewal
	old.id, old.created = "in_old", now.AddDate(0, 0, -10)
	deliver(t, s, old.event(s, current, "evt_old", "invoice.paid"))
	if got := s.kept(mail.KindRenewed); got != 1 {
		t.Error("news of ten days ago is told")
	}
	first := paidInvoice{"in_first", "subscription_create", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	deliver(t, s, first.event(s, current, "evt_first", "invoice.paid"))
	if got := s.kept(mail.KindRenewed); got != 1 {
		t.Error("a first payment is told as a renewal")
	}
}

func TestEndOfASubscriptionIsTold(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	s.cancelAtStripe(current)
	for range 3 {
		if err := s.service.Subscriptions.Refresh(t.Context(), s.access); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.kept(mail.KindCanceled); got != 1 {
		t.Errorf("the end is told %d times", got)
	}
}

func TestEndOfATrialIsToldToItsOwnersAlone(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	now := time.Now().UTC().Truncate(time.Second)
	event := func(id, customerID string) []byte {
		payload, err := json.Marshal(map[string]any{
			"id": id, "object": "event", "type": "customer.subscription.trial_will_end", "api_version": "2024-06-20", "created": now.Unix(),
			"data": map[string]any{"object": map[string]any{
				"id": current.ID, "object": "subscription", "customer": customerID, "status": "trialing", "trial_end": now.AddDate(0, 0, 3).Unix(),
				"metadata": map[string]any{"orgId": s.access.Organization.ID}, "items": map[string]any{"object": "list", "data": []any{}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	deliver(t, s, event("evt_stranger", "cus_stranger"))
	if got := s.kept(mail.KindTrialEnding); got != 0 {
		t.Errorf("a stranger's trial is told %d times", got)
	}
	for _, id := range []string{"evt_1", "evt_2"} {
		deliver(t, s, event(id, current.CustomerID))
	}
	if got := s.kept(mail.KindTrialEnding); got != 1 {
		t.Errorf("the end of the trial is told %d times", got)
	}
}
