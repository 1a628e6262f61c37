package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// subscribeWithBalance buys Pro for $29.00 with $19.00 of the customer's balance: the card pays
// $10.00.
func (env *testEnv) subscribeWithBalance() billing.Subscription {
	env.t.Helper()
	session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.stripeRequest(http.MethodPost, "/v1/customers/"+session.CustomerID, url.Values{"balance": {"-1900"}})
	env.pay(session)
	env.waitForBalance(1000)
	env.waitFor("the subscription", func(o billing.Overview) bool { return o.Subscription != nil })
	return *env.overview().Subscription
}

// waitForEvents waits until an event of a type was applied.
func (env *testEnv) waitForEvents(kind string, n int) {
	env.t.Helper()
	env.waitFor("the events "+kind, func(billing.Overview) bool {
		return env.queryInt(`select count(*) from stripe_events where type = $1 and outcome = 'applied'`, kind) == n
	})
}

func (env *testEnv) latestInvoiceID(current billing.Subscription) string {
	env.t.Helper()
	var invoices struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/invoices?limit=1&subscription="+current.ID, &invoices)
	if len(invoices.Data) != 1 {
		env.t.Fatalf("invoices: %+v", invoices)
	}
	return invoices.Data[0].ID
}

// Of $29.00, the balance paid $19.00 and the card $10.00, which is refunded: 10/29 of the credits
// are taken back, not all.
func TestRefundOfTheCardPartKeepsWhatTheBalancePaid(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribeWithBalance()
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {env.latestChargeID(current)}})
	env.waitForEvents("charge.refunded", 1)
	wantBalance(t, env, 1000-344) // 1000 * 1000 / 2900, rounded down
	env.checkLedger()
}

// A credit note issued after the payment takes credits back, whether the money goes to the card or
// to the customer's balance, and each cent counts once.
func TestCreditNotesTakeCreditsBack(t *testing.T) {
	for _, c := range []struct {
		name string
		note url.Values
		want int
	}{
		{"to the balance", url.Values{"amount": {"1450"}, "credit_amount": {"1450"}}, 500},
		{"to the card", url.Values{"amount": {"1450"}, "refund_amount": {"1450"}}, 500},
		{"to both", url.Values{"amount": {"1740"}, "refund_amount": {"290"}, "credit_amount": {"1450"}}, 400},
		{"outside of Stripe", url.Values{"amount": {"2900"}, "out_of_band_amount": {"2900"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := newTestEnv(t)
			env.startBackground()
			current := env.subscribe("pro")
			env.waitForBalance(1000)
			c.note.Set("invoice", env.latestInvoiceID(current))
			env.stripeRequest(http.MethodPost, "/v1/credit_notes", c.note)
			env.waitForBalance(c.want)
			env.waitForEvents("credit_note.created", 1)
			if c.note.Has("refund_amount") {
				env.waitForEvents("charge.refunded", 1)
			}
			wantBalance(t, env, c.want)
			env.checkLedger()
		})
	}
}

// A refund beside a credit note to the balance: both are returned.
func TestRefundAndCreditNoteAddUp(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribe("pro")
	env.waitForBalance(1000)
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {env.latestChargeID(current)}, "amount": {"1450"}})
	env.waitForBalance(500)
	env.stripeRequest(http.MethodPost, "/v1/credit_notes", url.Values{"invoice": {env.latestInvoiceID(current)}, "amount": {"725"}, "credit_amount": {"725"}})
	env.waitForBalance(250)
	env.checkLedger()
}

// The reconciler finds a credit note whose events are lost.
func TestReconcilerFindsCreditNotes(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.subscribe("pro")
	env.processEventsUntil(func() bool { return env.overview().Credits.Balance == 1000 })
	var invoices struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/invoices?limit=1", &invoices)
	env.stripe.EnsureWebhookEndpoint("http://127.0.0.1:1/", testWebhookSecret)
	env.stripeRequest(http.MethodPost, "/v1/credit_notes", url.Values{"invoice": {invoices.Data[0].ID}, "amount": {"1450"}, "credit_amount": {"1450"}})
	env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	wantBalance(t, env, 500)
}

// A monthly plan bought on 31 January: the period from 28 February to 31 March is one month.
func TestMonthEndGrantsNoSecondMonth(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	env.registerWebhook()
	env.startWorker(env.service)
	env.stripe.AdvanceClock(time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC))
	current := env.subscribe("pro")
	env.waitForBalance(1000)
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(2 * time.Hour))
	env.waitFor("the renewal", func(o billing.Overview) bool {
		return o.Subscription.CurrentPeriodStart.After(current.CurrentPeriodStart) && env.queryInt(`select count(*) from credit_facts`) == 2
	})
	if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 1000, IdempotencyKey: "all"}); err != nil {
		t.Fatal(err)
	}
	env.stripe.AdvanceClock(time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC))
	// Whether a month is due is stored with the renewal.
	if due := env.queryInt(`select count(*) from credit_accounts where next_month_at is not null`); due != 0 {
		t.Errorf("%d due months within a paid month", due)
	}
	env.stripe.AdvanceClock(time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC))
	env.waitFor("the second renewal", func(billing.Overview) bool { return env.queryInt(`select count(*) from credit_facts`) == 3 })
	env.waitForBalance(1000)
	if grants := env.queryInt(`select count(*) from credit_entries where kind = 'grant'`); grants != 3 {
		t.Errorf("%d grants for three paid months: %s", grants, env.checkLedger())
	}
}

// A plan that ends with its month grants no more credits, so no page may say when.
func TestNoCreditsArePromisedAfterThePlanEnds(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribe("pro")
	env.waitFor("the promise", func(o billing.Overview) bool { return o.Credits.ResetsAt != nil })
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}))
	if got := env.overview().Credits; got.ResetsAt != nil || got.Balance != 1000 {
		t.Errorf("the plan ends at %s: credits %+v", current.CurrentPeriodEnd, got)
	}
	env.must(env.service.Cancellations.Resume(t.Context(), env.access))
	if env.overview().Credits.ResetsAt == nil {
		t.Error("no date for the next credits after the plan was resumed")
	}
	env.cancelAtStripe(current)
	env.waitFor("the end", func(o billing.Overview) bool { return o.Subscription.Status.Ended() })
	if got := env.overview().Credits; got.ResetsAt != nil {
		t.Errorf("the plan has ended: credits %+v", got)
	}
}
