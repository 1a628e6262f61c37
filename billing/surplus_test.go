package billing_test

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// buyAgain pays a second subscription beside the one of the organization, as a second open Checkout page would.
func (s *stage) buyAgain(current billing.Subscription, metadata url.Values) {
	s.t.Helper()
	for !s.stripe.Now().Truncate(time.Second).After(current.CreatedAt) {
		time.Sleep(20 * time.Millisecond) // of two bought in the same second neither is the first
	}
	form := url.Values{
		"mode": {"subscription"}, "customer": {current.CustomerID}, "success_url": {"http://usher.test/organization"},
		"line_items[0][price]": {s.planPrice("starter", catalog.Monthly)}, "line_items[0][quantity]": {"3"},
	}
	for name, values := range metadata {
		form[name] = values
	}
	var opened struct{ ID, URL string }
	s.postStripe(http.MethodPost, "/v1/checkout/sessions", form, &opened)
	s.pay(billing.CheckoutSession{URL: opened.URL})
}

func (s *stage) soldHere() url.Values {
	return url.Values{"subscription_data[metadata][orgId]": {s.access.Organization.ID}, "metadata[orgId]": {s.access.Organization.ID}}
}

// surplusDone waits until the work on the second subscription has come to an end.
func (s *stage) surplusDone(status billing.DuplicateStatus) {
	s.t.Helper()
	s.until("the second subscription to be "+string(status), func(billing.Overview) bool {
		return s.one(`select count(*) from duplicate_subscriptions where status = $1`, status) == 1
	})
}

type refunds struct {
	Data []struct {
		Amount int64
		Reason string
	}
}

func TestSecondPaidPlanIsEndedAndRefundedOnce(t *testing.T) {
	s := openStage(t)
	s.listening()
	s.work(s.newService(s.openStore())) // a second replica does the same work
	first := s.subscribe("pro")
	s.until("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	s.buyAgain(first, s.soldHere())
	s.surplusDone(billing.DuplicateCanceled)

	var subscriptions struct {
		Data []struct{ ID, Status string }
	}
	s.getStripe("/v1/subscriptions?status=all&customer="+first.CustomerID, &subscriptions)
	for _, at := range subscriptions.Data {
		if (at.Status == "active") != (at.ID == first.ID) {
			t.Errorf("%s is %s at Stripe", at.ID, at.Status)
		}
	}
	if current := s.overview().Subscription; current == nil || current.ID != first.ID || current.Status != billing.StatusActive {
		t.Errorf("the organization is on %+v", current)
	}
	// Everything is told once more, and worked on once more.
	_, err := s.store.DB().ExecContext(t.Context(), `update duplicate_subscriptions set status = 'ending', next_attempt_at = now(), done_at = null`)
	s.must(err)
	s.surplusDone(billing.DuplicateCanceled)
	var back refunds
	s.getStripe("/v1/refunds", &back)
	if len(back.Data) != 1 || back.Data[0].Amount != 2700 || back.Data[0].Reason != "duplicate" {
		t.Errorf("refunds %+v", back)
	}
	if got := s.one(`select refunded_minor from duplicate_subscriptions`); got != 2700 {
		t.Errorf("%d were noted as refunded", got)
	}
	if s.kept(mail.KindDuplicateCanceled) != 1 || s.kept(mail.KindCanceled) != 0 {
		t.Errorf("%d mails of the second plan, %d of an end", s.kept(mail.KindDuplicateCanceled), s.kept(mail.KindCanceled))
	}
	s.until("the credits of the first plan alone", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	s.ledger()
}

func TestSecondPlanMadeByHandIsLeft(t *testing.T) {
	s := openStage(t)
	s.listening()
	first := s.subscribe("pro")
	s.buyAgain(first, nil)
	s.until("the second subscription to be known", func(billing.Overview) bool { return s.one(`select count(*) from subscriptions`) == 2 })
	if n := s.one(`select count(*) from duplicate_subscriptions`); n != 0 {
		t.Errorf("%d subscriptions are to be ended", n)
	}
}

// The first plan ends before the second one is looked at: the second is all there is.
func TestOnlyPlanIsNeverEnded(t *testing.T) {
	s := openStage(t)
	s.stripe.EnsureWebhookEndpoint(s.webhook(), stageSecret)
	first := s.subscribe("pro")
	s.buyAgain(first, s.soldHere())
	s.settleUntil(func() bool { return s.one(`select count(*) from duplicate_subscriptions`) == 1 })
	s.postStripe(http.MethodDelete, "/v1/subscriptions/"+first.ID, url.Values{"invoice_now": {"false"}})
	s.work(s.service)
	s.surplusDone(billing.DuplicateKept)
	s.until("the second plan to be the current one", func(o billing.Overview) bool {
		return o.Subscription != nil && o.Subscription.ID != first.ID && o.Subscription.Status == billing.StatusActive
	})
}

// forgetful does what it is told, and its answers get lost.
type forgetful struct {
	billing.Gateway
	lost atomic.Int32 // answers that get lost
}

func (f *forgetful) forget(err error) error {
	if f.lost.Add(-1) >= 0 {
		return &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "the answer was lost"}
	}
	return err
}

func (f *forgetful) CancelSubscription(ctx context.Context, id string) error {
	return f.forget(f.Gateway.CancelSubscription(ctx, id))
}

func (f *forgetful) CreateCreditNote(ctx context.Context, note billing.CreditNote) error {
	return f.forget(f.Gateway.CreateCreditNote(ctx, note))
}

// Answers get lost after the act: the next attempt finds what was done.
func TestSecondPlanIsRefundedOnceThoughAnswersGetLost(t *testing.T) {
	s := openStage(t)
	s.stripe.EnsureWebhookEndpoint(s.webhook(), stageSecret)
	first := s.subscribe("pro")
	s.buyAgain(first, s.soldHere())
	s.settleUntil(func() bool { return s.one(`select count(*) from duplicate_subscriptions`) == 1 })
	options := s.options(s.store)
	gateway := &forgetful{Gateway: options.Gateway}
	gateway.lost.Store(2)
	options.Gateway = gateway
	s.service = billing.New(options)
	s.must(s.service.Prices.Start(t.Context()))
	s.work(s.service)
	s.surplusDone(billing.DuplicateCanceled)
	var back refunds
	s.getStripe("/v1/refunds", &back)
	if len(back.Data) != 1 || back.Data[0].Amount != 2700 || s.one(`select refunded_minor from duplicate_subscriptions`) != 2700 {
		t.Errorf("refunds %+v", back)
	}
	if s.one(`select attempts from duplicate_subscriptions`) < 3 {
		t.Error("no answer got lost")
	}
}

// A second plan that somebody ends by hand is theirs to refund, too.
func TestSecondPlanEndedByHandIsNotRefunded(t *testing.T) {
	s := openStage(t)
	s.stripe.EnsureWebhookEndpoint(s.webhook(), stageSecret)
	first := s.subscribe("pro")
	s.buyAgain(first, s.soldHere())
	s.settleUntil(func() bool { return s.one(`select count(*) from duplicate_subscriptions`) == 1 })
	var second string
	s.must(s.store.DB().GetContext(t.Context(), &second, `select subscription_id from duplicate_subscriptions`))
	s.postStripe(http.MethodDelete, "/v1/subscriptions/"+second, url.Values{"invoice_now": {"false"}})
	s.work(s.service)
	s.surplusDone(billing.DuplicateKept)
	var back refunds
	s.getStripe("/v1/refunds", &back)
	if len(back.Data) != 0 {
		t.Errorf("refunds %+v", back)
	}
}

// settleUntil settles pending events, and does nothing else of the background work, until it is so.
func (s *stage) settleUntil(so func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			s.t.Fatal("it never came true")
		}
		s.settleEvents()
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}
