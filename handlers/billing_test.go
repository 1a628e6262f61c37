package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing"
)

const invoicePoll = "#billing-invoice-poll"

// setStatus overwrites the status in the stored subscription.
func (h *testEnv) setStatus(status billing.SubscriptionStatus) {
	h.t.Helper()
	h.waitUntilReconciled()
	if _, err := h.store.DB().ExecContext(h.t.Context(), `update subscriptions set status = $1`, status); err != nil {
		h.t.Fatal(err)
	}
}

// waitUntilReconciled waits for the reconciliation with which the service starts: on a busy machine
// it may end during a test and restore what the test has overwritten.
func (h *testEnv) waitUntilReconciled() {
	h.t.Helper()
	waitFor(h.t, "the first reconciliation", func() bool {
		return h.count(`select count(*) from reconcile_states where finished_at is not null`) == 1
	})
}

// dropWebhooks answers webhooks with 503 from now on. It waits for the first reconciliation, which
// would store the events that no webhook delivers.
func (h *testEnv) dropWebhooks() {
	h.t.Helper()
	h.waitUntilReconciled()
	h.webhooksDropped.Store(true)
}

// storeOpenInvoice stores an open invoice of the organization's subscription.
func (h *testEnv) storeOpenInvoice() {
	h.t.Helper()
	h.storeInvoice(billing.Invoice{ID: "in_open", Number: "N-1", Status: billing.InvoiceOpen, AmountDue: 8700}, time.Date(2026, time.November, 3, 12, 0, 0, 0, time.UTC))
}

// storeInvoice stores a renewal's invoice of the organization's subscription over $87.00.
func (h *testEnv) storeInvoice(invoice billing.Invoice, at time.Time) {
	h.t.Helper()
	h.waitUntilReconciled()
	var subscription struct{ ID, Account string }
	if err := h.store.DB().GetContext(h.t.Context(), &subscription, `select id, account from subscriptions`); err != nil {
		h.t.Fatal(err)
	}
	invoice.OrganizationID, invoice.SubscriptionID, invoice.Account = h.organization.ID, subscription.ID, subscription.Account
	invoice.Reason, invoice.Currency, invoice.Total = "subscription_cycle", "usd", 8700
	invoice.CreatedAt, invoice.FinalizedAt, invoice.AsOf = at, &at, at
	if err := h.store.Invoices().Put(h.t.Context(), invoice); err != nil {
		h.t.Fatal(err)
	}
}

func polls(page *goquery.Document, path string) bool {
	poll := page.Find(invoicePoll)
	return poll.AttrOr("hx-get", "") == path && poll.AttrOr("hx-trigger", "") == "every 2000ms" && poll.AttrOr("hx-swap", "") == "outerHTML"
}

// TestBillingTabBeforeTheInvoiceEvent covers the time between the event of a subscription and the
// event of its invoice.
func TestBillingTabBeforeTheInvoiceEvent(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	const path, title = "/organization?tab=billing", "$87.00 could not be collected on 3 Nov 2026."

	for _, status := range []billing.SubscriptionStatus{billing.StatusIncomplete, billing.StatusUnpaid, billing.StatusPastDue} {
		h.setStatus(status)
		page := b.get(path).wantStatus(http.StatusOK)
		if !polls(page.doc(), "/organization?poll=1&tab=billing") || page.doc().Find("#billing-panel[hx-get]").Length() != 0 {
			t.Errorf("%s: the page does not poll for the invoice alone: %s", status, page.body)
		}
		if !strings.Contains(page.doc().Find("#billing-panel > noscript").Text(), `href="/organization?poll=1&amp;tab=billing"`) {
			t.Errorf("%s: no link without JavaScript", status)
		}
	}
	target := []string{"HX-Request", "true", "HX-Target", "billing-invoice-poll"}
	still := b.get(path+"&poll=1", target...).wantStatus(http.StatusOK)
	if root := still.doc().Find("body > *"); root.Length() != 1 || !root.Is(invoicePoll) || !polls(still.doc(), "/organization?poll=2&tab=billing") {
		t.Errorf("a poll without changes replaces more than itself: %s", still.body)
	}
	if last := b.get(path+"&poll=20", target...).wantStatus(http.StatusOK); strings.Contains(last.body, "hx-get") || still.header.Get("HX-Retarget") != "" {
		t.Errorf("the polling does not end: %s", last.body)
	}

	h.storeOpenInvoice()
	updated := b.get(path+"&poll=2", target...).wantStatus(http.StatusOK)
	if updated.header.Get("HX-Retarget") != "#billing-panel" || !updated.doc().Find("body > *").Is("#billing-panel") || !strings.Contains(updated.text("body"), title) {
		t.Errorf("the invoice does not replace the panel: %s", updated.body)
	}
	for _, status := range []billing.SubscriptionStatus{billing.StatusIncomplete, billing.StatusUnpaid, billing.StatusPastDue, billing.StatusActive} {
		h.setStatus(status)
		if known := b.get(path).wantStatus(http.StatusOK); known.doc().Find(invoicePoll+", #billing-panel[hx-get]").Length() != 0 {
			t.Errorf("%s: the page polls though the invoice is known", status)
		}
	}
}

// The billing tab and the dashboard ask for the bank's confirmation, and their button leads to the
// page at Stripe, whose address is fetched when it is clicked.
func TestPagesShowThatAPaymentNeedsConfirmation(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.setStatus(billing.StatusPastDue)
	h.storeOpenInvoice()
	if _, err := h.store.DB().ExecContext(t.Context(), `update invoices set action_required = true where id = 'in_open'`); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/organization?tab=billing", "/dashboard"} {
		page := b.get(path).wantStatus(http.StatusOK)
		button := page.doc().Find("a[href='/billing/invoices/in_open/stripe']").First()
		if text := page.text("main"); strings.Contains(text, "failed") || !strings.Contains(text, "wants the payment of $87.00 confirmed") || strings.TrimSpace(button.Text()) != "Confirm payment" {
			t.Errorf("%s: button %q, text %s", path, button.Text(), text)
		}
	}
}
