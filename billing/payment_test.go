package billing_test

import (
	"net/http"
	"net/url"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

func TestRefundRemovesCreditsProportionally(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribe("pro")
	env.waitForBalance(1000)
	_, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 200, IdempotencyKey: "k"})
	env.must(err)
	charge := env.latestChargeID(current)
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {charge}, "amount": {"1450"}})
	env.waitForBalance(300) // half of 1,000, of which 200 were consumed
	env.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {charge}, "amount": {"1450"}})
	env.waitForBalance(-200) // fully refunded, and 200 were consumed
	if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 1, IdempotencyKey: "l"}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("consumption of refunded credits: %v", err)
	}
	env.checkLedger()
}

func TestDisputeOutcomeDecidesCredits(t *testing.T) {
	for evidence, want := range map[string]int{"losing_evidence": 0, "winning_evidence": 1000} {
		t.Run(evidence, func(t *testing.T) {
			env := newTestEnv(t)
			env.startBackground()
			session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			env.must(err)
			env.payWithCard(session, "4000000000000259") // disputed as fraudulent
			env.waitFor("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
			var disputes struct{ Data []struct{ ID string } }
			env.stripeGet("/v1/disputes", &disputes)
			if len(disputes.Data) != 1 {
				t.Fatalf("disputes: %+v", disputes)
			}
			env.stripeRequest(http.MethodPost, "/v1/disputes/"+disputes.Data[0].ID, url.Values{"evidence[uncategorized_text]": {evidence}, "submit": {"true"}})
			env.waitFor("the dispute to be closed", func(o billing.Overview) bool {
				return o.Credits.Balance == want && env.queryInt(`select count(*) from stripe_events where type = 'charge.dispute.closed' and outcome = 'applied'`) == 1
			})
			env.checkLedger()
		})
	}
}
