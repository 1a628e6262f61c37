package stripelocal_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// paidSubscription is a paid subscription and its charge.
func paidSubscription(t *testing.T, card string) (*testServer, *stripe.Subscription, *stripe.Charge) {
	t.Helper()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock(card)
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 3)
	return l, sub, must[*stripe.Charge](t)(l.api.Charges.Get(l.invoice(sub.LatestInvoice.ID).Charge.ID, nil))
}

func TestRefundsAddUp(t *testing.T) {
	t.Parallel()
	l, sub, ch := paidSubscription(t, "pm_card_visa")
	first := must[*stripe.Refund](t)(l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID), Amount: stripe.Int64(1000), Reason: stripe.String("requested_by_customer")}))
	if first.Status != "succeeded" || first.Amount != 1000 || first.PaymentIntent.ID != ch.PaymentIntent.ID {
		t.Errorf("refund %s over %d", first.Status, first.Amount)
	}
	_, err := l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID), Amount: stripe.Int64(2001)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	must[*stripe.Refund](t)(l.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(ch.PaymentIntent.ID)}))
	_, err = l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)})
	wantError(t, err, 400, stripe.ErrorCodeChargeAlreadyRefunded, stripe.ErrorTypeInvalidRequest)
	var charge stripe.Charge
	e := lastEvent(t, l, "charge.refunded")
	if err := json.Unmarshal(e.Data.Raw, &charge); err != nil || charge.AmountRefunded != 3000 || !charge.Refunded || charge.Invoice.ID != sub.LatestInvoice.ID {
		t.Errorf("the event shows %d refunded (%v), invoice %v", charge.AmountRefunded, err, charge.Invoice)
	}
	if previous := e.Data.PreviousAttributes["amount_refunded"]; previous != float64(1000) {
		t.Errorf("previously %v", previous)
	}
	if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.Status != "paid" {
		t.Errorf("a refund changed the subscription: %s, invoice %s", got.Status, got.LatestInvoice.Status)
	}
	must[*stripe.Refund](t)(l.api.Refunds.Update(first.ID, &stripe.RefundParams{Metadata: map[string]string{"a": "b"}}))
	wantEvents(t, l, "charge.refund.updated")
}

func TestDelayedRefunds(t *testing.T) {
	t.Parallel()
	for card, want := range map[string]struct {
		first, last stripe.RefundStatus
		left        int64
	}{"pm_card_pendingRefund": {"pending", "succeeded", 3000}, "pm_card_refundFail": {"succeeded", "failed", 0}} {
		t.Run(card, func(t *testing.T) {
			l, _, ch := paidSubscription(t, card)
			r := must[*stripe.Refund](t)(l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)}))
			l.time.Add(60)
			later := must[*stripe.Refund](t)(l.api.Refunds.Get(r.ID, nil))
			ch = must[*stripe.Charge](t)(l.api.Charges.Get(ch.ID, nil))
			if r.Status != want.first || later.Status != want.last || ch.AmountRefunded != want.left {
				t.Errorf("%s, then %s with %d refunded", r.Status, later.Status, ch.AmountRefunded)
			}
			wantEvents(t, l, "charge.refund.updated")
		})
	}
}

func TestDisputesAreWonAndLost(t *testing.T) {
	t.Parallel()
	for evidence, want := range map[string]stripe.DisputeStatus{"winning_evidence": "won", "losing_evidence": "lost", "": "lost"} {
		t.Run("evidence "+evidence, func(t *testing.T) {
			l, _, ch := paidSubscription(t, "pm_card_createDispute")
			list := l.api.Disputes.List(&stripe.DisputeListParams{Charge: stripe.String(ch.ID)})
			if !list.Next() {
				t.Fatal("no dispute")
			}
			d := list.Dispute()
			if d.Status != "needs_response" || d.Reason != "fraudulent" || d.Amount != 3000 || d.PaymentIntent.ID != ch.PaymentIntent.ID {
				t.Errorf("%s, %s, over %d", d.Status, d.Reason, d.Amount)
			}
			_, err := l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)})
			wantError(t, err, 400, stripe.ErrorCodeChargeDisputed, stripe.ErrorTypeInvalidRequest)
			if evidence == "" {
				l.time.Add(8 * day)
			} else {
				must[*stripe.Dispute](t)(l.api.Disputes.Update(d.ID, &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{UncategorizedText: stripe.String(evidence)}}))
			}
			if d = must[*stripe.Dispute](t)(l.api.Disputes.Get(d.ID, nil)); d.Status != want {
				t.Errorf("it ended %s", d.Status)
			}
			wantOrder(t, l, "invoice.paid", "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed")
			if given := count(l, "charge.dispute.funds_reinstated"); (given == 1) != (want == "won") {
				t.Errorf("%d times the funds were given back", given)
			}
		})
	}
}

func TestADisputeIsAccepted(t *testing.T) {
	t.Parallel()
	l, _, _ := paidSubscription(t, "pm_card_createDisputeProductNotReceived")
	list := l.api.Disputes.List(&stripe.DisputeListParams{})
	if !list.Next() || list.Dispute().Reason != "product_not_received" {
		t.Fatal("no dispute")
	}
	if d := must[*stripe.Dispute](t)(l.api.Disputes.Close(list.Dispute().ID, nil)); d.Status != "lost" {
		t.Errorf("closed: %s", d.Status)
	}
}

func TestCreditNotes(t *testing.T) {
	t.Parallel()
	l, sub, ch := paidSubscription(t, "pm_card_visa")
	note := func(p stripe.CreditNoteParams) (*stripe.CreditNote, error) {
		p.Invoice = stripe.String(sub.LatestInvoice.ID)
		return l.api.CreditNotes.New(&p)
	}
	_, err := note(stripe.CreditNoteParams{Amount: stripe.Int64(1000)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	n := must[*stripe.CreditNote](t)(note(stripe.CreditNoteParams{
		Amount: stripe.Int64(1500), RefundAmount: stripe.Int64(1000), CreditAmount: stripe.Int64(500), Reason: stripe.String("duplicate"),
	}))
	if n.Type != "post_payment" || n.Total != 1500 || n.Refund == nil {
		t.Errorf("note %s over %d, refund %v", n.Type, n.Total, n.Refund)
	}
	if ch = must[*stripe.Charge](t)(l.api.Charges.Get(ch.ID, nil)); ch.AmountRefunded != 1000 {
		t.Errorf("%d refunded", ch.AmountRefunded)
	}
	if c := must[*stripe.Customer](t)(l.api.Customers.Get(sub.Customer.ID, nil)); c.Balance != -500 {
		t.Errorf("balance %d", c.Balance)
	}
	if inv := l.invoice(sub.LatestInvoice.ID); inv.PostPaymentCreditNotesAmount != 1500 || inv.Status != "paid" {
		t.Errorf("invoice %s with %d credited", inv.Status, inv.PostPaymentCreditNotesAmount)
	}
	_, err = note(stripe.CreditNoteParams{Amount: stripe.Int64(1501), CreditAmount: stripe.Int64(1501)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	wantOrder(t, l, "charge.refunded", "credit_note.created")
}

func TestACreditNoteOnAnOpenInvoice(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	_, sub, _ := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
	id := sub.LatestInvoice.ID
	must[*stripe.CreditNote](t)(l.api.CreditNotes.New(&stripe.CreditNoteParams{Invoice: stripe.String(id), Amount: stripe.Int64(1000)}))
	if inv := l.invoice(id); inv.AmountRemaining != 2000 || inv.PrePaymentCreditNotesAmount != 1000 || inv.Status != "open" || inv.PaymentIntent.Amount != 2000 {
		t.Errorf("%s, %d remaining, payment of %d", inv.Status, inv.AmountRemaining, inv.PaymentIntent.Amount)
	}
	must[*stripe.CreditNote](t)(l.api.CreditNotes.New(&stripe.CreditNoteParams{Invoice: stripe.String(id), Amount: stripe.Int64(2000)}))
	if got := l.subscription(sub.ID); got.LatestInvoice.Status != "paid" || got.Status != "active" {
		t.Errorf("credited in full: %s, %s", got.LatestInvoice.Status, got.Status)
	}
}

func TestManualInvoice(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	item := func(amount int64) *stripe.InvoiceItem {
		return must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{
			Customer: stripe.String(k.customer), Amount: stripe.Int64(amount), Currency: stripe.String("usd"), Description: stripe.String("Help"),
		}))
	}
	kept, changed, gone := item(700), item(200), item(50)
	must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.Update(changed.ID, &stripe.InvoiceItemParams{Amount: stripe.Int64(300)}))
	must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.Del(gone.ID, nil))
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{
		Customer: stripe.String(k.customer), PendingInvoiceItemsBehavior: stripe.String("include"), AutoAdvance: stripe.Bool(false),
	}))
	if inv.Status != "draft" || inv.BillingReason != "manual" || inv.Total != 1000 || len(inv.Lines.Data) != 2 || inv.HostedInvoiceURL != "" {
		t.Errorf("drafted: %s %s over %d", inv.Status, inv.BillingReason, inv.Total)
	}
	late := must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(k.customer), Invoice: stripe.String(inv.ID), Amount: stripe.Int64(5)}))
	if inv = l.invoice(inv.ID); inv.Total != 1005 || late.Currency != "usd" {
		t.Errorf("with another item: %d %s", inv.Total, late.Currency)
	}
	inv = must[*stripe.Invoice](t)(l.api.Invoices.FinalizeInvoice(inv.ID, nil))
	if inv.Status != "open" || inv.Number == "" || inv.HostedInvoiceURL == "" || inv.AmountDue != 1005 {
		t.Errorf("finalized: %s %s due %d", inv.Status, inv.Number, inv.AmountDue)
	}
	_, err := l.api.InvoiceItems.Del(kept.ID, nil)
	wantError(t, err, 400, stripe.ErrorCodeInvoiceNotEditable, stripe.ErrorTypeInvalidRequest)
	if inv = must[*stripe.Invoice](t)(l.api.Invoices.Pay(inv.ID, nil)); inv.Status != "paid" || inv.AmountPaid != 1005 {
		t.Errorf("paid: %s over %d", inv.Status, inv.AmountPaid)
	}
	pdf := l.browse("GET", inv.InvoicePDF, nil)
	if pdf.status != http.StatusOK || !strings.HasPrefix(pdf.body, "%PDF-1.4") || !strings.Contains(pdf.body, inv.Number) || !strings.HasSuffix(pdf.body, "%%EOF\n") {
		t.Errorf("pdf: %d %.40q", pdf.status, pdf.body)
	}
	wantOrder(t, l, "invoiceitem.created", "invoiceitem.deleted", "invoice.created", "invoice.updated", "invoice.finalized", "invoice.paid")
}

func TestDeletedDraftReleasesItsItems(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(k.customer), Amount: stripe.Int64(700), Currency: stripe.String("usd")}))
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{Customer: stripe.String(k.customer), PendingInvoiceItemsBehavior: stripe.String("include")}))
	must[*stripe.Invoice](t)(l.api.Invoices.Del(inv.ID, nil))
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	if sub.LatestInvoice.AmountPaid != 1700 {
		t.Errorf("the next invoice is over %d", sub.LatestInvoice.AmountPaid)
	}
}

func TestSentInvoiceBecomesOverdue(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, func(p *stripe.SubscriptionParams) {
		p.CollectionMethod, p.DaysUntilDue = stripe.String("send_invoice"), stripe.Int64(7)
	})
	if sub.Status != "active" || sub.LatestInvoice.Status != "draft" {
		t.Fatalf("%s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	k.advance(noon + 3600)
	if inv := l.invoice(sub.LatestInvoice.ID); inv.Status != "open" || inv.DueDate != noon+3600+7*day {
		t.Errorf("invoice %s due %d", inv.Status, inv.DueDate)
	}
	k.advance(noon + 8*day)
	if got := l.subscription(sub.ID); got.Status != "past_due" {
		t.Errorf("a day late: %s", got.Status)
	}
	wantEvents(t, l, "invoice.sent", "invoice.overdue")
}

// Endpoints since 2024-10-28.acacia are sent events of every refund (changelog: acacia,
// refund-webhook-update).
func TestNewerEndpointsAreSentEventsOfRefunds(t *testing.T) {
	t.Parallel()
	l, _, ch := paidSubscription(t, "pm_card_refundFail")
	own, newer := l.receiveIn("2024-09-30.acacia", "*"), l.receiveIn("2024-10-28.acacia", "*")
	r := must[*stripe.Refund](t)(l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID), Metadata: map[string]string{"why": "a test"}}))
	l.time.Add(60)
	must[*stripe.Customer](t)(l.api.Customers.Update(ch.Customer.ID, &stripe.CustomerParams{Name: stripe.String("Ada")}))
	sent := func(next func() receivedEvent) (types []string) {
		for e := next(); e.Type != "customer.updated"; e = next() {
			if !strings.HasPrefix(e.Type, "refund.") {
				continue
			}
			types = append(types, e.Type)
			if metadata, _ := e.Data.Object["metadata"].(map[string]any); e.Data.Object["id"] != r.ID || metadata["why"] != "a test" {
				t.Errorf("%s of %v with %v", e.Type, e.Data.Object["id"], metadata)
			}
		}
		return types
	}
	if got := sent(newer); !slices.Equal(got, []string{"refund.created", "refund.failed", "refund.updated"}) {
		t.Errorf("the newer endpoint was sent %v", got)
	}
	if got := sent(own); got != nil {
		t.Errorf("the older endpoint was sent %v", got)
	}
	for version, want := range map[string]int{"2024-09-30.acacia": 0, "2024-10-28.acacia": 1} {
		_, list := versioned{l, version}.call("GET", "/v1/events?type=refund.created", nil)
		if data, _ := list["data"].([]any); len(data) != want {
			t.Errorf("%s lists %v, want %d", version, data, want)
		}
	}
}
