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
func (env *testEnv) buySecondSubscription(current billing.Subscription, metadata url.Values) {
	env.t.Helper()
	for !env.stripe.Now().Truncate(time.Second).After(current.CreatedAt) {
		time.Sleep(20 * time.Millisecond) // of two bought in the same second neither is the first
	}
	form := url.Values{
		"mode": {"subscription"}, "customer": {current.CustomerID}, "success_url": {"http://usher.test/organization"},
		"line_items[0][price]": {env.planPriceID("starter", catalog.Monthly)}, "line_items[0][quantity]": {"3"},
	}
	for name, values := range metadata {
		form[name] = values
	}
	var opened struct{ ID, URL string }
	env.stripeRequest(http.MethodPost, "/v1/checkout/sessions", form, &opened)
	env.pay(billing.CheckoutSession{URL: opened.URL})
}

func (env *testEnv) organizationMetadata() url.Values {
	return url.Values{"subscription_data[metadata][orgId]": {env.access.Organization.ID}, "metadata[orgId]": {env.access.Organization.ID}}
}

// surplusDone waits until the work on the second subscription has come to an end.
func (env *testEnv) waitForDuplicate(status billing.DuplicateStatus) {
	env.t.Helper()
	env.waitFor("the second subscription to be "+string(status), func(billing.Overview) bool {
		return env.queryInt(`select count(*) from duplicate_subscriptions where status = $1`, status) == 1
	})
}

type refundList struct {
	Data []struct {
		Amount int64
		Reason string
	}
}

func TestDuplicateIsCanceledAndRefundedOnce(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	env.startWorker(env.newService(env.openStore())) // a second replica does the same work
	first := env.subscribe("pro")
	env.waitFor("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	env.buySecondSubscription(first, env.organizationMetadata())
	env.waitForDuplicate(billing.DuplicateCanceled)

	var subscriptions struct {
		Data []struct{ ID, Status string }
	}
	env.stripeGet("/v1/subscriptions?status=all&customer="+first.CustomerID, &subscriptions)
	for _, at := range subscriptions.Data {
		if (at.Status == "active") != (at.ID == first.ID) {
			t.Errorf("%s is %s at Stripe", at.ID, at.Status)
		}
	}
	if current := env.overview().Subscription; current == nil || current.ID != first.ID || current.Status != billing.StatusActive {
		t.Errorf("the organization is on %+v", current)
	}
	// Everything is told once more, and worked on once more.
	_, err := env.store.DB().ExecContext(t.Context(), `update duplicate_subscriptions set status = 'ending', next_attempt_at = now(), done_at = null`)
	env.must(err)
	env.waitForDuplicate(billing.DuplicateCanceled)
	var back refundList
	env.stripeGet("/v1/refunds", &back)
	if len(back.Data) != 1 || back.Data[0].Amount != 2700 || back.Data[0].Reason != "duplicate" {
		t.Errorf("refunds %+v", back)
	}
	if got := env.queryInt(`select refunded_minor from duplicate_subscriptions`); got != 2700 {
		t.Errorf("%d were noted as refunded", got)
	}
	if env.countMails(mail.KindDuplicateCanceled) != 1 || env.countMails(mail.KindCanceled) != 0 {
		t.Errorf("%d mails of the second plan, %d of an end", env.countMails(mail.KindDuplicateCanceled), env.countMails(mail.KindCanceled))
	}
	env.waitFor("the credits of the first plan alone", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	env.checkLedger()
}

func TestManualSubscriptionIsNoDuplicate(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	first := env.subscribe("pro")
	env.buySecondSubscription(first, nil)
	env.waitFor("the second subscription to be known", func(billing.Overview) bool { return env.queryInt(`select count(*) from subscriptions`) == 2 })
	if n := env.queryInt(`select count(*) from duplicate_subscriptions`); n != 0 {
		t.Errorf("%d subscriptions are to be ended", n)
	}
}

// The first plan ends before the second one is looked at: the second is all there is.
func TestDuplicateIsKeptAsOnlySubscription(t *testing.T) {
	env := newTestEnv(t)
	env.stripe.EnsureWebhookEndpoint(env.serveWebhook(), testWebhookSecret)
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+first.ID, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
	env.waitFor("the second plan to be the current one", func(o billing.Overview) bool {
		return o.Subscription != nil && o.Subscription.ID != first.ID && o.Subscription.Status == billing.StatusActive
	})
}

// forgetful does what it is told, and its answers get lost.
type lossyGateway struct {
	billing.Gateway
	losses atomic.Int32 // answers that get lost
}

func (f *lossyGateway) loseResponse(err error) error {
	if f.losses.Add(-1) >= 0 {
		return &apperr.StripeError{Unanswered: true, ShouldRetry: true, Message: "the answer was lost"}
	}
	return err
}

func (f *lossyGateway) CancelSubscription(ctx context.Context, id string) error {
	return f.loseResponse(f.Gateway.CancelSubscription(ctx, id))
}

func (f *lossyGateway) CreateCreditNote(ctx context.Context, note billing.CreditNote) error {
	return f.loseResponse(f.Gateway.CreateCreditNote(ctx, note))
}

// Answers get lost after the act: the next attempt finds what was done.
func TestDuplicateIsRefundedOnceDespiteLostResponses(t *testing.T) {
	env := newTestEnv(t)
	env.stripe.EnsureWebhookEndpoint(env.serveWebhook(), testWebhookSecret)
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	options := env.options(env.store)
	gateway := &lossyGateway{Gateway: options.Gateway}
	gateway.losses.Store(2)
	options.Gateway = gateway
	env.service = billing.New(options)
	env.must(env.service.Prices.Start(t.Context()))
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateCanceled)
	var back refundList
	env.stripeGet("/v1/refunds", &back)
	if len(back.Data) != 1 || back.Data[0].Amount != 2700 || env.queryInt(`select refunded_minor from duplicate_subscriptions`) != 2700 {
		t.Errorf("refunds %+v", back)
	}
	if env.queryInt(`select attempts from duplicate_subscriptions`) < 3 {
		t.Error("no answer got lost")
	}
}

// A second plan that somebody ends by hand is theirs to refund, too.
func TestManuallyCanceledDuplicateIsNotRefunded(t *testing.T) {
	env := newTestEnv(t)
	env.stripe.EnsureWebhookEndpoint(env.serveWebhook(), testWebhookSecret)
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	var second string
	env.must(env.store.DB().GetContext(t.Context(), &second, `select subscription_id from duplicate_subscriptions`))
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+second, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
	var back refundList
	env.stripeGet("/v1/refunds", &back)
	if len(back.Data) != 0 {
		t.Errorf("refunds %+v", back)
	}
}

// settleUntil settles pending events, and does nothing else of the background work, until it is so.
func (env *testEnv) processEventsUntil(so func() bool) {
	env.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			env.t.Fatal("it never came true")
		}
		env.processEvents()
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}
