package billing_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
)

// pricelessGateway can't read prices while it is failing.
type pricelessGateway struct {
	billing.Gateway
	failing *atomic.Bool
}

func (g pricelessGateway) Prices(ctx context.Context, lookupKeys, ids []string) ([]catalog.StripePrice, error) {
	if g.failing.Load() {
		return nil, &apperr.StripeError{Status: 500, Message: "prices are unavailable"}
	}
	return g.Gateway.Prices(ctx, lookupKeys, ids)
}

// An event with a price that this process does not know waits until the price is fetched. Until
// then the subscription is neither ours nor foreign.
func TestUnknownPriceLeavesEventPending(t *testing.T) {
	env := newTestEnv(t)
	var failing atomic.Bool
	options := env.options(env.store)
	options.Gateway = pricelessGateway{options.Gateway, &failing}
	env.useService(env.startService(options))
	pro := env.subscribe("pro")
	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+pro.ID, url.Values{"items[0][price]": {env.supportPriceID()}})
	updated := env.eventsOfType("customer.subscription.updated")
	failing.Store(true)
	deliver(t, env, updated[len(updated)-1])
	_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
	env.must(err)
	var reason string
	env.must(env.store.DB().GetContext(t.Context(), &reason, `select error from stripe_events where outcome = 'pending'`))
	if !strings.Contains(reason, "prices are unavailable") {
		t.Errorf("pending because of %q", reason)
	}
	env.wantCurrent(pro.ID, true)

	failing.Store(false)
	env.exec(`update stripe_events set next_attempt_at = now() - interval '1 second' where outcome = 'pending'`)
	env.processEvents()
	env.wantCurrent(pro.ID, true)
	if items := env.overview().OtherItems; len(items) != 1 {
		t.Errorf("other items %+v, want the support item", items)
	}
}

// A plan is taken out of the plan file, and put back: the reconciler corrects whose its
// subscriptions are, and which one is current.
func TestPlanFileChangeIsReclassified(t *testing.T) {
	env := newTestEnv(t)
	pro := env.subscribe("pro")
	with := func(ids ...string) {
		options := env.options(env.store)
		options.Catalog.Plans = slices.DeleteFunc(slices.Clone(options.Catalog.Plans), func(p catalog.Plan) bool { return !slices.Contains(ids, p.ID) })
		env.useService(env.startService(options))
	}
	with("starter")
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(withoutEvents(drifts)) != 1 {
		t.Errorf("drift %v, want one of the subscription", drifts)
	}
	env.wantCurrent("", false)
	with("starter", "pro")
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(withoutEvents(drifts)) == 0 {
		t.Error("no drift, want one of the subscription")
	}
	env.wantCurrent(pro.ID, true)
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(drifts) != 0 {
		t.Errorf("drift %v, want none", drifts)
	}
}
