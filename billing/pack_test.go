package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// buyPack starts Checkout for a pack.
func (env *testEnv) buyPack(id string) billing.CheckoutSession {
	env.t.Helper()
	session, err := env.service.Checkouts.StartPack(env.t.Context(), env.access, billing.CheckoutRequest{PackID: id})
	env.must(err)
	return session
}

// payByBank submits the hosted Checkout page with a bank account. The debit succeeds or fails days
// later.
func (env *testEnv) payByBank(session billing.CheckoutSession, account string) {
	env.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm(session.URL, url.Values{"email": {"ana@example.com"}, "payBy": {"bank"}, "bankAccount": {account}, "billingName": {"Ana"}})
	env.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusSeeOther {
		env.t.Fatalf("bank payment: status %d", response.StatusCode)
	}
}

func (env *testEnv) waitForBalance(want int) {
	env.t.Helper()
	env.waitFor("the credits", func(o billing.Overview) bool { return o.Credits.Balance == want })
}

func TestPackPurchaseIsRecordedOnce(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	session := env.buyPack("credits_500")
	if session.Mode != billing.ModePayment || session.Quantity != 1 {
		t.Errorf("session %+v", session)
	}
	env.pay(session)
	for range 3 {
		completed, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
		if err != nil || !completed.Confirmed || completed.Credits != 500 {
			t.Fatalf("completed %+v, %v", completed, err)
		}
	}
	env.waitFor("the event to be applied", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from stripe_events where type = 'checkout.session.completed' and outcome = 'applied'`) == 1
	})
	env.waitForBalance(500)
	if n := env.countMails(mail.KindPackReceipt); n != 1 {
		t.Errorf("%d receipts, want 1", n)
	}
	// Pack credits are kept when a plan grants its credits.
	env.subscribe("pro")
	env.waitForBalance(1500)
	env.pay(env.buyPack("credits_500"))
	env.waitForBalance(2000)
	if n := env.countMails(mail.KindPackReceipt); n != 2 {
		t.Errorf("%d receipts, want 2", n)
	}
	env.checkLedger()
}

// The webhook arrives before the session's Stripe ID is stored.
func TestPackEventBeforeSessionIDIsStored(t *testing.T) {
	env := newTestEnv(t)
	session := env.buyPack("credits_500")
	_, err := env.store.DB().ExecContext(t.Context(), `update checkout_sessions set stripe_session_id = null, status = 'reserved'`)
	env.must(err)
	env.startBackground()
	env.pay(session)
	env.waitForBalance(500)
}

func TestPackPaidByBankDebit(t *testing.T) {
	for account, want := range map[string]struct{ balance, receipts, failures int }{"000123456789": {500, 1, 0}, "000222222227": {0, 0, 1}} {
		t.Run(account, func(t *testing.T) {
			env := newTestEnv(t)
			env.startBackground()
			session := env.buyPack("credits_500")
			env.payByBank(session, account)
			completed, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
			if err != nil || completed.Confirmed {
				t.Fatalf("before the debit: %+v, %v", completed, err)
			}
			env.waitFor("the completion event to be applied", func(billing.Overview) bool {
				return env.queryInt(`select count(*) from stripe_events where type = 'checkout.session.completed' and outcome = 'applied'`) == 1
			})
			if got := env.overview().Credits.Balance; got != 0 {
				t.Errorf("%d credits before the debit", got)
			}
			env.stripe.AdvanceClock(time.Now().Add(5 * 24 * time.Hour))
			env.waitFor("the debit event to be applied", func(billing.Overview) bool {
				return env.queryInt(`select count(*) from stripe_events where type like 'checkout.session.async%' and outcome = 'applied'`) == 1
			})
			if got := env.overview().Credits.Balance; got != want.balance || env.countMails(mail.KindPackReceipt) != want.receipts || env.countMails(mail.KindPaymentFailed) != want.failures {
				t.Errorf("%d credits, %d receipts, %d failure notices", got, env.countMails(mail.KindPackReceipt), env.countMails(mail.KindPaymentFailed))
			}
		})
	}
}

func TestPackRefundRemovesCredits(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	session := env.buyPack("credits_500")
	env.pay(session)
	env.waitForBalance(500)
	_, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 100, IdempotencyKey: "k"})
	env.must(err)
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {env.latestChargeID(billing.Subscription{CustomerID: session.CustomerID})}, "amount": {"500"}})
	env.waitForBalance(150) // half of 500, of which 100 were consumed
	env.checkLedger()
}

func TestUnknownPacksAreRefused(t *testing.T) {
	env := newTestEnv(t)
	for name, r := range map[string]billing.CheckoutRequest{
		"unknown": {PackID: "credits_1"}, "empty": {}, "a plan": {PackID: "pro"}, "a plan's price": {PriceID: env.planPriceID("pro", catalog.Monthly)},
	} {
		if _, err := env.service.Checkouts.StartPack(t.Context(), env.access, r); apperr.MessageOf(err) != apperr.MessageInvalidPrice {
			t.Errorf("%s: %v", name, err)
		}
	}
	pack, _ := env.service.Prices.Catalog().Pack("credits_500")
	if _, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PriceID: pack.Price.ID}); apperr.MessageOf(err) != apperr.MessageInvalidPrice {
		t.Errorf("a pack as a subscription: %v", err)
	}
}

// Neither the browser returned nor an event arrived, and the reconciler does not list events here.
func TestReconcilerRecordsPackWithoutEvent(t *testing.T) {
	env := newTestEnv(t)
	paid, bank, abandoned := env.buyPack("credits_500"), env.buyPack("credits_500"), env.buyPack("credits_500")
	env.pay(paid)
	env.payByBank(bank, "000123456789")
	// A run for one organization does not list events.
	organization := billing.ReconcileOptions{OrganizationID: env.access.Organization.ID}
	found := env.reconcile(organization)
	if len(found) != 2 || env.queryInt(`select balance from credit_accounts`) != 500 {
		t.Fatalf("drifts %q, %d credits", found, env.queryInt(`select balance from credit_accounts`))
	}
	// The debit has succeeded and the abandoned session has expired.
	env.stripe.AdvanceClock(time.Now().Add(6 * 24 * time.Hour))
	found = env.reconcile(organization)
	if len(found) != 2 || env.queryInt(`select balance from credit_accounts`) != 1000 {
		t.Errorf("drifts %q, %d credits", found, env.queryInt(`select balance from credit_accounts`))
	}
	if n := env.queryInt(`select count(*) from checkout_sessions where status = 'open'`); n != 0 {
		t.Errorf("%d open sessions, want 0; abandoned session %s", n, abandoned.StripeSessionID)
	}
	if again := env.reconcile(organization); len(again) != 0 {
		t.Errorf("drifts after the last run: %q", again)
	}
}
