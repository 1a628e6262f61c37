package billing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

// recordedOrders are two orders in which the events of one Checkout were delivered
// (https://github.com/pay-rails/pay/issues/282).
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

// deliverInOrder delivers all events that Stripe has created so far, ordered by type.
func (env *testEnv) deliverInOrder(types []string) {
	env.t.Helper()
	var list struct{ Data []json.RawMessage }
	env.stripeGet("/v1/events?limit=100", &list)
	byType := map[string][]json.RawMessage{}
	for _, raw := range slices.Backward(list.Data) { // oldest first
		var e struct{ Type string }
		env.must(json.Unmarshal(raw, &e))
		byType[e.Type] = append(byType[e.Type], raw)
	}
	if len(byType["customer.subscription.created"]) != 1 || len(byType["checkout.session.completed"]) != 1 {
		env.t.Fatalf("Stripe created %d types of events", len(byType))
	}
	for _, eventType := range types {
		for _, raw := range byType[eventType] {
			deliver(env.t, env, raw)
			env.processEvents()
		}
	}
}

// describeState describes the state without IDs and times.
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
			env.deliverInOrder(order) // deliver everything again
			if got := env.describeState(); got != want {
				t.Errorf("delivered twice:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}
