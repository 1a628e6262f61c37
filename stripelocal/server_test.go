package stripelocal_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestIdempotencyKeyReplaysTheResponse(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	create := func(email string) (*stripe.Customer, error) {
		p := &stripe.CustomerParams{Email: stripe.String(email)}
		p.SetIdempotencyKey("org_1:1")
		return l.api.Customers.New(p)
	}
	first := must[*stripe.Customer](t)(create("ada@example.com"))
	if first.LastResponse.Header.Get("Idempotent-Replayed") != "" {
		t.Error("the first response is marked as a replay")
	}
	second := must[*stripe.Customer](t)(create("ada@example.com"))
	if second.ID != first.ID || second.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay gave %s (replayed %q), first was %s", second.ID, second.LastResponse.Header.Get("Idempotent-Replayed"), first.ID)
	}
	_, err := create("bob@example.com")
	wantError(t, err, http.StatusBadRequest, "", stripe.ErrorTypeIdempotency)
	if n := len(l.eventTypes()); n != 1 {
		t.Errorf("%d events, want the one customer.created", n)
	}
}

func wantError(t *testing.T, err error, status int, code stripe.ErrorCode, kind stripe.ErrorType) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a Stripe error", err)
	}
	if e.HTTPStatusCode != status || e.Code != code || e.Type != kind {
		t.Errorf("error is %d %s %s (%s), want %d %s %s", e.HTTPStatusCode, e.Code, e.Type, e.Msg, status, code, kind)
	}
	return e
}

func TestErrorsHaveStripesShape(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	unknown := &stripe.CustomerParams{}
	unknown.AddExtra("nickname", "x")
	cases := []struct {
		name   string
		call   func() error
		status int
		code   stripe.ErrorCode
	}{
		{"unknown id in the path", func() error { _, err := l.api.Customers.Get("cus_no", nil); return err }, 404, stripe.ErrorCodeResourceMissing},
		{"unknown id in a parameter", func() error {
			_, err := l.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{Customer: stripe.String("cus_no")})
			return err
		}, 400, stripe.ErrorCodeResourceMissing},
		{"unknown parameter", func() error { _, err := l.api.Customers.New(unknown); return err }, 400, stripe.ErrorCodeParameterUnknown},
		{"missing parameter", func() error { _, err := l.api.Products.New(&stripe.ProductParams{}); return err }, 400, stripe.ErrorCodeParameterMissing},
		{"bad e-mail", func() error {
			_, err := l.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada")})
			return err
		}, 400, stripe.ErrorCodeEmailInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, c.call(), c.status, c.code, stripe.ErrorTypeInvalidRequest)
		})
	}
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for key, want := range map[string]int{"": 401, "sk_test_123": 401, "sk_live_1234567890": 401, "sk_test_1234": 200} {
		req, _ := http.NewRequest("GET", l.url+"/v1/customers", nil)
		req.SetBasicAuth(key, "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || !strings.HasPrefix(res.Header.Get("Request-Id"), "req_") {
			t.Errorf("key %q: %d, request id %q; want %d", key, res.StatusCode, res.Header.Get("Request-Id"), want)
		}
	}
}

func TestPriceByLookupKey(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	old := l.createPrice("pro_monthly", 1000, "month")
	other := l.createPrice("starter_monthly", 500, "month")
	moved := must[*stripe.Price](t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1200), Product: stripe.String(old.Product.ID),
		Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")},
		LookupKey: stripe.String("pro_monthly"), TransferLookupKey: stripe.Bool(true),
	}))
	find := &stripe.PriceListParams{LookupKeys: stripe.StringSlice([]string{"pro_monthly", "starter_monthly"}), Active: stripe.Bool(true)}
	find.AddExpand("data.product")
	var ids []string
	for it := l.api.Prices.List(find); it.Next(); {
		ids = append(ids, it.Price().ID)
		if it.Price().Product.Name != "Pro" {
			t.Errorf("product of %s is not expanded", it.Price().ID)
		}
	}
	if want := []string{moved.ID, other.ID}; !slices.Equal(ids, want) {
		t.Errorf("lookup gave %v, want %v", ids, want)
	}
	_, err := l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1), Product: stripe.String(old.Product.ID), LookupKey: stripe.String("pro_monthly"),
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestListsPageThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	var made []string
	for range 23 {
		made = append([]string{l.createCustomer().ID}, made...)
	}
	p := &stripe.CustomerListParams{}
	p.Limit = stripe.Int64(5)
	var seen []string
	for it := l.api.Customers.List(p); it.Next(); {
		seen = append(seen, it.Customer().ID)
	}
	if !slices.Equal(seen, made) {
		t.Errorf("forward: %v, want %v", seen, made)
	}
	back := &stripe.CustomerListParams{}
	back.EndingBefore, back.Limit, back.Single = stripe.String(made[10]), stripe.Int64(3), true
	var before []string
	for it := l.api.Customers.List(back); it.Next(); {
		before = append(before, it.Customer().ID)
	}
	slices.Sort(before)
	want := slices.Clone(made[7:10])
	slices.Sort(want)
	if !slices.Equal(before, want) {
		t.Errorf("before %s: %v, want %v", made[10], before, want)
	}
}

func TestWebhookIsSignedAndRetriedAfterA500(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 1)
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.created")
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.created")
	if pending := l.PendingDeliveries(); pending != 0 {
		t.Errorf("%d deliveries are pending before the first event", pending)
	}
	c := l.createCustomer()
	if pending := l.PendingDeliveries(); pending != 1 {
		t.Errorf("%d deliveries are pending while the receiver answers 500, want 1", pending)
	}
	e := in.waitFor("customer.created")
	if e.GetObjectValue("id") != c.ID || e.APIVersion != stripelocal.APIVersion {
		t.Errorf("event is about %s at %s", e.GetObjectValue("id"), e.APIVersion)
	}
	l.until("the delivery is recorded", func() bool {
		d := l.deliveries()
		return len(d) == 1 && d[0].Attempts == 2 && d[0].Status == "succeeded"
	})
	if e := must[*stripe.Event](t)(l.api.Events.Get(e.ID, nil)); e.PendingWebhooks != 0 {
		t.Errorf("pending webhooks %d after the delivery", e.PendingWebhooks)
	}
	if pending := l.PendingDeliveries(); pending != 0 {
		t.Errorf("%d deliveries are pending after the last event", pending)
	}
}

type delivery struct {
	Attempts int
	Status   string
	Type     string
}

func (l *testServer) deliveries() []delivery {
	l.t.Helper()
	res, err := http.Get(l.url + "/_usher/deliveries")
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	var out []delivery
	if err := json.Unmarshal(raw, &out); err != nil {
		l.t.Fatalf("deliveries: %v in %s", err, raw)
	}
	return out
}

// until polls until a condition holds that a background goroutine brings about.
func (l *testServer) until(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			l.t.Fatalf("not in time: %s", what)
		}
	}
}

func TestStateFileRestoresEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "stripe.json")
	l := start(t, stripelocal.Options{StatePath: path})
	sub := l.createSubscription(3)
	key := &stripe.CustomerParams{Name: stripe.String("Once")}
	key.SetIdempotencyKey("once")
	once := must[*stripe.Customer](t)(l.api.Customers.New(key))
	events := l.eventTypes()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	again := start(t, stripelocal.Options{StatePath: path})
	kept := again.subscription(sub.ID)
	if kept.Status != "active" || kept.Items.Data[0].Quantity != 3 || kept.Metadata["orgId"] != "org_1" {
		t.Errorf("after reload: %s, %d seats, %v", kept.Status, kept.Items.Data[0].Quantity, kept.Metadata)
	}
	if got := again.eventTypes(); !slices.Equal(got, events) {
		t.Errorf("events after reload: %v, want %v", got, events)
	}
	if replay := must[*stripe.Customer](t)(again.api.Customers.New(key)); replay.ID != once.ID {
		t.Error("the idempotency key was forgotten")
	}
	if !strings.HasPrefix(kept.LatestInvoice.HostedInvoiceURL, again.url) {
		t.Errorf("hosted URL %s is not of the new origin %s", kept.LatestInvoice.HostedInvoiceURL, again.url)
	}
	if c := again.createCustomer(); c.ID == once.ID {
		t.Error("an id was given twice")
	}
}
