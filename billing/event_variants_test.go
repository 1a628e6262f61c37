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

// The last change at Stripe is a cancellation, which only its event tells of. Each case brings that event in another odd shape.
func TestEventVariants(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(payload string) string
		outcome billing.Outcome // after all was asked
		ending  bool            // what was to be heard is here
	}{
		"as it is":          {func(p string) string { return p }, billing.OutcomeApplied, true},
		"other API version": {func(p string) string { return strings.Replace(p, `"2024-06-20"`, `"2020-08-27"`, 1) }, billing.OutcomeApplied, true},
		"livemode flipped":  {func(p string) string { return strings.Replace(p, `"livemode":false`, `"livemode":true`, -1) }, billing.OutcomeIgnored, false},
		"another account":   {func(p string) string { return strings.Replace(p, `{`, `{"account":"acct_other",`, 1) }, billing.OutcomeIgnored, false},
		"unknown type": {func(p string) string {
			return strings.Replace(p, `customer.subscription.updated`, `customer.subscription.teleported`, 1)
		}, billing.OutcomeIgnored, false},
		"unknown enum value": {func(p string) string {
			return strings.Replace(p, `"collection_method":"charge_automatically"`, `"collection_method":"by_pigeon"`, 1)
		}, billing.OutcomeApplied, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribe("pro")
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			made := env.eventsOfType("customer.subscription.updated")
			var compact bytes.Buffer
			env.must(json.Compact(&compact, made[len(made)-1]))
			deliver(t, env, []byte(c.change(compact.String())))
			env.processEvents()
			var outcome string
			env.must(env.store.DB().GetContext(t.Context(), &outcome, `select outcome from stripe_events`))
			if outcome != string(c.outcome) || env.overview().Subscription.CancelAtPeriodEnd != c.ending {
				t.Errorf("%s, and the plan ends: %v", outcome, env.overview().Subscription.CancelAtPeriodEnd)
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
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+subscription.ID, url.Values{"metadata[theirs]": {"yes"}})
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+subscription.ID, nil)
	env.waitFor("their events", func(billing.Overview) bool { return env.queryInt(`select count(*) from stripe_events`) >= 2 })
	if n := env.queryInt(`select count(*) from stripe_events where outcome <> 'ignored' or organization_id is not null`); n != 0 {
		t.Errorf("%d of another application's events are not ignored", n)
	}
	if env.queryInt(`select count(*) from subscriptions`) != 0 {
		t.Error("another application's subscription is here")
	}
}

// The webhook overtakes our own write of the customer's link: whose it is stands in the metadata, and Stripe is asked.
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
	env.waitFor("the end of it", func(o billing.Overview) bool {
		return o.CustomerID == "" && o.Subscription.Status == billing.StatusCanceled && !o.HasAccess
	})
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	if err != nil || session.CustomerID == current.CustomerID {
		t.Errorf("the next checkout: customer %s, %v", session.CustomerID, err)
	}
}

// poisoned makes whoever asks about one subscription fail in the worst way.
type panickingGateway struct {
	billing.Gateway
	id string
}

func (p panickingGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	if id == p.id {
		panic("poison")
	}
	return p.Gateway.Subscription(ctx, id)
}

// A poisonous event is tried, given up at last, and never keeps another one waiting.
func TestPanickingEventDoesNotBlockOthers(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	options := env.options(env.store)
	options.Gateway = panickingGateway{options.Gateway, "sub_poison"}
	var ahead time.Duration
	options.Now = func() time.Time { return time.Now().Add(ahead) }
	env.service = billing.New(options)
	env.must(env.service.Prices.Start(t.Context()))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	made := env.eventsOfType("customer.subscription.updated")
	payload := fmt.Sprintf(`{"id":"evt_poison","object":"event","type":"invoice.upcoming","api_version":"2024-06-20","created":%d,"livemode":false,
		"data":{"object":{"object":"invoice","customer":%q,"subscription":"sub_poison"}}}`, time.Now().Unix(), current.CustomerID)
	deliver(t, env, []byte(payload))
	deliver(t, env, made[len(made)-1])
	for range 3 {
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if !env.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the other event waits")
	}
	for range 40 {
		ahead += 2 * time.Hour // longer than the longest wait between two attempts
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if env.queryInt(`select count(*) from stripe_events where id = 'evt_poison' and outcome = 'failed' and error like '%panicked: poison%' and attempts = 15`) != 1 {
		t.Error("it is not given up after 15 attempts, or not said why")
	}
}
