package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/stripelocal"
)

// startWorker runs the background worker until the test ends.
func (h *testEnv) startWorker() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.service.Worker.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// failRenewal makes a card the one that pays, and renews the plan.
func (h *testEnv) failRenewal(number string) {
	h.t.Helper()
	h.setCard(number)
	var end time.Time
	if err := h.store.DB().GetContext(h.t.Context(), &end, `select current_period_end from subscriptions`); err != nil {
		h.t.Fatal(err)
	}
	h.stripe.AdvanceClock(end.AddDate(0, 0, 1))
	waitFor(h.t, "the renewal to fail", func() bool {
		return h.count(`select count(*) from subscriptions where status = 'past_due'`) == 1 && h.count(`select count(*) from payment_attempts`) == 1
	})
}

const troubleSection = "#payment-trouble"

// A renewal fails, paying with the same card fails, a new card is charged at once: what the pages,
// getSummary and the entitlements say agrees at each step. The forms are submitted as a browser
// without JavaScript does.
func TestPaymentTroubleJourney(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.startWorker()
	h.failRenewal("4000000000000341")

	agree := func(status, access string) {
		t.Helper()
		if summary := b.get("/billing/getSummary").wantStatus(http.StatusOK).body; !strings.Contains(summary, `"status":"`+status+`"`) {
			t.Errorf("getSummary: %s, want %s", summary, status)
		}
		if granted := b.get("/api/v1/entitlements").wantStatus(http.StatusOK).body; !strings.Contains(granted, `"access":`+access) {
			t.Errorf("entitlements: %s, want access %s", granted, access)
		}
		var atStripe struct{ Status string }
		h.callStripeGet("/v1/subscriptions/"+h.subscriptionID(), &atStripe)
		if atStripe.Status != status {
			t.Errorf("Stripe says %s, want %s", atStripe.Status, status)
		}
	}
	agree("past_due", "true")
	tab := b.get(billingPath)
	tab.wantText("could not be collected on", "the card was declined", "Next try on", "Pay $87.00", "Update card")
	if dashboard := b.get("/dashboard"); dashboard.text(troubleSection) != tab.text(troubleSection) {
		t.Errorf("the dashboard says %q, the billing tab %q", dashboard.text(troubleSection), tab.text(troubleSection))
	}

	// Another amount than the invoice's.
	form := url.Values{"organizationId": {h.organization.ID}, "invoice": {h.openInvoiceID()}, "amount": {"1"}, "currency": {"usd"}}
	moved := b.post("/billing/pay", form).wantStatus(http.StatusConflict).wantText("it was $0.01, now it is $87.00. Nothing was charged.")
	b.post("/billing/pay", url.Values{"organizationId": {h.organization.ID}, "invoice": {"in_other"}, "amount": {"8700"}, "currency": {"usd"}}).wantStatus(http.StatusNotFound)
	b.post("/billing/pay", url.Values{"organizationId": {h.organization.ID}, "invoice": {h.openInvoiceID()}, "amount": {"all"}}).wantStatus(http.StatusBadRequest)
	h.signIn("member").post("/billing/pay", form).wantStatus(http.StatusForbidden)

	declined := b.submit(moved, `form[action="/billing/pay"]`, nil).wantRedirect(billingPath + "&notice=" + noticePayDeclined)
	page := b.follow(declined).wantText("The payment was declined.", "Nothing was charged", "Pay $87.00")
	if n := page.doc().Find(troubleSection + " ol li").Length(); n != 3 { // two attempts and the next one
		t.Errorf("the timeline has %d lines, want 3: %s", n, page.text(troubleSection))
	}
	agree("past_due", "true")

	h.setCard("4242424242424242")
	waitFor(t, "the new card to be charged", func() bool {
		return h.count(`select count(*) from subscriptions where status = 'active'`) == 1
	})
	agree("active", "true")
	for _, path := range []string{billingPath, "/dashboard"} {
		if b.get(path).doc().Find(troubleSection).Length() != 0 {
			t.Errorf("%s still shows trouble", path)
		}
	}
}

// While Stripe is slow the page answers within three seconds, says that the payment is on its way,
// and polls for the result.
func TestPayWhileStripeIsSlow(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.startWorker()
	h.failRenewal("4000000000000341")
	_, err := h.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.SlowCall, Method: "POST", Path: "/v1/invoices/*/pay", Millis: 5000, Calls: 1})
	if err != nil {
		t.Fatal(err)
	}
	tab := b.get(billingPath)
	started := time.Now()
	answer := b.submit(tab, `form[action="/billing/pay"]`, nil).wantRedirect(billingPath)
	if took := time.Since(started); took >= 5*time.Second { // Stripe's answer
		t.Errorf("the page answered after %v", took)
	}
	paying := b.follow(answer).wantText("is on its way.", "You are not charged twice")
	if paying.doc().Find("#billing-panel[hx-get]").Length() != 1 {
		t.Error("the page does not poll")
	}
	waitFor(t, "the result", func() bool {
		return h.count(`select count(*) from invoice_payments where status = 'declined'`) == 1
	})
	b.get(billingPath).wantText("could not be collected", "Pay $87.00")
}

func (h *testEnv) subscriptionID() string {
	h.t.Helper()
	return h.stored(`select id from subscriptions where is_current`)
}

func (h *testEnv) openInvoiceID() string {
	h.t.Helper()
	return h.stored(`select id from invoices where status = '` + billing.InvoiceOpen + `'`)
}

func (h *testEnv) stored(query string) string {
	h.t.Helper()
	var id string
	if err := h.store.DB().GetContext(h.t.Context(), &id, query); err != nil {
		h.t.Fatal(err)
	}
	return id
}

// callStripeGet reads from Stripe's API as another client.
func (h *testEnv) callStripeGet(path string, into any) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.origin+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.SetBasicAuth("sk_test_dashboard123", "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil || answer.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s: status %d, %v", path, answer.StatusCode, err)
	}
}
