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

// buySecondSubscription pays for another subscription of the customer, as a second open Checkout
// page does. It is created at least a second after the first, because equal times do not order
// them.
func (env *testEnv) buySecondSubscription(current billing.Subscription, metadata url.Values) {
	env.t.Helper()
	env.stripe.AdvanceClock(current.CreatedAt.Add(time.Second))
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

// organizationMetadata is the metadata of a Checkout session that the service started.
func (env *testEnv) organizationMetadata() url.Values {
	return url.Values{"subscription_data[metadata][orgId]": {env.access.Organization.ID}, "metadata[orgId]": {env.access.Organization.ID}}
}

// waitForDuplicate waits until the duplicate has a final status.
func (env *testEnv) waitForDuplicate(status billing.DuplicateStatus) {
	env.t.Helper()
	env.waitFor("the duplicate to be "+string(status), func(billing.Overview) bool {
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
	env.startWorker(env.newService(env.openStore())) // a second replica runs the same tasks
	first := env.subscribe("pro")
	env.waitFor("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	env.buySecondSubscription(first, env.organizationMetadata())
	env.waitForDuplicate(billing.DuplicateCanceled)

	var subscriptions struct {
		Data []struct{ ID, Status string }
	}
	env.stripeGet("/v1/subscriptions?status=all&customer="+first.CustomerID, &subscriptions)
	for _, subscription := range subscriptions.Data {
		if (subscription.Status == "active") != (subscription.ID == first.ID) {
			t.Errorf("%s is %s at Stripe", subscription.ID, subscription.Status)
		}
	}
	if current := env.overview().Subscription; current == nil || current.ID != first.ID || current.Status != billing.StatusActive {
		t.Errorf("current subscription %+v, want the first", current)
	}
	// The duplicate is processed once more.
	_, err := env.store.DB().ExecContext(t.Context(), `update duplicate_subscriptions set status = 'ending', next_attempt_at = now(), done_at = null`)
	env.must(err)
	env.waitForDuplicate(billing.DuplicateCanceled)
	var refunds refundList
	env.stripeGet("/v1/refunds", &refunds)
	if len(refunds.Data) != 1 || refunds.Data[0].Amount != 2700 || refunds.Data[0].Reason != "duplicate" {
		t.Errorf("refunds %+v", refunds)
	}
	if got := env.queryInt(`select refunded_minor from duplicate_subscriptions`); got != 2700 {
		t.Errorf("refunded amount %d, want 2700", got)
	}
	if env.countMails(mail.KindDuplicateCanceled) != 1 || env.countMails(mail.KindCanceled) != 0 {
		t.Errorf("%d duplicate notices, %d cancellation notices, want 1 and 0", env.countMails(mail.KindDuplicateCanceled), env.countMails(mail.KindCanceled))
	}
	env.waitFor("the credits of the first subscription", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	env.checkLedger()
}

func TestManualSubscriptionIsNoDuplicate(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	first := env.subscribe("pro")
	env.buySecondSubscription(first, nil)
	env.waitFor("the second subscription to be stored", func(billing.Overview) bool { return env.queryInt(`select count(*) from subscriptions`) == 2 })
	if n := env.queryInt(`select count(*) from duplicate_subscriptions`); n != 0 {
		t.Errorf("%d duplicates, want 0", n)
	}
}

// The first subscription is canceled before the duplicate is processed. The duplicate is then the
// only subscription.
func TestDuplicateIsKeptAsOnlySubscription(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+first.ID, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
	env.waitFor("the second subscription to be the current one", func(o billing.Overview) bool {
		return o.Subscription != nil && o.Subscription.ID != first.ID && o.Subscription.Status == billing.StatusActive
	})
}

// lossyGateway loses its first responses after the call succeeded.
type lossyGateway struct {
	billing.Gateway
	losses atomic.Int32 // remaining responses to lose
}

func (g *lossyGateway) loseResponse(err error) error {
	if g.losses.Add(-1) >= 0 {
		return &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "the response was lost"}
	}
	return err
}

func (g *lossyGateway) CancelSubscription(ctx context.Context, id string) error {
	return g.loseResponse(g.Gateway.CancelSubscription(ctx, id))
}

func (g *lossyGateway) CreateCreditNote(ctx context.Context, creditNote billing.CreditNote) error {
	return g.loseResponse(g.Gateway.CreateCreditNote(ctx, creditNote))
}

// The responses to the cancellation and the refund are lost. The next attempt detects what was
// done.
func TestDuplicateIsRefundedOnceDespiteLostResponses(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	options := env.options(env.store)
	gateway := &lossyGateway{Gateway: options.Gateway}
	gateway.losses.Store(2)
	options.Gateway = gateway
	env.service = env.startService(options)
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateCanceled)
	var refunds refundList
	env.stripeGet("/v1/refunds", &refunds)
	if len(refunds.Data) != 1 || refunds.Data[0].Amount != 2700 || env.queryInt(`select refunded_minor from duplicate_subscriptions`) != 2700 {
		t.Errorf("refunds %+v", refunds)
	}
	if env.queryInt(`select attempts from duplicate_subscriptions`) < 3 {
		t.Error("no response was lost")
	}
}

// A duplicate that was canceled manually is not refunded automatically.
func TestManuallyCanceledDuplicateIsNotRefunded(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.subscribe("pro")
	env.buySecondSubscription(first, env.organizationMetadata())
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	var second string
	env.must(env.store.DB().GetContext(t.Context(), &second, `select subscription_id from duplicate_subscriptions`))
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+second, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
	var refunds refundList
	env.stripeGet("/v1/refunds", &refunds)
	if len(refunds.Data) != 0 {
		t.Errorf("refunds %+v", refunds)
	}
}
