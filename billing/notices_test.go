package billing_test

import (
	"slices"
	"testing"
	"time"

	"usher/billing"
)

// kept counts the mails of a kind in the outbox.
func (s *stage) kept(kind billing.MailKind) int {
	s.t.Helper()
	mails, err := s.store.UnsentMail(s.t.Context(), 100)
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
	price := s.planPrice("pro", billing.Monthly)
	renewal := paidInvoice{"in_renewal", "subscription_cycle", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	for i, kind := range []string{"invoice.paid", "invoice.payment_succeeded", "invoice.updated", "invoice.paid"} {
		deliver(t, s, renewal.event(s, current, "evt_"+string(rune('a'+i)), kind))
	}
	if got := s.kept(billing.MailRenewed); got != 1 {
		t.Errorf("one renewal is told %d times", got)
	}
	old := renewal
	old.id, old.created = "in_old", now.AddDate(0, 0, -10)
	deliver(t, s, old.event(s, current, "evt_old", "invoice.paid"))
	if got := s.kept(billing.MailRenewed); got != 1 {
		t.Error("news of ten days ago is told")
	}
	first := paidInvoice{"in_first", "subscription_create", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	deliver(t, s, first.event(s, current, "evt_first", "invoice.paid"))
	if got := s.kept(billing.MailRenewed); got != 1 {
		t.Error("a first payment is told as a renewal")
	}
}

func TestEndOfASubscriptionIsTold(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	s.cancelAtStripe(current)
	for range 3 {
		if err := s.service.RefreshSubscription(t.Context(), s.access); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.kept(billing.MailCanceled); got != 1 {
		t.Errorf("the end is told %d times", got)
	}
}

func TestTrialWillEndIsActedOn(t *testing.T) {
	if !slices.Contains(billing.EventTypes(), "customer.subscription.trial_will_end") {
		t.Error("the end of a trial is not listened for")
	}
}
