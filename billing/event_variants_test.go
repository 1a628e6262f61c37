package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/job"
)

// Each case delivers the event of a cancellation in another variant. The service
// learns of the cancellation only through this event.
func TestEventVariants(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(payload string) string
		outcome billing.Outcome // after processing
		applied bool            // the cancellation is stored
	}{
		"unchanged":           {func(p string) string { return p }, billing.OutcomeApplied, true},
		"another API version": {func(p string) string { return strings.Replace(p, `"2024-06-20"`, `"2020-08-27"`, 1) }, billing.OutcomeApplied, true},
		"livemode flipped":    {func(p string) string { return strings.Replace(p, `"livemode":false`, `"livemode":true`, -1) }, billing.OutcomeIgnored, false},
		"another account":     {func(p string) string { return strings.Replace(p, `{`, `{"account":"acct_other",`, 1) }, billing.OutcomeIgnored, false},
		"unknown type": {func(p string) string {
			return strings.Replace(p, `customer.subscription.updated`, `customer.subscription.renamed`, 1)
		}, billing.OutcomeIgnored, false},
		"unknown enum value": {func(p string) string {
			return strings.Replace(p, `"collection_method":"charge_automatically"`, `"collection_method":"by_unknown"`, 1)
		}, billing.OutcomeApplied, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribe("pro")
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			updates := env.eventsOfType("customer.subscription.updated")
			var compact bytes.Buffer
			env.must(json.Compact(&compact, updates[len(updates)-1]))
			deliver(t, env, []byte(c.change(compact.String())))
			env.processEvents()
			var outcome string
			env.must(env.store.DB().GetContext(t.Context(), &outcome, `select outcome from stripe_events`))
			if outcome != string(c.outcome) || env.overview().Subscription.CancelAtPeriodEnd != c.applied {
				t.Errorf("outcome %s, cancel at period end %v", outcome, env.overview().Subscription.CancelAtPeriodEnd)
			}
		})
	}
}

func TestEventsOfOtherApplicationsAreIgnored(t *testing.T) {
	env := newTestEnv(t)
	var customer, subscription struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", url.Values{"email": {"other@example.com"}, "source": {"tok_visa"}}, &customer)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", url.Values{"customer": {customer.ID}, "items[0][price]": {env.planPriceID("pro", catalog.Monthly)}}, &subscription)
	env.startBackground()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+subscription.ID, url.Values{"metadata[other]": {"yes"}})
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+subscription.ID, nil)
	env.waitFor("the events of the other application", func(billing.Overview) bool { return env.queryInt(`select count(*) from stripe_events`) >= 2 })
	if n := env.queryInt(`select count(*) from stripe_events where outcome <> 'ignored' or organization_id is not null`); n != 0 {
		t.Errorf("%d events of another application are not ignored", n)
	}
	if env.queryInt(`select count(*) from subscriptions`) != 0 {
		t.Error("the subscription of another application is stored")
	}
}

// The events arrive before the customer is linked. The metadata names the organization, and the
// objects are fetched from Stripe.
func TestEventsBeforeCustomerIsLinked(t *testing.T) {
	env := newTestEnv(t)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	_, err = env.store.DB().ExecContext(t.Context(), `update billing_customers set stripe_customer_id = null`)
	env.must(err)
	env.pay(session)
	for _, kind := range []string{"customer.subscription.created", "invoice.paid", "customer.subscription.updated"} {
		for _, payload := range env.eventsOfType(kind) {
			deliver(t, env, payload)
		}
	}
	env.processEvents()
	if o := env.overview(); o.CustomerID != session.CustomerID || o.Subscription == nil || o.Subscription.Status != billing.StatusActive || o.Credits.Balance != 1000 {
		t.Errorf("overview: %+v", o)
	}
}

func TestDeletedCustomerIsUnlinked(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.startBackground()
	env.stripeRequest(http.MethodDelete, "/v1/customers/"+current.CustomerID, nil)
	env.waitFor("the customer to be unlinked", func(o billing.Overview) bool {
		return o.CustomerID == "" && o.Subscription.Status == billing.StatusCanceled && !o.HasAccess
	})
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	if err != nil || session.CustomerID == current.CustomerID {
		t.Errorf("next checkout: customer %s, %v; want another customer", session.CustomerID, err)
	}
}

// panickingGateway panics when one subscription is fetched.
type panickingGateway struct {
	billing.Gateway
	id string
}

func (g panickingGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	if id == g.id {
		panic("test panic")
	}
	return g.Gateway.Subscription(ctx, id)
}

// An event whose processing panics fails after its last attempt and does not delay other events.
func TestPanickingEventDoesNotBlockOthers(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	clock := newTestClock()
	options := env.options(env.store)
	options.Gateway = panickingGateway{options.Gateway, "sub_panic"}
	options.Now = clock.now
	env.useService(env.startService(options))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	updates := env.eventsOfType("customer.subscription.updated")
	payload := fmt.Sprintf(`{"id":"evt_panic","object":"event","type":"invoice.upcoming","api_version":"2024-06-20","created":%d,"livemode":false,
		"data":{"object":{"object":"invoice","customer":%q,"subscription":"sub_panic"}}}`, time.Now().Unix(), current.CustomerID)
	deliver(t, env, []byte(payload))
	deliver(t, env, updates[len(updates)-1])
	for range 3 {
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if !env.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the other event is not applied")
	}
	for range 90 {
		clock.advance(2 * time.Hour) // longer than the longest back-off
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if env.queryInt(`select count(*) from stripe_events where id = 'evt_panic' and outcome = 'failed' and error like '%panicked: test panic%' and attempts = 83`) != 1 {
		t.Error("the event is not failed after its last attempt, or its error is missing")
	}
}
