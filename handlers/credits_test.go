package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

func TestInvoicesAndCreditsOfAPaidPlan(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	waitFor(t, "the paid invoice and the subscription, from two events", func() bool {
		return strings.Contains(b.get("/billing/invoices").body, "Paid") && strings.Contains(b.get("/billing/credits").body, "+1,000") &&
			strings.Contains(b.get("/api/v1/entitlements").body, `"access":true`)
	})
	tab := b.get("/organization?tab=billing")
	for _, words := range []string{"Invoices", "Plan started", "Credits", "of 1,000 left"} {
		if !strings.Contains(tab.body, words) {
			t.Errorf("the billing tab does not contain %q", words)
		}
	}
	statement := b.get("/billing/credits")
	if !strings.Contains(statement.body, "Monthly credits of Pro") || !strings.Contains(statement.body, "+1,000") {
		t.Errorf("credit ledger: %s", statement.body)
	}
	link, ok := tab.doc().Find(`a[href^="/billing/invoices/in_"]`).Attr("href")
	if !ok {
		t.Fatal("no link to the invoice")
	}
	if to := b.get(link + "/stripe").wantStatus(http.StatusSeeOther).header.Get("Location"); !strings.HasPrefix(to, h.origin) {
		t.Errorf("the invoice redirects to %s", to)
	}

	var e billing.EntitlementsObject
	if err := json.Unmarshal([]byte(b.get("/api/v1/entitlements").body), &e); err != nil {
		t.Fatal(err)
	}
	if !e.Access || e.Plan == nil || *e.Plan != "pro" || e.Credits.Balance != 1000 {
		t.Errorf("entitlements: %+v", e)
	}
	got := b.postJSON("/api/v1/credits/consume", `{"amount":360,"reason":"reports","idempotencyKey":"k1"}`)
	got.wantStatus(http.StatusOK)
	if strings.TrimSpace(got.body) != `{"balance":640}` {
		t.Errorf("consume: %s", got.body)
	}
	b.postJSON("/api/v1/credits/consume", `{"amount":5000,"reason":"too much","idempotencyKey":"k2"}`).wantStatus(http.StatusConflict)
	b.postJSON("/api/v1/credits/consume", `{"amount":0,"idempotencyKey":"k3"}`).wantStatus(http.StatusBadRequest)
}

// An invoice of which money went back does not read as just paid, on the tab and in the list.
func TestReturnedAndDisputedInvoicesAreShown(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active") // the invoice and the subscription come with two events
	waitFor(t, "the paid invoice", func() bool { return strings.Contains(b.get("/billing/invoices").body, "Paid") })
	var invoice billing.Invoice
	row := `select id, account, currency, total from invoices`
	if err := h.store.DB().QueryRowContext(t.Context(), row).Scan(&invoice.ID, &invoice.Account, &invoice.Currency, &invoice.Total); err != nil {
		t.Fatal(err)
	}
	half := catalog.Money{Minor: invoice.Total / 2, Currency: invoice.Currency}
	payment := billing.Payment{
		ID: "ch_1", OrganizationID: h.organization.ID, InvoiceID: invoice.ID, Account: invoice.Account, Currency: invoice.Currency, Amount: invoice.Total, AsOf: time.Now(),
	}
	for _, c := range []struct {
		name, badge, detail string
		change              func(*billing.Payment)
	}{
		{"half refunded", "Partly refunded", half.Format() + " refunded", func(p *billing.Payment) { p.Refunded = half.Minor }},
		{"refunded", "Refunded", invoice.TotalMoney().Format() + " refunded", func(p *billing.Payment) { p.Refunded = invoice.Total }},
		{"disputed", "Disputed", invoice.TotalMoney().Format() + " disputed", func(p *billing.Payment) { p.Disputed = invoice.Total }},
		{"lost", "Dispute lost", invoice.TotalMoney().Format() + " lost in a dispute", func(p *billing.Payment) { p.Lost = invoice.Total }},
	} {
		changed := payment
		c.change(&changed)
		if err := h.store.Payments().Put(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/billing/invoices", "/organization?tab=billing"} {
			status := b.get(path).doc().Find(`td[data-label="Status"]`).Text()
			amount := b.get(path).doc().Find(`td[data-label="Amount"]`).Text()
			if !strings.Contains(status, c.badge) || !strings.Contains(amount, c.detail) || strings.TrimSpace(status) == "Paid" {
				t.Errorf("%s on %s: status %q, amount %q", c.name, path, status, amount)
			}
		}
		if needs := b.get("/dashboard").text("main"); strings.Contains(needs, "is disputed") != (c.name == "disputed") || strings.Contains(needs, "Nothing needs you") == (c.name == "disputed") {
			t.Errorf("%s, on the dashboard: %s", c.name, needs)
		}
	}
}
