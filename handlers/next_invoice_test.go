package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/billing/account"
	"usher/stripelocal"
)

// With JavaScript the tab asks for the amount it does not know, and has it at once afterwards;
// without, a link leads to the page.
func TestNextInvoiceWithAndWithoutJavaScript(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks() // each event is a later state of the subscription
	b := h.signIn("admin")
	tab := b.follow(b.subscribe("pro", "month")).wantText("Active")
	section := tab.doc().Find("#next-invoice")
	if section.AttrOr("hx-get", "") != "/billing/next-invoice" || section.AttrOr("hx-trigger", "") != "load" || !strings.Contains(section.Text(), "Getting the amount from Stripe") {
		t.Errorf("the tab without an amount: %s", section.Text())
	}
	if section.Find("noscript").Length() != 1 || !strings.Contains(section.Find("noscript").Text(), `href="/billing/next-invoice"`) {
		t.Errorf("without JavaScript: %s", section.Text())
	}
	page := b.get("/billing/next-invoice").wantStatus(http.StatusOK).wantText("Next invoice", "$87.00", "3 people on Pro", "Visa 4242", "Back to billing")
	if page.doc().Find("html #next-invoice").Length() != 1 {
		t.Error("the page has no section")
	}
	fragment := b.get("/billing/next-invoice", "HX-Request", "true").wantStatus(http.StatusOK)
	if text := fragment.text("#next-invoice"); !strings.Contains(text, "$87.00") || !strings.Contains(text, "3 people on Pro") || strings.Contains(fragment.body, "<html") || strings.Contains(fragment.body, "hx-trigger") {
		t.Errorf("fragment %s", fragment.body)
	}
	for _, path := range []string{billingPath, "/dashboard"} {
		section := b.get(path).wantText("$87.00").doc().Find("#next-invoice")
		if section.AttrOr("hx-get", "") != "" {
			t.Errorf("%s loads a fresh amount again", path)
		}
	}
	short := b.get("/billing/next-invoice?short=true", "HX-Request", "true").text("#next-invoice")
	if !strings.Contains(short, "$87.00") || !strings.Contains(short, "What's in it") || strings.Contains(short, "3 people") {
		t.Errorf("short form: %s", short)
	}
	h.signIn("member").get("/billing/next-invoice").wantText("$87.00")
	h.signIn("stranger").get("/billing/next-invoice").wantStatus(http.StatusOK).wantNoText("$87.00")
}

// The line of a seat names its person.
func TestNextInvoiceNamesPeople(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.addMember("Bo", account.RoleMember)
	waitFor(t, "the new seat", func() bool { return strings.Contains(b.get("/billing/next-invoice").body, "$145.00") })
	b.get("/billing/next-invoice").wantText("4 people on Pro", "The Bo, from "+time.Now().UTC().Format("2 Jan"), "$29.00", "$116.00")
}

// Whatever Stripe does, the pages answer within three seconds, with the last amount and its time.
func TestNextInvoiceWhileStripeIsUnavailable(t *testing.T) {
	for name, fault := range map[string]stripelocal.Fault{
		"slow": {Kind: stripelocal.SlowCall, Millis: 5000}, "limited": {Kind: stripelocal.RateLimited}, "error": {Kind: stripelocal.ServerError},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestEnv(t)
			b := h.signIn("admin")
			b.follow(b.subscribe("pro", "month")).wantText("Active")
			b.get("/billing/next-invoice").wantText("$87.00")
			if _, err := h.store.DB().ExecContext(t.Context(), `update upcoming_invoices set fetched_at = '2026-01-02 14:02:00Z'`); err != nil {
				t.Fatal(err)
			}
			fault.Path, fault.Calls = "/v1/**", -1
			if _, err := h.stripe.Faults().Add(fault); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/billing/next-invoice", billingPath, "/dashboard"} {
				began := time.Now()
				page := b.get(path).wantStatus(http.StatusOK).wantText("$87.00", "As of 2 Jan 2026, 14:02 UTC")
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("%s took %s", path, took)
				}
				if path == "/billing/next-invoice" {
					page.wantText("We can't reach Stripe right now", "Try again")
				}
			}
			if _, err := h.store.DB().ExecContext(t.Context(), `delete from upcoming_invoices`); err != nil {
				t.Fatal(err)
			}
			b.get("/billing/next-invoice").wantStatus(http.StatusOK).wantText("Not available right now", "Try again").wantNoText("$")
		})
	}
}
