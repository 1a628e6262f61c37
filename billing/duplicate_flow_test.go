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

// openTwoCheckouts opens two Checkout pages of Usher, for pro and for starter. The record of the
// first is closed in between, as if its call to Stripe had been lost: otherwise the second Start
// would expire it at Stripe.
func (env *testEnv) openTwoCheckouts() (pro, starter billing.CheckoutSession) {
	env.t.Helper()
	open := func(plan string) billing.CheckoutSession {
		session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Monthly})
		env.must(err)
		return session
	}
	pro = open("pro")
	env.exec(`update checkout_sessions set status = 'expired'`)
	return pro, open("starter")
}

// payFirst pays a Checkout page and returns to Usher.
func (env *testEnv) payFirst(session billing.CheckoutSession) billing.Subscription {
	env.t.Helper()
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	if err != nil || !completed.Confirmed {
		env.t.Fatalf("completed %+v, %v", completed, err)
	}
	return *env.overview().Subscription
}

// paySecond pays a Checkout page at least a second after the first subscription was created,
// because equal times do not order them.
func (env *testEnv) paySecond(first billing.Subscription, session billing.CheckoutSession) {
	env.t.Helper()
	env.stripe.AdvanceClock(first.CreatedAt.Add(time.Second))
	env.pay(session)
}

// buyTwoPlans buys pro and then starter, each for three people, in two Checkout pages of Usher.
func (env *testEnv) buyTwoPlans() (first billing.Subscription) {
	env.t.Helper()
	env.addMembers(2)
	pro, starter := env.openTwoCheckouts()
	first = env.payFirst(pro)
	env.paySecond(first, starter)
	return first
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
	env.addMembers(2)
	pro, starter := env.openTwoCheckouts()
	first := env.payFirst(pro)
	env.waitFor("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	env.paySecond(first, starter)
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

// The first subscription is canceled before the duplicate is processed. The duplicate is then the
// only subscription.
func TestDuplicateIsKeptAsOnlySubscription(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+first.ID, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
	env.waitFor("the second subscription to be the current one", func(o billing.Overview) bool {
		return o.Subscription != nil && o.Subscription.ID != first.ID && o.Subscription.Status == billing.StatusActive
	})
}

// A first attempt that could not cancel the duplicate does not decide: the first subscription has
// ended since.
func TestDuplicateIsKeptAfterAFailedAttempt(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.exec(`update duplicate_subscriptions set attempts = 1, canceling_at = now()`)
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+first.ID, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateKept)
}

// A duplicate that was given up ends once it was canceled at Stripe by hand, and what was not
// refunded there is.
func TestFailedDuplicateIsTriedAgain(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.exec(`update duplicate_subscriptions set status = 'failed', attempts = 12, canceling_at = now()`)
	var second string
	env.must(env.store.DB().GetContext(t.Context(), &second, `select subscription_id from duplicate_subscriptions`))
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+second, url.Values{"invoice_now": {"false"}})
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateCanceled)
	var refunds refundList
	env.stripeGet("/v1/refunds", &refunds)
	if len(refunds.Data) != 1 || env.queryInt(`select count(*) from duplicate_subscriptions where next_attempt_at is null`) != 1 {
		t.Errorf("refunds %+v", refunds)
	}
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
	env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	options := env.options(env.store)
	gateway := &lossyGateway{Gateway: options.Gateway}
	gateway.losses.Store(2)
	options.Gateway = gateway
	env.useService(env.startService(options))
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
	env.buyTwoPlans()
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

// A part of a duplicate's payment that was returned by hand is not returned again, and the rest is
// returned with it, whether a card or the customer's balance paid it.
func TestDuplicateRefundedInPartIsRefundedInFull(t *testing.T) {
	for name, test := range map[string]struct {
		balance string // of the customer, before the second plan is bought
		by      string // the call of support
		form    url.Values
		refund  int64 // to the card, in the end
		credit  int64 // to the balance, by Usher
	}{
		"refund":                        {by: "/v1/refunds", form: url.Values{"amount": {"900"}}, refund: 2700},
		"credit note with a refund":     {by: "/v1/credit_notes", form: url.Values{"amount": {"900"}, "refund_amount": {"900"}}, refund: 2700},
		"credit note to the balance":    {by: "/v1/credit_notes", form: url.Values{"amount": {"900"}, "credit_amount": {"900"}}, refund: 1800},
		"paid by the balance in part":   {balance: "-500", refund: 2200, credit: 500},
		"paid by the balance, refunded": {balance: "-500", by: "/v1/refunds", form: url.Values{"amount": {"900"}}, refund: 2200, credit: 500},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.addMembers(2)
			pro, starter := env.openTwoCheckouts()
			first := env.payFirst(pro)
			if test.balance != "" {
				env.stripeRequest(http.MethodPost, "/v1/customers/"+first.CustomerID, url.Values{"balance": {test.balance}})
			}
			env.paySecond(first, starter)
			var invoices struct{ Data []struct{ ID, Charge string } }
			env.stripeGet("/v1/invoices?limit=1&customer="+first.CustomerID, &invoices)
			switch duplicate := invoices.Data[0]; test.by {
			case "/v1/refunds":
				test.form.Set("charge", duplicate.Charge)
				env.stripeRequest(http.MethodPost, test.by, test.form)
			case "/v1/credit_notes":
				test.form.Set("invoice", duplicate.ID)
				env.stripeRequest(http.MethodPost, test.by, test.form)
			}
			env.startBackground()
			env.waitForDuplicate(billing.DuplicateCanceled)

			refunded, credited := int64(0), int64(0)
			if charge := invoices.Data[0].Charge; charge != "" {
				var refunds refundList
				env.stripeGet("/v1/refunds?charge="+charge, &refunds)
				for _, refund := range refunds.Data {
					refunded += refund.Amount
				}
			}
			var notes struct{ Data []struct{ Amount int64 } }
			env.stripeGet("/v1/credit_notes?invoice="+invoices.Data[0].ID, &notes)
			for _, note := range notes.Data {
				credited += note.Amount
			}
			if credited -= refunded; test.by == "/v1/refunds" {
				credited += 900 // without a credit note
			} else if test.form.Get("credit_amount") != "" {
				credited -= 900 // by support
			}
			if refunded != test.refund || credited != test.credit {
				t.Errorf("%d were refunded and %d credited, want %d and %d", refunded, credited, test.refund, test.credit)
			}
		})
	}
}
