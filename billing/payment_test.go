package billing_test

import (
	"net/http"
	"net/url"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// chargeOf finds the charge that paid the subscription's newest invoice.
func (s *stage) chargeOf(current billing.Subscription) string {
	s.t.Helper()
	var answer struct{ Data []struct{ ID string } }
	s.getStripe("/v1/charges?limit=1&customer="+current.CustomerID, &answer)
	if len(answer.Data) != 1 {
		s.t.Fatalf("charges: %+v", answer)
	}
	return answer.Data[0].ID
}

// listening has the stage's webhook told of everything, and the background work done.
func (s *stage) listening() {
	s.stripe.EnsureWebhookEndpoint(s.webhook(), stageSecret)
	s.work(s.service)
}

func TestRefundTakesItsPartOfTheCreditsAlong(t *testing.T) {
	s := openStage(t)
	s.listening()
	current := s.subscribe("pro")
	balance := func(want int) {
		t.Helper()
		s.until("the credits", func(o billing.Overview) bool { return o.Credits.Balance == want })
	}
	balance(1000)
	_, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 200, IdempotencyKey: "k"})
	s.must(err)
	charge := s.chargeOf(current)
	s.postStripe(http.MethodPost, "/v1/refunds", url.Values{"charge": {charge}, "amount": {"1450"}})
	balance(300) // half of 1,000, and 200 were used
	s.postStripe(http.MethodPost, "/v1/refunds", url.Values{"charge": {charge}, "amount": {"1450"}})
	balance(-200) // nothing is paid any more, and 200 were used
	if _, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 1, IdempotencyKey: "l"}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("what was refunded is used: %v", err)
	}
	s.ledger()
}

func TestLostDisputeTakesTheCreditsAndAWonOneLeavesThem(t *testing.T) {
	for evidence, want := range map[string]int{"losing_evidence": 0, "winning_evidence": 1000} {
		t.Run(evidence, func(t *testing.T) {
			s := openStage(t)
			s.listening()
			session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			s.must(err)
			s.payWith(session, "4000000000000259") // disputed as fraudulent
			s.until("the credits", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
			var disputes struct{ Data []struct{ ID string } }
			s.getStripe("/v1/disputes", &disputes)
			if len(disputes.Data) != 1 {
				t.Fatalf("disputes: %+v", disputes)
			}
			s.postStripe(http.MethodPost, "/v1/disputes/"+disputes.Data[0].ID, url.Values{"evidence[uncategorized_text]": {evidence}, "submit": {"true"}})
			s.until("the verdict", func(o billing.Overview) bool {
				return o.Credits.Balance == want && s.one(`select count(*) from stripe_events where type = 'charge.dispute.closed' and outcome = 'applied'`) == 1
			})
			s.ledger()
		})
	}
}
