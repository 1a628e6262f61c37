package stripelocal_test

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"usher/stripelocal"
)

// recordedWebhook is a webhook request as received.
type recordedWebhook struct {
	signature string
	body      []byte
}

// recordWebhooks records deliveries without verifying them and responds with status(n) to the n-th.
func recordWebhooks(t *testing.T, status func(n int) int) (string, <-chan recordedWebhook) {
	got := make(chan recordedWebhook, 100)
	n := 0
	address := serveWebhooks(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		n++
		w.WriteHeader(status(n))
		got <- recordedWebhook{req.Header.Get("Stripe-Signature"), body}
	}))
	return address, got
}

func always(status int) func(int) int { return func(int) int { return status } }

func next(t *testing.T, from <-chan recordedWebhook) recordedWebhook {
	t.Helper()
	select {
	case d := <-from:
		return d
	case <-time.After(time.Minute):
		t.Fatal("no delivery")
		return recordedWebhook{}
	}
}

func isSignedBy(d recordedWebhook, secret string) bool {
	_, err := webhook.ConstructEvent(d.body, d.signature, secret)
	return err == nil
}

// An endpoint of connected accounts has no events here, and must not take the place of one that
// has.
func TestAnEndpointIsEnsuredBesidesThatOfConnectedAccounts(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, always(200))
	l.create(testKey, "/v1/webhook_endpoints", url.Values{"url": {address}, "enabled_events[]": {"*"}, "connect": {"true"}})
	l.EnsureWebhookEndpoint(address, testSecret)
	l.createCustomer()
	if !isSignedBy(next(t, got), testSecret) {
		t.Error("not signed by the secret of the endpoint that was ensured")
	}
}

func TestRotatedSecretSignsUntilItExpires(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, always(200))
	l.EnsureWebhookEndpoint(address, "whsec_old", "customer.created")
	rotate := func(secret string, overlap time.Duration) recordedWebhook {
		t.Helper()
		if !l.RotateWebhookSecret(address, secret, overlap) {
			t.Fatal("no such endpoint")
		}
		l.createCustomer()
		return next(t, got)
	}
	if d := rotate("whsec_new", time.Hour); !isSignedBy(d, "whsec_old") || !isSignedBy(d, "whsec_new") || strings.Count(d.signature, "v1=") != 2 {
		t.Errorf("while rolling: %s", d.signature)
	}
	if d := rotate("whsec_last", 0); isSignedBy(d, "whsec_new") || !isSignedBy(d, "whsec_old") || !isSignedBy(d, "whsec_last") {
		t.Errorf("a cut without overlap, the first overlap still running: %s", d.signature)
	}
	if l.RotateWebhookSecret("http://nobody.test", "whsec_x", 0) {
		t.Error("a stranger's endpoint was found")
	}
}

func TestRotationOverHTTP(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, always(200))
	w := must[*stripe.WebhookEndpoint](t)(l.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
		URL: stripe.String(address), EnabledEvents: []*string{stripe.String("*")},
	}))
	answer := l.browse("POST", "/_usher/webhook_endpoints/"+w.ID+"/rotate", nil)
	var rotated struct{ Secret string }
	if err := json.Unmarshal([]byte(answer.body), &rotated); err != nil || !strings.HasPrefix(rotated.Secret, "whsec_") {
		t.Fatalf("%d %s", answer.status, answer.body)
	}
	l.createCustomer()
	if d := next(t, got); !isSignedBy(d, w.Secret) || !isSignedBy(d, rotated.Secret) || rotated.Secret == w.Secret {
		t.Errorf("signature %s", d.signature)
	}
	if none := l.browse("POST", "/_usher/webhook_endpoints/we_no/rotate", nil); none.status != 404 {
		t.Errorf("no endpoint: %d", none.status)
	}
}

func TestRetriesAreSignedAnew(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, func(n int) int { return map[bool]int{true: 302, false: 200}[n == 1] })
	l.EnsureWebhookEndpoint(address, testSecret, "customer.created")
	l.createCustomer()
	first, second := next(t, got), next(t, got)
	if string(first.body) != string(second.body) || first.signature == second.signature {
		t.Errorf("first %s, second %s", first.signature, second.signature)
	}
	if !isSignedBy(first, testSecret) || !isSignedBy(second, testSecret) {
		t.Error("a signature does not verify")
	}
}

func TestEndpointsReceiveTheirEventTypes(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.*", "product.created")
	off, missed := recordWebhooks(t, always(200))
	w := must[*stripe.WebhookEndpoint](t)(l.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
		URL: stripe.String(off), EnabledEvents: []*string{stripe.String("*")},
	}))
	must[*stripe.WebhookEndpoint](t)(l.api.WebhookEndpoints.Update(w.ID, &stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)}))
	l.createCustomer()
	l.createPrice("pro", 1000, "month")
	l.createCustomer()
	in.waitFor("product.created")
	got := in.waitForNames(3)
	if _, unwanted := in.find("price.created"); unwanted || len(got) != 3 || len(missed) != 0 {
		t.Errorf("%d delivered, price.created %v, %d to the disabled one", len(got), unwanted, len(missed))
	}
}

func TestAnEndpointOfAnotherVersionGetsItsShape(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, always(200))
	must[*stripe.WebhookEndpoint](t)(l.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
		URL: stripe.String(address), APIVersion: stripe.String("2025-03-31.basil"),
		EnabledEvents: []*string{stripe.String("customer.subscription.created"), stripe.String("invoice.paid")},
	}))
	sub := l.createSubscription(2)
	for range 2 {
		var e struct {
			APIVersion string `json:"api_version"`
			Type       string
			Data       struct{ Object map[string]any }
		}
		if err := json.Unmarshal(next(t, got).body, &e); err != nil || e.APIVersion != "2025-03-31.basil" {
			t.Fatalf("%v, version %s", err, e.APIVersion)
		}
		checkNewShape(t, e.Type, e.Data.Object, sub)
	}
}

func checkNewShape(t *testing.T, kind string, o map[string]any, sub *stripe.Subscription) {
	t.Helper()
	if kind == "invoice.paid" {
		parent, _ := o["parent"].(map[string]any)
		details, _ := parent["subscription_details"].(map[string]any)
		if _, old := o["subscription"]; old || details["subscription"] != sub.ID {
			t.Errorf("invoice: %v", o["parent"])
		}
		return
	}
	items, _ := o["items"].(map[string]any)
	data, _ := items["data"].([]any)
	item, _ := data[0].(map[string]any)
	if _, old := o["current_period_end"]; old || item["current_period_end"] != float64(sub.CurrentPeriodEnd) {
		t.Errorf("subscription item: %v", item["current_period_end"])
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.created")
	l.createCustomer()
	e := in.waitFor("customer.created")
	var list []struct{ ID, Event, Status string }
	raw := l.browse("GET", "/_usher/deliveries?type=customer.*&event="+e.ID, nil)
	if err := json.Unmarshal([]byte(raw.body), &list); err != nil || len(list) != 1 || list[0].Event != e.ID {
		t.Fatalf("deliveries: %s", raw.body)
	}
	for _, path := range []string{"/_usher/deliveries/" + list[0].ID + "/resend", "/_usher/events/" + e.ID + "/resend"} {
		if again := l.browse("POST", path, nil); again.status != 200 {
			t.Errorf("%s: %d %s", path, again.status, again.body)
		}
	}
	in.waitForNames(3)
	if in.got[1].ID != e.ID || in.got[2].ID != e.ID {
		t.Errorf("resent: %s, %s, want %s", in.got[1].ID, in.got[2].ID, e.ID)
	}
	back := l.browse("POST", "/_usher/events/"+e.ID+"/resend", url.Values{"back": {"//evil.test"}})
	if back.location != "" || l.browse("POST", "/_usher/events/evt_no/resend", nil).status != 404 {
		t.Errorf("a foreign address: %d %q", back.status, back.location)
	}
}

// Deliveries take real time, so an advance of the account's clock may put months between an event
// and its first delivery. Every event must still be delivered.
func TestAJumpOfTheClockLosesNoDelivery(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	jumped := make(chan struct{})
	address, got := recordWebhooks(t, func(int) int { <-jumped; return http.StatusOK })
	l.EnsureWebhookEndpoint(address, testSecret, "invoice.paid")
	for range 7 {
		if err := l.Advance("1 month"); err != nil {
			t.Fatal(err)
		}
	}
	// The clock's months shrink in February, the plan's do not: four days more reach the seventh
	// renewal whatever day it is, and an invoice is a draft for an hour.
	if err := l.Advance("4 days"); err != nil {
		t.Fatal(err)
	}
	close(jumped)

	want := map[string]bool{}
	for inv := range l.paidRenewals(sub.ID) {
		want[inv] = true
	}
	if len(want) != 7 {
		t.Fatalf("%d renewals are paid, want 7", len(want))
	}
	delivered := map[string]bool{}
	var first stripe.Event
	for range want {
		d := next(t, got)
		var e stripe.Event
		var inv stripe.Invoice
		if err := errors.Join(json.Unmarshal(d.body, &e), json.Unmarshal(e.Data.Raw, &inv)); err != nil || !isSignedBy(d, testSecret) {
			t.Fatalf("delivery: %v in %s", err, d.body)
		}
		delivered[inv.ID] = true
		if first.ID == "" {
			first = e
		}
	}
	if !maps.Equal(delivered, want) {
		t.Errorf("delivered %v, want %v", delivered, want)
	}
	_, err := l.api.Events.Get(first.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

// paidRenewals returns the ids of a subscription's paid invoices except the first one.
func (l *testServer) paidRenewals(subscription string) iter.Seq[string] {
	return func(yield func(string) bool) {
		p := &stripe.InvoiceListParams{Subscription: stripe.String(subscription), Status: stripe.String("paid")}
		for it := l.api.Invoices.List(p); it.Next(); {
			if inv := it.Invoice(); inv.BillingReason == stripe.InvoiceBillingReasonSubscriptionCycle && !yield(inv.ID) {
				return
			}
		}
	}
}
