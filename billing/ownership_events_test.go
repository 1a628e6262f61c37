package billing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// resetBilling forgets everything that events have brought.
func (env *testEnv) resetBilling() {
	env.t.Helper()
	for _, table := range []string{"duplicate_subscriptions", "subscriptions", "invoices", "stripe_events", "emails"} {
		env.exec(`delete from ` + table)
	}
	env.exec(`update checkout_sessions set status = 'expired', completed_at = null, subscription_id = null`)
}

// Whatever the order in which the events of two purchases and of a foreign subscription arrive, the
// state is the same.
func TestOwnershipInEveryOrderOfEvents(t *testing.T) {
	env := newTestEnv(t)
	pro, starter := env.openTwoCheckouts()
	support := env.sellAtStripe(pro.CustomerID, env.supportPriceID(), env.organizationMetadataOfSubscription())
	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.pay(pro)
	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.pay(starter)
	created := env.eventsOfType("customer.subscription.created")
	completed := env.eventsOfType("checkout.session.completed")
	if len(created) != 3 || len(completed) != 2 {
		t.Fatalf("%d subscriptions created, %d sessions completed, want 3 and 2", len(created), len(completed))
	}
	events := slices.Concat(created, completed)
	first, second := subscriptionOf(t, completed[0]), subscriptionOf(t, completed[1])
	want := fmt.Sprintf("current %s, duplicate %s of %s, foreign %s", first, second, first, support)
	for _, order := range permutations(len(events)) {
		env.resetBilling()
		for _, i := range order {
			deliver(t, env, events[i])
		}
		env.processEvents()
		if got := env.ownership(); got != want {
			t.Fatalf("order %v: %s; want %s", order, got, want)
		}
	}
}

// ownership describes whose the organization's subscriptions are.
func (env *testEnv) ownership() string {
	var got string
	env.must(env.store.DB().GetContext(env.t.Context(), &got, `select format('current %s, duplicate %s, foreign %s',
		(select string_agg(id, ' ') from subscriptions where is_current),
		(select string_agg(subscription_id || ' of ' || kept_subscription_id, ' ') from duplicate_subscriptions),
		(select string_agg(id, ' ') from subscriptions where is_foreign))`))
	return got
}

func subscriptionOf(t *testing.T, payload []byte) string {
	t.Helper()
	var event struct {
		Data struct{ Object struct{ Subscription string } }
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	return event.Data.Object.Subscription
}
