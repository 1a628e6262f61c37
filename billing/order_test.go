package billing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

// The two orders in which the events of one Checkout were seen to come (https://github.com/pay-rails/pay/issues/282).
var seenOrders = map[string][]string{
	"subscription first": {
		"charge.succeeded", "payment_method.attached", "invoice.created", "customer.subscription.created", "invoice.updated", "invoice.finalized",
		"customer.subscription.updated", "invoice.paid", "invoice.payment_succeeded", "payment_intent.created", "payment_intent.succeeded",
		"checkout.session.completed",
	},
	"session second, update before creation": {
		"charge.succeeded", "checkout.session.completed", "payment_method.attached", "invoice.created", "customer.subscription.updated",
		"customer.subscription.created", "invoice.updated", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded",
		"payment_intent.created", "payment_intent.succeeded",
	},
}

// inOrder delivers everything that Stripe has made so far, by type.
func (s *stage) inOrder(types []string) {
	s.t.Helper()
	var made struct{ Data []json.RawMessage }
	s.getStripe("/v1/events?limit=100", &made)
	kinds := map[string][]json.RawMessage{}
	for _, raw := range slices.Backward(made.Data) { // the oldest first
		var e struct{ Type string }
		s.must(json.Unmarshal(raw, &e))
		kinds[e.Type] = append(kinds[e.Type], raw)
	}
	if len(kinds["customer.subscription.created"]) != 1 || len(kinds["checkout.session.completed"]) != 1 {
		s.t.Fatalf("Stripe made %d kinds of events", len(kinds))
	}
	for _, kind := range types {
		for _, raw := range kinds[kind] {
			deliver(s.t, s, raw)
			s.settleEvents()
		}
	}
}

// stateInWords is everything but ids and moments.
func (s *stage) stateInWords() string {
	s.t.Helper()
	o := s.overview()
	if o.Subscription == nil {
		return "no subscription"
	}
	invoices, err := s.service.Invoices.List(s.t.Context(), s.access)
	s.must(err)
	state := fmt.Sprintf("%s %s ×%d, access %v, seats %s %d, credits %d, card %s", o.Plan.ID, o.Subscription.Status, o.Subscription.Quantity, o.HasAccess,
		o.Seats.Status, *o.Seats.LastApplied, o.Credits.Balance, o.Subscription.CardLast4)
	for _, i := range invoices {
		state += fmt.Sprintf(", invoice %s %d of %d", i.Status, i.AmountPaid, i.Total)
	}
	return state
}

func TestBothSeenOrdersGiveTheSameState(t *testing.T) {
	const want = "pro active ×3, access true, seats ok 3, credits 1000, card 4242, invoice paid 8700 of 8700"
	for name, order := range seenOrders {
		t.Run(name, func(t *testing.T) {
			s := openStage(t)
			s.join(2)
			session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			s.must(err)
			s.pay(session)
			s.inOrder(order)
			if got := s.stateInWords(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			s.inOrder(order) // all of it once more
			if got := s.stateInWords(); got != want {
				t.Errorf("delivered twice: %s", got)
			}
		})
	}
}
