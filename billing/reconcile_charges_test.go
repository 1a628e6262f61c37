package billing_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// A refund whose event became a dead letter takes its credits back.
func TestReconcilerTakesBackCreditsOfDeadLetter(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	wantBalance(t, env, 1000)
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {env.latestChargeID(current)}})
	for _, payload := range env.eventsOfType("charge.refunded") {
		deliver(t, env, payload)
	}
	_, err := env.store.DB().ExecContext(t.Context(),
		`update stripe_events set outcome = 'failed', next_attempt_at = null, attempts = 15, error = 'no answer' where outcome = 'pending'`)
	env.must(err)
	if n := env.queryInt(`select count(*) from stripe_events where outcome = 'failed'`); n != 1 {
		t.Fatalf("%d dead letters, want 1", n)
	}
	found := strings.Join(env.reconcile(billing.ReconcileOptions{}), "\n")
	wantBalance(t, env, 0)
	if !strings.Contains(found, "charge: $29.00 refunded at Stripe, credits taken back for $0.00") {
		t.Errorf("differences:\n%s", found)
	}
	if n := env.queryInt(`select count(*) from stripe_events where outcome = 'failed'`); n != 0 {
		t.Errorf("%d dead letters are left", n)
	}
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("differences in the second run:\n%s", strings.Join(again, "\n"))
	}
}

// A refund whose event is not listed by Stripe any more takes its credits back.
func TestReconcilerTakesBackCreditsOfLostRefund(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	session, err := env.service.Checkouts.StartPack(t.Context(), env.access, billing.CheckoutRequest{PackID: "credits_500"})
	env.must(err)
	env.pay(session)
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	wantBalance(t, env, 500)
	charge := env.latestChargeID(billing.Subscription{CustomerID: env.overview().CustomerID})
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {charge}})
	env.stripe.AdvanceClock(env.stripe.Now().Add(40 * 24 * time.Hour))
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	wantBalance(t, env, 0)
}

// A dispute that was lost takes its credits back, whether all or one organization is compared.
func TestReconcilerTakesBackCreditsOfLostDispute(t *testing.T) {
	for _, scope := range []string{"account", "organization"} {
		t.Run(scope, func(t *testing.T) {
			env := newTestEnv(t)
			session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			env.must(err)
			env.payWithCard(session, "4000000000000259") // disputed as fraudulent
			env.reconcile(billing.ReconcileOptions{})
			env.processEvents()
			wantBalance(t, env, 1000)
			var disputes struct{ Data []struct{ ID, Status string } }
			if !poll(func() bool { env.stripeGet("/v1/disputes", &disputes); return len(disputes.Data) == 1 }) {
				t.Fatal("no dispute")
			}
			env.stripeRequest(http.MethodPost, "/v1/disputes/"+disputes.Data[0].ID,
				url.Values{"evidence[uncategorized_text]": {"losing_evidence"}, "submit": {"true"}})
			if !poll(func() bool { env.stripeGet("/v1/disputes", &disputes); return disputes.Data[0].Status == "lost" }) {
				t.Fatalf("dispute %+v", disputes.Data[0])
			}
			options := billing.ReconcileOptions{}
			if scope == "organization" {
				options.OrganizationID = env.access.Organization.ID
			}
			env.reconcile(options)
			wantBalance(t, env, 0)
		})
	}
}

// A paid invoice whose credits were not recorded gets them.
func TestReconcilerRecordsCreditsOfPaidInvoice(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	wantBalance(t, env, 1000)
	for _, table := range []string{"credit_facts", "credit_entries", "credit_accounts"} {
		_, err := env.store.DB().ExecContext(t.Context(), "delete from "+table)
		env.must(err)
	}
	found := strings.Join(env.reconcile(billing.ReconcileOptions{}), "\n")
	if !strings.Contains(found, "credits: $29.00 paid, no credits recorded") {
		t.Errorf("differences:\n%s", found)
	}
	wantBalance(t, env, 1000)
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("differences in the second run:\n%s", strings.Join(again, "\n"))
	}
}
