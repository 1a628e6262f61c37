package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// The dashboard answers what is paid next, and why that is not what was paid last, in the name of
// the person who joined. Members see the amount, and no invoice.
func TestDashboardSaysWhatIsPaidNextAndWhy(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	first := b.get("/billing/next-invoice?short=true", "HX-Request", "true").wantStatus(http.StatusOK)
	if text := first.text("#next-invoice"); !strings.Contains(text, "$87.00") || !strings.Contains(text, "Same as last month") || !strings.Contains(text, "The last invoice, $87.00") {
		t.Errorf("before a change: %s", text)
	}
	h.addMember("Bo", account.RoleMember)
	waitFor(t, "the new seat", func() bool { return strings.Contains(b.get("/billing/next-invoice").body, "$145.00") })
	today := time.Now().UTC().Format("2 Jan")
	waitFor(t, "the reason", func() bool { // later events make the stored amount outdated
		b.get("/billing/next-invoice")
		return strings.Contains(b.get("/dashboard").body, "since last month")
	})
	page := b.get("/dashboard").wantStatus(http.StatusOK).wantText("$145.00", "+$58.00 since last month", "Visa 4242", "Pro, monthly", "Active")
	if why := page.text("#next-invoice"); !strings.Contains(why, "The Bo joined on "+today) || !strings.Contains(why, "The Bo, from "+today) {
		t.Errorf("why: %s", why)
	}
	german := b.get("/dashboard", "Accept-Language", "de").text("#next-invoice")
	if !strings.Contains(german, "Beitritt von The Bo am ") || !strings.Contains(german, "The Bo, ab ") || strings.Contains(german, " joined") {
		t.Errorf("in German: %s", german)
	}
	if n := page.doc().Find("#history-table").Length(); n != 0 {
		t.Error("a chart of a single month")
	}
	h.storeInvoice(billing.Invoice{ID: "in_before", Number: "N-1", Status: billing.InvoicePaid, AmountPaid: 8700}, time.Now().AddDate(0, 0, -40))
	page = b.get("/dashboard").wantStatus(http.StatusOK)
	table := page.text("#history-table")
	if month := time.Now().UTC().Format("Jan 2006"); !strings.Contains(table, month+"4$87.00") {
		t.Errorf("the table has no line of 4 seats and $87.00 in %s: %s", month, table)
	}
	if n := page.doc().Find(`svg[role=img] use[href="#seat"]`).Length(); n != 4 {
		t.Errorf("%d seats are drawn, want 4", n)
	}
	member := h.signIn("member").get("/dashboard").wantStatus(http.StatusOK).wantText("$145.00")
	if text := member.text("#content"); strings.Contains(text, "$87.00") || strings.Contains(text, "since last month") || member.doc().Find(`a[href^="/billing/invoices"]`).Length() > 0 {
		t.Errorf("a member sees invoices: %s", text)
	}
}

// An organization without a plan gets three steps; what is done is marked. Whoever may not choose a
// plan reads whom to ask.
func TestDashboardOfANewOrganization(t *testing.T) {
	h := newTestEnv(t)
	steps := h.signIn("stranger").get("/dashboard").wantStatus(http.StatusOK).wantText("No plan yet", "Billing starts when you choose a plan.").doc().Find("#content ol li")
	if steps.Length() != 3 || !strings.Contains(steps.Eq(1).Text(), "Choose a plan") || steps.Eq(1).Find(`a[href="/pricing"]`).Length() != 1 {
		t.Errorf("steps: %s", steps.Text())
	}
	if text := steps.Eq(2).Text(); !strings.Contains(text, "To do:") {
		t.Errorf("nobody was invited, and the step says %s", text)
	}
	done := h.signIn("admin").get("/dashboard").doc().Find("#content ol li")
	if text := done.Eq(2).Text(); !strings.Contains(text, "Done:") || done.Eq(2).Find("a").Length() != 0 {
		t.Errorf("there are three members, and the step says %s", text)
	}
	h.signIn("member").get("/dashboard").wantText("No plan yet", "To choose one, ask").wantNoText("Invite your people", "$")
}
