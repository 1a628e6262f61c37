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
var recordedOrders = map[string][]string{
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
func (env *testEnv) deliverInOrder(types []string) {
	env.t.Helper()
	var made struct{ Data []json.RawMessage }
	env.stripeGet("/v1/events?limit=100", &made)
	kinds := map[string][]json.RawMessage{}
	for _, raw := range slices.Backward(made.Data) { // the oldest first
		var e struct{ Type string }
		env.must(json.Unmarshal(raw, &e))
		kinds[e.Type] = append(kinds[e.Type], raw)
	}
	if len(kinds["customer.subscription.created"]) != 1 || len(kinds["checkout.session.completed"]) != 1 {
		env.t.Fatalf("Stripe made %d kinds of events", len(kinds))
	}
	for _, kind := range types {
		for _, raw := range kinds[kind] {
			deliver(env.t, env, raw)
			env.processEvents()
		}
	}
}

// stateInWords is everything but ids and moments.
func (env *testEnv) describeState() string {
	env.t.Helper()
	o := env.overview()
	if o.Subscription == nil {
		return "no subscription"
	}
	invoices, err := env.service.Invoices.List(env.t.Context(), env.access)
	env.must(err)
	state := fmt.Sprintf("%s %s ×%d, access %v, seats %s %d, credits %d, card %s", o.Plan.ID, o.Subscription.Status, o.Subscription.Quantity, o.HasAccess,
		o.Seats.Status, *o.Seats.LastApplied, o.Credits.Balance, o.Subscription.CardLast4)
	for _, i := range invoices {
		state += fmt.Sprintf(", invoice %s %d of %d", i.Status, i.AmountPaid, i.Total)
	}
	return state
}

func TestRecordedEventOrdersConverge(t *testing.T) {
	const want = "pro active ×3, access true, seats ok 3, credits 1000, card 4242, invoice paid 8700 of 8700"
	for name, order := range recordedOrders {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.addMembers(2)
			session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			env.must(err)
			env.pay(session)
			env.deliverInOrder(order)
			if got := env.describeState(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			env.deliverInOrder(order) // all of it once more
			if got := env.describeState(); got != want {
				t.Errorf("delivered twice: %s", got)
			}
		})
	}
}
