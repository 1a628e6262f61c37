package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// invoicePayments serves /v1/invoice_payments, which versions since 2025-03-31.basil have in place
// of invoice.payment_intent, invoice.charge, payment_intent.invoice and charge.invoice. The payment
// of an invoice is its payment intent: an invoice paid out of band has none (inferred).
type invoicePayments struct{ *request }

const invoicePaymentPrefix = "inpay_"

func invoicePaymentResource() resource {
	return resource{
		objectType: "invoice_payment",
		render: func(r *request, id string) (wire.Object, bool) {
			pi, ok := r.invoicePayments.find(id)
			if !ok {
				return nil, false
			}
			return r.invoicePayments.render(pi), true
		},
		routes: []route{
			on("GET /v1/invoice_payments", listParams+"invoice payment{type:payment_intent! payment_intent} status:canceled|open|paid", invoicePayments.list),
			on("GET /v1/invoice_payments/{id}", "", invoicePayments.get),
		},
	}
}

// find returns the payment intent behind an invoice payment. Their ids differ in the prefix.
func (h invoicePayments) find(id string) (*PaymentIntent, bool) {
	suffix, ok := strings.CutPrefix(id, invoicePaymentPrefix)
	if !ok {
		return nil, false
	}
	pi, ok := h.store.PaymentIntents.get("pi_" + suffix)
	return pi, ok && pi.Invoice != ""
}

func (h invoicePayments) get(in *input) (any, error) {
	pi, ok := h.find(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("invoice_payment", in.pathValue("id"), "invoice_payment")
	}
	return h.render(pi), nil
}

func (h invoicePayments) list(in *input) (any, error) {
	var data []any
	for _, pi := range h.store.PaymentIntents.all {
		if h.matches(pi, in.Params) {
			data = append([]any{h.render(pi)}, data...)
		}
	}
	return pageOf(wire.List(in.url, data, false), in)
}

func (h invoicePayments) matches(pi *PaymentIntent, q wire.Params) bool {
	payment := q.At("payment")
	return pi.Invoice != "" && q.InRange("created", pi.Created) &&
		(!q.Has("invoice") || pi.Invoice == q.String("invoice")) &&
		(!q.Has("status") || invoicePaymentStatus(pi) == q.String("status")) &&
		(!payment.Has("payment_intent") || pi.ID == payment.String("payment_intent"))
}

// ofInvoice is the list payments of an invoice.
func (h invoicePayments) ofInvoice(invoice string) wire.Object {
	data := []any{}
	if inv, ok := h.store.Invoices.get(invoice); ok {
		for _, pi := range h.store.PaymentIntents.by("customer", inv.Customer) {
			if pi.Invoice == invoice {
				data = append([]any{h.render(pi)}, data...)
			}
		}
	}
	return wire.List("/v1/invoice_payments?invoice="+invoice, data, false)
}

// announce emits invoice_payment.paid after the events of a paid invoice (a dashboard in a public
// page lists it as the newest). An invoice over 0 has no payment: public statistics of an account
// count such an event for each invoice that was charged.
func (h invoicePayments) announce(inv *Invoice) {
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok && pi.Status == "succeeded" {
		h.emit("invoice_payment.paid", h.render(pi))
	}
}

func invoicePaymentStatus(pi *PaymentIntent) string {
	switch pi.Status {
	case "succeeded":
		return "paid"
	case "canceled":
		return "canceled"
	}
	return "open"
}

func (h invoicePayments) render(pi *PaymentIntent) wire.Object {
	inv, _ := h.store.Invoices.get(pi.Invoice)
	o := wire.Object{
		"id": invoicePaymentPrefix + strings.TrimPrefix(pi.ID, "pi_"), "object": "invoice_payment", "amount_paid": nil,
		"amount_requested": pi.Amount, "created": pi.Created, "currency": pi.Currency, "invoice": wire.Ref("invoice", pi.Invoice),
		"is_default": inv != nil && inv.PaymentIntent == pi.ID, "livemode": false,
		"payment": wire.Object{"type": "payment_intent", "payment_intent": wire.Ref("payment_intent", pi.ID)},
		"status":  invoicePaymentStatus(pi),
	}
	paidAt := int64(0)
	if ch, ok := h.store.Charges.get(pi.LatestCharge); ok && pi.Status == "succeeded" {
		o["amount_paid"], paidAt = pi.AmountReceived, ch.Created
	}
	o["status_transitions"] = wire.Object{"canceled_at": wire.IntOrNull(pi.CanceledAt), "paid_at": wire.IntOrNull(paidAt)}
	return o
}
