package stripelocal_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// receivedEvent is a delivered event.
type receivedEvent struct {
	APIVersion string `json:"api_version"`
	Type       string
	Data       struct {
		Object             map[string]any
		PreviousAttributes map[string]any `json:"previous_attributes"`
	}
}

// receiveIn makes an endpoint of a version and returns a function that returns its next event.
func (l *testServer) receiveIn(version string, types ...string) func() receivedEvent {
	l.t.Helper()
	address, got := recordWebhooks(l.t, always(200))
	params := &stripe.WebhookEndpointParams{URL: stripe.String(address), APIVersion: stripe.String(version), EnabledEvents: stripe.StringSlice(types)}
	if w := must[*stripe.WebhookEndpoint](l.t)(l.api.WebhookEndpoints.New(params)); w.APIVersion != version {
		l.t.Errorf("the endpoint is of %s", w.APIVersion)
	}
	return func() receivedEvent {
		l.t.Helper()
		var e receivedEvent
		if err := json.Unmarshal(next(l.t, got).body, &e); err != nil || e.APIVersion != version {
			l.t.Fatalf("%v, version %s", err, e.APIVersion)
		}
		return e
	}
}

// The previous attributes are those of the endpoint's shape (changelog: basil,
// deprecate-subscription-current-period-start-and-end).
func TestPreviousAttributesHaveTheShapeOfTheEndpoint(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(2)
	own := l.receiveIn(stripelocal.APIVersion, "customer.subscription.updated")
	newer := l.receiveIn(basil, "customer.subscription.updated")
	wantPrevious := func(want, wantNewer string) (receivedEvent, receivedEvent) {
		t.Helper()
		a, b := own(), newer()
		for _, c := range []struct {
			e    receivedEvent
			want string
		}{{a, want}, {b, wantNewer}} {
			if got := strings.Join(slices.Sorted(maps.Keys(c.e.Data.PreviousAttributes)), " "); got != c.want {
				t.Errorf("%s: previous attributes %s, want %s", c.e.APIVersion, got, c.want)
			}
		}
		return a, b
	}
	update := func(p *stripe.SubscriptionParams) {
		t.Helper()
		must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, p))
	}

	update(&stripe.SubscriptionParams{Metadata: map[string]string{"team": "a"}})
	wantPrevious("metadata", "metadata")

	update(&stripe.SubscriptionParams{Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(5)}}})
	_, changed := wantPrevious("items quantity", "items quantity")
	if item := firstItem(changed.Data.PreviousAttributes); item["quantity"] != 2.0 || item["current_period_end"] != float64(sub.CurrentPeriodEnd) {
		t.Errorf("the item was %v", item)
	}

	l.AdvanceClock(time.Unix(sub.CurrentPeriodEnd, 0).Add(2 * time.Hour))
	_, renewed := wantPrevious("current_period_end current_period_start", "items")
	was, is := firstItem(renewed.Data.PreviousAttributes), firstItem(renewed.Data.Object)
	if was["current_period_end"] != float64(sub.CurrentPeriodEnd) || is["current_period_start"] != float64(sub.CurrentPeriodEnd) {
		t.Errorf("the item was %v and is %v", was, is)
	}
}

func firstItem(o map[string]any) map[string]any {
	items, _ := o["items"].(map[string]any)
	data, _ := items["data"].([]any)
	if len(data) == 0 {
		return nil
	}
	item, _ := data[0].(map[string]any)
	return item
}

func TestAnEndpointOfAnUnknownVersionIsRefused(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for _, version := range []string{"2024-04-10", "2025-03-31", "2027-01-01.fern", "newest"} {
		status, body := l.call(testKey, "POST", "/v1/webhook_endpoints", url.Values{"url": {"http://localhost/"}, "enabled_events[]": {"*"}, "api_version": {version}})
		if text := string(body); status != 400 || !strings.Contains(text, `"param":"api_version"`) || !strings.Contains(text, "Invalid Stripe API version: "+version) {
			t.Errorf("%s: %d %s", version, status, body)
		}
	}
}

// The API's events are of the account's version, whatever a call requests (API reference: events).
func TestListedEventsAreOfTheAccountsVersion(t *testing.T) {
	t.Parallel()
	v := startIn(t, stripelocal.LatestAPIVersion())
	v.createSubscription(1)
	_, list := v.call("GET", "/v1/events?type=customer.subscription.created", nil)
	raw, err := json.Marshal(list["data"])
	if err != nil {
		t.Fatal(err)
	}
	var events []receivedEvent
	if err := json.Unmarshal(raw, &events); err != nil || len(events) != 1 {
		t.Fatalf("%v: %s", err, raw)
	}
	if e := events[0]; e.APIVersion != stripelocal.APIVersion || e.Data.Object["current_period_end"] == nil {
		t.Errorf("%s %v", e.APIVersion, e.Data.Object)
	}
}

// TestRandomCallsInEachVersion makes random calls in each version in turn, none of which may fail
// in the server.
func TestRandomCallsInEachVersion(t *testing.T) {
	t.Parallel()
	versions := stripelocal.APIVersions()
	d := startDirect(t)
	w := stripelocal.NewCallGenerator(3, fuzzClock)
	d.createObjects(w)
	good := 0
	for n := range stripelocal.RandomCalls {
		d.version = versions[n%len(versions)]
		body := d.send(w.Next())
		if w.Learn(body); !strings.HasPrefix(body, `{"error"`) {
			good++
		}
	}
	if good < stripelocal.MinAcceptedCalls {
		t.Errorf("only %d of %d calls were taken", good, stripelocal.RandomCalls)
	}
}
