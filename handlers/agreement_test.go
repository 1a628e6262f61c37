package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing"
)

// While a plan is stopped and owes money, no page says that nothing is billed or to be paid.
func TestNoPageDeniesAnOpenAmount(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.storeOpenInvoice()
	for _, status := range []billing.SubscriptionStatus{billing.StatusUnpaid, billing.StatusPaused, billing.StatusPastDue} {
		h.setStatus(status)
		for _, path := range []string{billingPath, "/dashboard", "/organization/seats", "/organization?tab=members"} {
			page := b.get(path).wantStatus(http.StatusOK)
			page.wantNoText("othing is billed", "Billing starts", "Nothing to pay", "Nothing more to pay", "Nothing is charged", "Nothing needs you")
		}
		b.get("/dashboard").wantText("$87.00", "Open since 3 Nov 2026")
	}
	h.setStatus(billing.StatusUnpaid)
	b.get("/organization/seats").wantText("On hold", "Your plan is on hold")
}

// A plan that ended with an open invoice does not say that it is not charged any more.
func TestEndedPlanNamesItsOpenInvoice(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.storeOpenInvoice()
	h.setStatus(billing.StatusCanceled)
	page := b.get(billingPath).wantText("Pro has ended", "An invoice of it is still open", "$87.00").wantNoText("not charged any more")
	if href := page.doc().Find(`a:contains("Pay")`).AttrOr("href", ""); href != "/billing/invoices/in_open/stripe" {
		t.Errorf("the open invoice is paid at %q", href)
	}
}

// The first invoice of an active plan was paid, even if its event has not arrived: it is not shown
// as to be paid below the message that the payment is confirmed.
func TestConfirmedPaymentIsNotToBePaid(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	back := b.subscribe("pro", "month")
	b.follow(back).wantText("Your payment is confirmed")
	h.storeOpenInvoice()
	if _, err := h.store.DB().ExecContext(t.Context(), `update invoices set reason = 'subscription_create' where id = 'in_open'`); err != nil {
		t.Fatal(err)
	}
	b.follow(back).wantText("Your payment is confirmed", "Payment received").wantNoText("To be paid", "Payment failed")
}

// New credits are not announced for a day on which the organization is gone.
func TestNoNewCreditsAfterTheDeletion(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	waitFor(t, "the plan and its credits", func() bool { return strings.Contains(b.get("/billing/credits").body, "New credits on") })
	for _, path := range []string{billingPath, "/dashboard", "/billing/credits"} {
		b.get(path).wantText("New credits on")
	}
	b.post("/organization/delete", url.Values{"organizationId": {h.organization.ID}, "name": {"Lantern Theatre"}}).wantStatus(http.StatusSeeOther)
	for _, path := range []string{billingPath, "/dashboard", "/billing/credits"} {
		b.get(path).wantText("1,000", "They can be used until the plan ends on").wantNoText("New credits on", "At this rate")
	}
}
