package handlers

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing"
)

// invoiceLink returns the address of the newest invoice's page, once the invoice is paid and has a
// number.
func (b *browser) invoiceLink(h *testEnv) string {
	h.t.Helper()
	waitFor(h.t, "the paid invoice", func() bool { return strings.Contains(b.get("/billing/invoices").body, "Paid") })
	link, ok := b.get("/billing/invoices").doc().Find(`th + td ~ td a[href^="/billing/invoices/in_"]`).Attr("href")
	if !ok {
		h.t.Fatal("no link to the invoice")
	}
	return link
}

func TestInvoicePageExplainsItsLines(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	link := b.invoiceLink(h)
	var page response
	waitFor(t, "the seats of the purchase", func() bool { // the invoice can be known before them
		page = b.get(link).wantStatus(http.StatusOK)
		return strings.Contains(page.body, "Who and why")
	})
	page.wantText("on Pro,", "100% explained.", "Plan started", "Paid on", "Total", "Who and why", "The admin", "3 people on Pro")
	if n := page.doc().Find(`a[href="` + link + `/pdf"], a[href="` + link + `/stripe"]`).Length(); n != 2 {
		t.Errorf("%d links to the PDF and to Stripe's page, want 2", n)
	}
	for _, document := range []string{"/stripe", "/pdf"} {
		if to := b.get(link + document).wantStatus(http.StatusSeeOther).header.Get("Location"); !strings.HasPrefix(to, h.origin+"/i/in_") {
			t.Errorf("%s leads to %q", document, to)
		}
	}
	// Another organization's admin, and a member who may not manage billing.
	stranger := h.signIn("stranger")
	for _, path := range []string{link, link + "/stripe", link + "/pdf", "/billing/invoices/in_none"} {
		stranger.get(path).wantStatus(http.StatusNotFound)
	}
	h.signIn("member").get(link).wantStatus(http.StatusForbidden)
}

// An invoice that an earlier program stored has no lines here: they are fetched when it is opened,
// and the page says so if Stripe is away.
func TestInvoicePageFetchesMissingLines(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	link := b.invoiceLink(h)
	h.stripeDown.Store(true)
	// An event that is processed at this moment stores the lines once more.
	var unexplained response
	waitFor(t, "an invoice without lines", func() bool {
		if _, err := h.store.DB().ExecContext(t.Context(), `delete from invoice_details`); err != nil {
			t.Fatal(err)
		}
		unexplained = b.get(link)
		return strings.Contains(unexplained.body, "available right now")
	})
	unexplained.wantStatus(http.StatusOK).wantText("Stripe couldn't be reached.", "aren't available right now", "Total").wantNoText("100% explained.")
	h.stripeDown.Store(false)
	b.get(link).wantStatus(http.StatusOK).wantText("100% explained.").wantNoText("couldn't be reached")
	if n := h.count(`select count(*) from invoice_details`); n != 1 {
		t.Errorf("%d invoices have details, want 1", n)
	}
	h.stripeDown.Store(true)
	b.get(link).wantStatus(http.StatusOK).wantText("100% explained.").wantNoText("couldn't be reached") // nothing to fetch
}

func TestInvoicesCSV(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	b.invoiceLink(h)
	// An invoice of support, whose text a spreadsheet would run.
	var customer string
	if err := h.store.DB().GetContext(t.Context(), &customer, `select customer_id from subscriptions`); err != nil {
		t.Fatal(err)
	}
	h.callStripe("/v1/invoiceitems", url.Values{"customer": {customer}, "amount": {"500"}, "currency": {"usd"}, "description": {"=HYPERLINK(1)"}}, nil)
	var invoice struct{ ID string }
	h.callStripe("/v1/invoices", url.Values{"customer": {customer}, "pending_invoice_items_behavior": {"include"}}, &invoice)
	h.callStripe("/v1/invoices/"+invoice.ID+"/finalize", nil, nil)
	waitFor(t, "the invoice of support", func() bool { return h.count(`select count(*) from invoices where status = 'open'`) == 1 })
	got := b.get("/billing/invoices.csv").wantStatus(http.StatusOK)
	records, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(records) != 3 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Fatalf("%v, %v", records, err)
	}
	bySupport, began := records[1], records[2]
	if bySupport[4] != "other" { // they may be of the same second
		bySupport, began = began, bySupport
	}
	if bySupport[4] != "other" || bySupport[5] != "'=HYPERLINK(1), not from Usher" || bySupport[10] != "5.00" || bySupport[12] != "false" {
		t.Errorf("of support: %v", bySupport)
	}
	if began[4] != "plan_began" || !strings.Contains(began[5], "on Pro, ") || began[12] != "true" || began[10] != began[13] {
		t.Errorf("of the plan: %v", began)
	}
	if other := b.get("/billing/invoices.csv?year=1999"); strings.Count(other.body, "\n") != 1 {
		t.Errorf("of another year: %s", other.body)
	}
	b.get("/billing/invoices/"+invoice.ID).wantStatus(http.StatusOK).wantText("0% explained.", "$5.00 =HYPERLINK(1), not from Usher", "Pay $5.00", "Not paid yet.")
	b.get("/billing/invoices?year=1999").wantText("No invoices yet")
}

// Each state of an invoice has its own words.
func TestInvoiceStates(t *testing.T) {
	paid := billing.Invoice{Status: billing.InvoicePaid, Total: 100, AmountPaid: 100}
	with := func(i billing.Invoice, change func(*billing.Invoice)) billing.Invoice { change(&i); return i }
	open := billing.Invoice{Status: billing.InvoiceOpen, Total: 100, AmountDue: 100}
	for _, c := range []struct {
		invoice      billing.Invoice
		badge, state string
	}{
		{paid, "Paid", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.Refunded = 40 }), "Partly refunded", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.Refunded = 100 }), "Refunded", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.CreditedUnrefunded = 40 }), "Partly credited", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.CreditedUnrefunded = 100 }), "Credited", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.Disputed = 100 }), "Disputed", "Paid from your balance."},
		{with(paid, func(i *billing.Invoice) { i.Lost = 100 }), "Dispute lost", "Paid from your balance."},
		{open, "To be paid", "Not paid yet."},
		{with(open, func(i *billing.Invoice) { i.Attempts, i.FailureCode = 1, "insufficient_funds" }), "Payment failed", "The payment failed: the card has insufficient funds."},
		{with(open, func(i *billing.Invoice) { i.Attempts, i.FailureCode = 1, "stolen_card" }), "Payment failed", "The payment failed: the card was declined."},
		{with(open, func(i *billing.Invoice) { i.Attempts, i.ActionRequired = 1, true }), "Confirmation needed", "Your bank needs you to confirm this payment."},
		{billing.Invoice{Status: billing.InvoiceVoid}, "Void", "This invoice was canceled. Nothing is owed."},
		{billing.Invoice{Status: billing.InvoiceUncollectible}, "Uncollectible", "We stopped trying to collect this invoice. It can still be paid."},
	} {
		if badge, state := invoiceBadge(t.Context(), c.invoice).Label, invoiceState(t.Context(), c.invoice); badge != c.badge || state != c.state {
			t.Errorf("%+v: %q, %q, want %q, %q", c.invoice, badge, state, c.badge, c.state)
		}
	}
}
