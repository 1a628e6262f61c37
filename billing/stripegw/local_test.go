package stripegw

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/stripelocal"
)

const localSecret = "whsec_of_the_local_stripe"

// local is the local Stripe as an HTTP server, with a webhook endpoint that forwards events.
type local struct {
	gateway *Gateway
	events  chan billing.Event
}

func newLocal(t *testing.T) *local {
	t.Helper()
	stripe, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(stripe.Handler())
	stripe.SetOrigin(api.URL)
	l := &local{
		gateway: New(Options{SecretKey: "sk_test_123456789012", APIBase: api.URL, WebhookSecrets: []string{localSecret}}),
		events:  make(chan billing.Event, 200),
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body)
		event, err := l.gateway.VerifyEvent(payload, r.Header.Get("Stripe-Signature"), time.Now())
		if err != nil {
			t.Errorf("the local Stripe's event was rejected: %v", err)
		}
		l.events <- event
		w.WriteHeader(http.StatusOK)
	}))
	stripe.EnsureWebhookEndpoint(receiver.URL, localSecret, "*")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := stripe.Close(ctx); err != nil {
			t.Errorf("close the local Stripe: %v", err)
		}
		receiver.Close()
		api.Close()
	})
	return l
}

// await returns the next event that matches.
func (l *local) await(t *testing.T, what string, match func(billing.Event) bool) billing.Event {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case event := <-l.events:
			if match(event) {
				return event
			}
		case <-limit:
			t.Fatalf("no %s arrived", what)
		}
	}
}

func (l *local) customer(t *testing.T, organizationID string) string {
	t.Helper()
	id, err := l.gateway.CreateCustomer(t.Context(), billing.CustomerLink{OrganizationID: organizationID, Generation: 1, Email: "ada@example.com", Name: "Ada & Co"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (l *local) price(t *testing.T, amount int64) catalog.StripePrice {
	t.Helper()
	price, _, err := l.gateway.EnsurePrice(t.Context(), PlanPrice{PlanID: "team", PlanName: "Team", Description: "For teams", Interval: catalog.Monthly,
		Amount: catalog.Money{Minor: amount, Currency: "usd"}, LookupKey: "team_month"})
	if err != nil {
		t.Fatal(err)
	}
	return price
}

func (l *local) checkout(t *testing.T, quantity int) (billing.CheckoutSession, billing.StripeCheckoutSession) {
	t.Helper()
	record := checkoutRecord()
	record.CustomerID, record.PriceID, record.Quantity = l.customer(t, "org_1"), l.price(t, 900).ID, quantity
	session, err := l.gateway.CreateCheckoutSession(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	return record, session
}

// pay submits the hosted page and returns the redirect's location.
func (l *local) pay(t *testing.T, page string) *url.URL {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := browser.PostForm(page, url.Values{"email": {"ada@example.com"}, "cardNumber": {"4242 4242 4242 4242"}, "cardExpiry": {"12 / 40"},
		"cardCvc": {"123"}, "billingName": {"Ada Lovelace"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("the hosted page returned %s: %s", response.Status, body)
	}
	to, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestLocalEnsurePriceIsIdempotent(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	first := l.price(t, 900)
	if again := l.price(t, 900); again != first || !first.Active || first.ProductName != "Team" || first.Interval != catalog.Monthly {
		t.Errorf("got %+v, then %+v", first, again)
	}
	dearer := l.price(t, 1000)
	cheaper := l.price(t, 900)
	if dearer.ID == first.ID || cheaper.ID == first.ID || cheaper.ID == dearer.ID || cheaper.ProductID != first.ProductID {
		t.Errorf("9, 10 and 9 dollars gave %s, %s and %s", first.ID, dearer.ID, cheaper.ID)
	}
	found, err := l.gateway.Prices(t.Context(), []string{"team_month", "nobody"}, []string{first.ID, "price_nobody"})
	if err != nil || len(found) != 2 || found[0].ID != cheaper.ID || found[0].LookupKey != "team_month" || found[1].ID != first.ID || found[1].LookupKey != "" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestLocalCheckoutToSeats(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	acct, err := l.gateway.Account(t.Context())
	if err != nil || !strings.HasPrefix(acct.ID, "acct_") || acct.Livemode {
		t.Fatalf("got account %+v, %v", acct, err)
	}
	record, session := l.checkout(t, 3)
	if session.Status != billing.CheckoutOpen || session.OrgID != "org_1" || session.ClientReferenceID != "org_1" || session.URL == "" {
		t.Fatalf("got %+v", session)
	}
	if again, err := l.gateway.CreateCheckoutSession(t.Context(), record); err != nil || again.ID != session.ID {
		t.Errorf("a repeated call returned %q, %v, want %q", again.ID, err, session.ID)
	}

	if back := l.pay(t, session.URL); back.Query().Get("session_id") != session.ID {
		t.Errorf("sent back to %s, want the session's id in place of the braces", back)
	}
	done, err := l.gateway.CheckoutSession(t.Context(), session.ID)
	if err != nil || done.Status != billing.CheckoutComplete || done.PaymentStatus != "paid" || done.Subscription == nil {
		t.Fatalf("got %+v, %v", done, err)
	}
	checkPaidSubscription(t, *done.Subscription, record, acct)

	l.await(t, "completed session", func(e billing.Event) bool {
		return e.Checkout != nil && e.Checkout.ID == session.ID && e.Checkout.Status == billing.CheckoutComplete && e.OrgID == "org_1"
	})
	setSeatsOfTheLocalStripe(t, l, *done.Subscription)
}

func checkPaidSubscription(t *testing.T, s billing.Subscription, record billing.CheckoutSession, acct billing.StripeAccount) {
	t.Helper()
	if s.Status != billing.StatusActive || s.Items[0].Quantity != record.Quantity || s.Items[0].PriceID != record.PriceID || s.CustomerID != record.CustomerID {
		t.Errorf("got %+v", s)
	}
	if s.MetadataOrgID != "org_1" || s.Account != acct.ID || s.Livemode || s.TestClock || !strings.HasPrefix(s.Items[0].ID, "si_") {
		t.Errorf("got %+v", s)
	}
	if s.CardBrand != "visa" || s.CardLast4 != "4242" {
		t.Errorf("got card %s %s", s.CardBrand, s.CardLast4)
	}
	if age := time.Since(s.AsOf); age < -time.Second || age > time.Minute {
		t.Errorf("the snapshot is %v old", age)
	}
}

func setSeatsOfTheLocalStripe(t *testing.T, l *local, s billing.Subscription) {
	t.Helper()
	update := billing.QuantityUpdate{SubscriptionID: s.ID, ItemID: s.Items[0].ID, Quantity: 7, Proration: "create_prorations", IdempotencyKey: "seats:1:1"}
	response, err := l.gateway.UpdateQuantity(t.Context(), update)
	updated := response.Subscription
	if err != nil || response.Replayed || response.RequestID == "" || updated.Items[0].Quantity != 7 || updated.Items[0].ID != s.Items[0].ID || updated.CardLast4 != "4242" {
		t.Fatalf("got %+v, %v", response, err)
	}
	if response, err = l.gateway.UpdateQuantity(t.Context(), update); err != nil || !response.Replayed {
		t.Errorf("the same key again: replayed %t, %v", response.Replayed, err)
	}
	update.Quantity = 8
	if _, err = l.gateway.UpdateQuantity(t.Context(), update); stripeError(t, err).Type != "idempotency_error" {
		t.Errorf("other parameters under the same key: %v", err)
	}
	l.await(t, "event of seven seats", func(e billing.Event) bool {
		return e.Subscription != nil && e.Subscription.ID == s.ID && e.Subscription.Items[0].Quantity == 7 && e.Subscription.Account == s.Account
	})
	all, err := l.gateway.Subscriptions(t.Context(), s.CustomerID)
	if err != nil || len(all) != 1 || all[0].Items[0].Quantity != 7 || all[0].ID != s.ID {
		t.Errorf("got %+v, %v", all, err)
	}
	if read, err := l.gateway.Subscription(t.Context(), s.ID); err != nil || read.Items[0].Quantity != 7 {
		t.Errorf("got %+v, %v", read, err)
	}
	openPortalsOfTheLocalStripe(t, l, s)
}

func openPortalsOfTheLocalStripe(t *testing.T, l *local, s billing.Subscription) {
	t.Helper()
	price := l.price(t, 900)
	plans := newCatalog(catalog.Price{ID: price.ID, ProductID: price.ProductID})
	for _, flow := range []billing.PortalFlow{billing.PortalHome, billing.PortalPaymentMethod, billing.PortalCancel, billing.PortalChangePlan} {
		page, err := l.gateway.CreatePortalSession(t.Context(), billing.PortalRequest{CustomerID: s.CustomerID, ReturnURL: "https://app.example/billing",
			Flow: flow, SubscriptionID: s.ID, Catalog: plans, Switch: &billing.PortalSwitch{PriceID: price.ID, PerSeat: true, Currency: "usd"}})
		if err != nil || page.URL == "" {
			t.Errorf("%q: got %q, %v", flow, page.URL, err)
		}
	}
	if _, err := l.gateway.CreatePortalSession(t.Context(), billing.PortalRequest{CustomerID: s.CustomerID, ReturnURL: "https://app.example/billing"}); err != nil {
		t.Errorf("without switchable plans: %v", err)
	}
}

func TestLocalCustomerIsCreatedOncePerGeneration(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	first, again := l.customer(t, "org_1"), l.customer(t, "org_1")
	next, err := l.gateway.CreateCustomer(t.Context(), billing.CustomerLink{OrganizationID: "org_1", Generation: 2, Email: "ada@example.com"})
	if err != nil || first != again || next == first {
		t.Errorf("got %s, %s and %s, %v", first, again, next, err)
	}
}

func TestLocalExpire(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	_, session := l.checkout(t, 1)
	if err := l.gateway.ExpireCheckoutSession(t.Context(), session.ID); err != nil {
		t.Fatal(err)
	}
	if e := stripeError(t, l.gateway.ExpireCheckoutSession(t.Context(), session.ID)); e.Status != http.StatusBadRequest {
		t.Errorf("expiring twice: %+v", e)
	}
	if closed, err := l.gateway.CheckoutSession(t.Context(), session.ID); err != nil || closed.Status != billing.CheckoutExpired || closed.URL != "" || closed.Subscription != nil {
		t.Errorf("got %+v, %v", closed, err)
	}
}

func TestLocalMissingObjects(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	calls := map[string]func() error{
		"subscription": func() error { _, err := l.gateway.Subscription(t.Context(), "sub_nobody"); return err },
		"checkout":     func() error { _, err := l.gateway.CheckoutSession(t.Context(), "cs_nobody"); return err },
		"seats": func() error {
			_, err := l.gateway.UpdateQuantity(t.Context(), billing.QuantityUpdate{SubscriptionID: "sub_nobody", ItemID: "si_nobody", Quantity: 1, IdempotencyKey: "k"})
			return err
		},
		"portal": func() error {
			_, err := l.gateway.CreatePortalSession(t.Context(), billing.PortalRequest{CustomerID: "cus_nobody", ReturnURL: "https://app.example"})
			return err
		},
	}
	for name, call := range calls {
		e := stripeError(t, call())
		if e.Code != "resource_missing" || e.ShouldRetry || e.OutcomeUnknown {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestLocalWebhookEndpoint(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	const here = "https://app.example/stripe/webhook"
	id, secret, created, err := l.gateway.EnsureWebhookEndpoint(t.Context(), here, []string{"invoice.paid"})
	if err != nil || !created || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("got %q, %q, %t, %v", id, secret, created, err)
	}
	again, secret, created, err := l.gateway.EnsureWebhookEndpoint(t.Context(), here, []string{"invoice.paid"})
	if err != nil || created || secret != "" || again != id {
		t.Errorf("the second time: got %q, %q, %t, %v", again, secret, created, err)
	}
}

func TestLocalStripeUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	gateway := New(Options{SecretKey: "sk_test_123456789012", APIBase: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := gateway.CreateCustomer(ctx, billing.CustomerLink{OrganizationID: "org_1"})
	if e := stripeError(t, err); !e.OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
