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
func TestOddEvents(t *testing.T) {
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
			s := openStage(t)
			current := s.subscribe("pro")
			s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			made := s.eventsOf("customer.subscription.updated")
			var compact bytes.Buffer
			s.must(json.Compact(&compact, made[len(made)-1]))
			deliver(t, s, []byte(c.change(compact.String())))
			s.settleEvents()
			var outcome string
			s.must(s.store.DB().GetContext(t.Context(), &outcome, `select outcome from stripe_events`))
			if outcome != string(c.outcome) || s.overview().Subscription.CancelAtPeriodEnd != c.ending {
				t.Errorf("%s, and the plan ends: %v", outcome, s.overview().Subscription.CancelAtPeriodEnd)
			}
		})
	}
}

func TestForeignObjectsAreIgnored(t *testing.T) {
	s := openStage(t)
	var customer, subscription struct{ ID string }
	s.postStripe(http.MethodPost, "/v1/customers", url.Values{"email": {"other@example.com"}, "source": {"tok_visa"}}, &customer)
	s.postStripe(http.MethodPost, "/v1/subscriptions", url.Values{"customer": {customer.ID}, "items[0][price]": {s.planPrice("pro", catalog.Monthly)}}, &subscription)
	s.listening()
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+subscription.ID, url.Values{"metadata[theirs]": {"yes"}})
	s.postStripe(http.MethodDelete, "/v1/subscriptions/"+subscription.ID, nil)
	s.until("their events", func(billing.Overview) bool { return s.one(`select count(*) from stripe_events`) >= 2 })
	if n := s.one(`select count(*) from stripe_events where outcome <> 'ignored' or organization_id is not null`); n != 0 {
		t.Errorf("%d of another application's events are not ignored", n)
	}
	if s.one(`select count(*) from subscriptions`) != 0 {
		t.Error("another application's subscription is here")
	}
}

// The webhook overtakes our own write of the customer's link: whose it is stands in the metadata, and Stripe is asked.
func TestEventBeforeOurCommit(t *testing.T) {
	s := openStage(t)
	session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	s.must(err)
	_, err = s.store.DB().ExecContext(t.Context(), `update billing_customers set stripe_customer_id = null`)
	s.must(err)
	s.pay(session)
	for _, kind := range []string{"customer.subscription.created", "invoice.paid", "customer.subscription.updated"} {
		for _, payload := range s.eventsOf(kind) {
			deliver(t, s, payload)
		}
	}
	s.settleEvents()
	if o := s.overview(); o.CustomerID != session.CustomerID || o.Subscription == nil || o.Subscription.Status != billing.StatusActive || o.Credits.Balance != 1000 {
		t.Errorf("overview: %+v", o)
	}
}

func TestDeletedCustomerIsForgotten(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	s.listening()
	s.postStripe(http.MethodDelete, "/v1/customers/"+current.CustomerID, nil)
	s.until("the end of it", func(o billing.Overview) bool {
		return o.CustomerID == "" && o.Subscription.Status == billing.StatusCanceled && !o.HasAccess
	})
	session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	if err != nil || session.CustomerID == current.CustomerID {
		t.Errorf("the next checkout: customer %s, %v", session.CustomerID, err)
	}
}

// poisoned makes whoever asks about one subscription fail in the worst way.
type poisoned struct {
	billing.Gateway
	id string
}

func (p poisoned) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	if id == p.id {
		panic("poison")
	}
	return p.Gateway.Subscription(ctx, id)
}

// A poisonous event is tried, given up at last, and never keeps another one waiting.
func TestPoisonEventHoldsNobodyUp(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	options := s.options(s.store)
	options.Gateway = poisoned{options.Gateway, "sub_poison"}
	var ahead time.Duration
	options.Now = func() time.Time { return time.Now().Add(ahead) }
	s.service = billing.New(options)
	s.must(s.service.Prices.Start(t.Context()))
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	made := s.eventsOf("customer.subscription.updated")
	payload := fmt.Sprintf(`{"id":"evt_poison","object":"event","type":"invoice.upcoming","api_version":"2024-06-20","created":%d,"livemode":false,
		"data":{"object":{"object":"invoice","customer":%q,"subscription":"sub_poison"}}}`, time.Now().Unix(), current.CustomerID)
	deliver(t, s, []byte(payload))
	deliver(t, s, made[len(made)-1])
	for range 3 {
		_, err := s.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		s.must(err)
	}
	if !s.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the other event waits")
	}
	for range 40 {
		ahead += 2 * time.Hour // longer than the longest wait between two attempts
		_, err := s.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		s.must(err)
	}
	if s.one(`select count(*) from stripe_events where id = 'evt_poison' and outcome = 'failed' and error like '%panicked: poison%' and attempts = 15`) != 1 {
		t.Error("it is not given up after 15 attempts, or not said why")
	}
}
