package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// CreditNote reduces a finalized invoice. Amounts are minor units.
type CreditNote struct {
	Base
	Amount             int64
	CreditAmount       int64 // credited to the customer's balance
	Currency           string
	Customer           string
	EffectiveAt        int64
	BalanceTransaction string // of the credit to the customer
	Invoice            string
	Type               string // pre_payment or post_payment
	Lines              []CreditNoteLine
	Memo               string
	Metadata           map[string]string
	Number             string
	OutOfBandAmount    int64
	Reason             string
	Refund             string
	RefundAmount       int64
	VoidedAt           int64
}

// CreditNoteLine credits an invoice line or a custom line item.
type CreditNoteLine struct {
	ID          string
	Amount      int64
	Description string
	InvoiceLine string
	Quantity    int64
	UnitAmount  int64
}

const creditNoteParams = "invoice! amount:int credit_amount:int refund_amount:int out_of_band_amount:int refund effective_at:time " +
	"email_type:credit_note|none memo metadata:map reason:duplicate|fraudulent|order_change|product_unsatisfactory " +
	"lines[]{type:invoice_line_item|custom_line_item! amount:int description invoice_line_item quantity:int unit_amount:int} "

// creditNotes serves /v1/credit_notes.
type creditNotes struct{ *request }

func creditNoteResource() resource {
	return resource{
		objectType: "credit_note",
		render: renderFrom(func(s *store) *table[*CreditNote] { return s.CreditNotes },
			bind(creditNotes.render)),
		routes: []route{
			on("POST /v1/credit_notes", creditNoteParams, creditNotes.create),
			on("GET /v1/credit_notes/preview", creditNoteParams, creditNotes.preview),
			on("GET /v1/credit_notes", listParams+"customer invoice", creditNotes.list),
			on("GET /v1/credit_notes/preview/lines", creditNoteParams+pageParams, creditNotes.previewLines),
			on("GET /v1/credit_notes/{id}/lines", pageParams, creditNotes.listLines),
			on("GET /v1/credit_notes/{id}", "", creditNotes.get),
			on("POST /v1/credit_notes/{id}", "memo metadata:map", creditNotes.update),
			on("POST /v1/credit_notes/{id}/void", "", creditNotes.void),
		},
	}
}

func (h creditNotes) create(in *input) (any, error) {
	n, inv, err := h.fromParams(in)
	if err != nil {
		return nil, err
	}
	n.ID = h.ids.longID("cn_1")
	n.Number = fmt.Sprintf("%s-CN-%02d", inv.Number, len(h.store.CreditNotes.by("invoice", inv.ID))+1)
	if n.RefundAmount > 0 && n.Refund == "" {
		ch, _ := h.store.Charges.get(inv.Charge)
		r := h.refunds.refundCharge(ch, n.RefundAmount, refundReason(n.Reason), map[string]string{})
		r.CreditNote, n.Refund = n.ID, r.ID
	}
	h.store.CreditNotes.insert(n)
	h.emit("credit_note.created", h.render(n))
	h.applyToInvoice(inv, n)
	return h.render(n), nil
}

// refundReason maps a credit note's reason to a refund's reason.
func refundReason(reason string) string {
	switch reason {
	case "duplicate", "fraudulent":
		return reason
	}
	return "requested_by_customer"
}

// applyToInvoice applies a credit note to its invoice and, if part of it is credited, to the
// customer's balance.
func (h creditNotes) applyToInvoice(inv *Invoice, n *CreditNote) {
	before := h.invoices.render(inv)
	if n.Type == "post_payment" {
		inv.PostPaymentCreditNotesAmount += n.Amount
	} else {
		inv.PrePaymentCreditNotesAmount += n.Amount
	}
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok && n.Type == "pre_payment" && inv.remaining() > 0 {
		pi.Amount = inv.remaining()
	}
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	if c, ok := h.store.Customers.get(n.Customer); ok && n.CreditAmount > 0 {
		n.BalanceTransaction = h.customerBalances.change(c, CustomerBalanceTransaction{Amount: -n.CreditAmount, Currency: n.Currency, CreditNote: n.ID, Invoice: n.Invoice, Type: "credit_note"}).ID
	}
	if inv.Status == "open" && inv.remaining() == 0 {
		h.paymentIntents.cancelByID(inv.PaymentIntent, "void_invoice")
		h.invoicing.markPaid(inv, 0)
	}
}

// fromParams builds a credit note without storing it.
func (h creditNotes) fromParams(in *input) (*CreditNote, *Invoice, error) {
	inv, ok := h.store.Invoices.get(in.String("invoice"))
	switch {
	case !ok:
		return nil, nil, wire.NoSuch("invoice", in.String("invoice"), "invoice")
	case inv.Status != "open" && inv.Status != "paid" && inv.Status != "uncollectible":
		return nil, nil, wire.Invalid("", "invoice", "You can only create a credit note for an open or paid invoice.")
	}
	at := h.timeForCustomer(inv.Customer)
	n := &CreditNote{
		Base: Base{Created: at}, CreditAmount: in.Int("credit_amount"), Currency: inv.Currency, Customer: inv.Customer,
		EffectiveAt: in.IntOr("effective_at", at), Invoice: inv.ID, Type: "pre_payment", Memo: in.String("memo"), Metadata: in.Metadata(),
		OutOfBandAmount: in.Int("out_of_band_amount"), Reason: in.String("reason"), Refund: in.String("refund"), RefundAmount: in.Int("refund_amount"),
	}
	if inv.Status == "paid" {
		n.Type = "post_payment"
	}
	if err := h.setLines(n, inv, in); err != nil {
		return nil, nil, err
	}
	if err := h.validate(n, inv); err != nil {
		return nil, nil, err
	}
	return n, inv, nil
}

func (h creditNotes) setLines(n *CreditNote, inv *Invoice, in *input) error {
	for _, p := range in.List("lines") {
		l, err := creditNoteLineFromParams(inv, p)
		if err != nil {
			return err
		}
		l.ID = h.ids.longID("cnli_1")
		n.Lines = append(n.Lines, l)
		n.Amount += l.Amount
	}
	switch {
	case len(n.Lines) > 0 && in.Has("amount") && in.Int("amount") != n.Amount:
		return wire.Invalid("", "amount", "The sum of the credit note's lines does not match `amount`.")
	case len(n.Lines) > 0:
		return nil
	case !in.Has("amount"):
		return wire.Invalid("parameter_missing", "", "You must provide one of `amount`, `lines` or `shipping_cost`.")
	}
	n.Amount = in.Int("amount")
	n.Lines = []CreditNoteLine{{ID: h.ids.longID("cnli_1"), Amount: n.Amount, Description: "Credit", Quantity: 1, UnitAmount: n.Amount}}
	return nil
}

func creditNoteLineFromParams(inv *Invoice, p wire.Params) (CreditNoteLine, error) {
	quantity := p.IntOr("quantity", 1)
	l := CreditNoteLine{Description: p.String("description"), Quantity: quantity, UnitAmount: p.Int("unit_amount"), Amount: p.Int("unit_amount") * quantity}
	if p.String("type") == "custom_line_item" {
		return l, nil
	}
	at := inv.indexAfterLine(p.String("invoice_line_item")) - 1
	if at < 0 {
		return l, wire.NoSuch("invoice line item", p.String("invoice_line_item"), p.Name("invoice_line_item"))
	}
	line := inv.Lines[at]
	l.InvoiceLine, l.Description, l.UnitAmount = line.ID, line.Description, 0
	l.Amount = p.IntOr("amount", line.Amount)
	if p.Has("quantity") && line.Quantity > 0 && !p.Has("amount") {
		l.Amount = wire.Share(line.Amount, quantity, line.Quantity)
	}
	return l, nil
}

func (h creditNotes) validate(n *CreditNote, inv *Invoice) error {
	left := inv.remaining()
	if n.Type == "post_payment" {
		// Assumed: what the customer's balance paid can be credited too. The documentation limits
		// the refund to what was paid, and the credit note to the invoice
		// (https://docs.stripe.com/api/credit_notes/create).
		left = inv.total() - inv.PrePaymentCreditNotesAmount - inv.PostPaymentCreditNotesAmount
	}
	switch {
	case n.Amount < 1:
		return wire.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case n.Amount > left:
		return wire.Invalid("", "amount", fmt.Sprintf("The credit note's amount (%s) is greater than what is left of the invoice (%s).", wire.FormatAmount(n.Amount, n.Currency), wire.FormatAmount(left, n.Currency)))
	case n.Type == "pre_payment" && n.CreditAmount+n.OutOfBandAmount+n.RefundAmount > 0:
		return wire.Invalid("", "", "You can only use `refund_amount`, `credit_amount` and `out_of_band_amount` with a paid invoice.")
	case n.Type == "pre_payment":
		return nil
	}
	if err := h.linkRefund(n); err != nil {
		return err
	}
	if n.CreditAmount+n.OutOfBandAmount+n.RefundAmount != n.Amount {
		return wire.Invalid("", "", fmt.Sprintf("The sum of `credit_amount`, `refund_amount` and `out_of_band_amount` (%s) must equal the credit note's amount (%s).", wire.FormatAmount(n.CreditAmount+n.OutOfBandAmount+n.RefundAmount, n.Currency), wire.FormatAmount(n.Amount, n.Currency)))
	}
	if n.RefundAmount == 0 || n.Refund != "" {
		return nil
	}
	ch, ok := h.store.Charges.get(inv.Charge)
	if !ok {
		return wire.Invalid("", "refund_amount", "The invoice has no charge to refund.")
	}
	return checkRefund(ch, n.RefundAmount)
}

// linkRefund reads the amount of an existing refund that the credit note refers to.
func (h creditNotes) linkRefund(n *CreditNote) error {
	if n.Refund == "" {
		return nil
	}
	r, ok := h.store.Refunds.get(n.Refund)
	if !ok {
		return wire.NoSuch("refund", n.Refund, "refund")
	}
	if n.RefundAmount == 0 {
		n.RefundAmount = r.Amount
	}
	return nil
}

func (h creditNotes) preview(in *input) (any, error) {
	n, inv, err := h.fromParams(in)
	if err != nil {
		return nil, err
	}
	n.ID, n.Number = h.ids.longID("cn_1"), inv.Number+"-CN-DRAFT"
	return h.render(n), nil
}

func (h creditNotes) previewLines(in *input) (any, error) {
	n, _, err := h.fromParams(in)
	if err != nil {
		return nil, err
	}
	return n.pageLines(in)
}

func (h creditNotes) listLines(in *input) (any, error) {
	n, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return n.pageLines(in)
}

func (n *CreditNote) pageLines(in *input) (any, error) {
	return pageOf(wire.List(in.url, n.renderLines(), false), in)
}

func (n *CreditNote) renderLines() []any {
	lines := []any{}
	for _, l := range n.Lines {
		lines = append(lines, l.render())
	}
	return lines
}

func (h creditNotes) find(in *input) (*CreditNote, error) {
	n, ok := h.store.CreditNotes.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("credit_note", in.pathValue("id"), "id")
	}
	return n, nil
}

func (h creditNotes) get(in *input) (any, error) {
	n, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(n), nil
}

func (h creditNotes) list(in *input) (any, error) {
	rows := h.store.CreditNotes.all
	if in.Has("invoice") {
		rows = h.store.CreditNotes.by("invoice", in.String("invoice"))
	}
	return listing[*CreditNote]{
		resource: "credit_note", table: h.store.CreditNotes, rows: rows,
		filter: func(n *CreditNote) bool {
			if in.Has("customer") {
				return n.Customer == in.String("customer")
			}
			return in.Has("invoice") || !h.customers.onTestClock(n.Customer)
		},
		render: h.render,
	}.page(in)
}

func (h creditNotes) update(in *input) (any, error) {
	n, err := h.find(in)
	if err != nil {
		return nil, err
	}
	before := h.render(n)
	in.SetString("memo", &n.Memo)
	in.SetMetadata(&n.Metadata)
	h.emitUpdate("credit_note.updated", before, h.render(n))
	return h.render(n), nil
}

// void voids a credit note of an open invoice.
func (h creditNotes) void(in *input) (any, error) {
	n, err := h.find(in)
	if err != nil {
		return nil, err
	}
	inv, ok := h.store.Invoices.get(n.Invoice)
	if !ok || n.Type != "pre_payment" || inv.Status != "open" || n.VoidedAt != 0 {
		return nil, wire.Invalid("", "", "You can only void a credit note of an invoice that is open.")
	}
	before := h.invoices.render(inv)
	n.VoidedAt = h.timeForCustomer(n.Customer)
	inv.PrePaymentCreditNotesAmount -= n.Amount
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok {
		pi.Amount = inv.remaining()
	}
	h.emit("credit_note.voided", h.render(n))
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	return h.render(n), nil
}

func (h creditNotes) render(n *CreditNote) wire.Object {
	status := "issued"
	if n.VoidedAt != 0 {
		status = "void"
	}
	o := wire.Object{
		"id": n.ID, "object": "credit_note", "amount": n.Amount, "amount_shipping": 0, "created": n.Created,
		"currency": n.Currency, "customer": wire.Ref("customer", n.Customer), "customer_balance_transaction": wire.Ref("customer_balance_transaction", n.BalanceTransaction),
		"discount_amount": 0, "discount_amounts": []any{}, "effective_at": wire.IntOrNull(n.EffectiveAt),
		"invoice": wire.Ref("invoice", n.Invoice), "lines": wire.List("/v1/credit_notes/"+n.ID+"/lines", n.renderLines(), false),
		"livemode": false, "memo": wire.StringOrNull(n.Memo), "metadata": n.Metadata, "number": n.Number, "out_of_band_amount": nil,
		"pdf": h.origin + "/i/" + n.Invoice + "/pdf", "reason": wire.StringOrNull(n.Reason), "refund": wire.Ref("refund", n.Refund),
		"shipping_cost": nil, "status": status, "subtotal": n.Amount, "subtotal_excluding_tax": n.Amount, "tax_amounts": []any{},
		"total": n.Amount, "total_excluding_tax": n.Amount, "type": n.Type, "voided_at": wire.IntOrNull(n.VoidedAt),
	}
	if n.OutOfBandAmount > 0 {
		o["out_of_band_amount"] = n.OutOfBandAmount
	}
	return o
}

func (l CreditNoteLine) render() wire.Object {
	o := wire.Object{
		"id": l.ID, "object": "credit_note_line_item", "amount": l.Amount, "amount_excluding_tax": l.Amount,
		"description": wire.StringOrNull(l.Description), "discount_amount": 0, "discount_amounts": []any{}, "livemode": false,
		"quantity": l.Quantity, "tax_amounts": []any{}, "tax_rates": []any{}, "type": "custom_line_item",
		"unit_amount": nil, "unit_amount_decimal": nil, "unit_amount_excluding_tax": nil,
	}
	if l.InvoiceLine != "" {
		o["invoice_line_item"], o["type"] = l.InvoiceLine, "invoice_line_item"
	} else {
		o["unit_amount"], o["unit_amount_decimal"], o["unit_amount_excluding_tax"] = l.UnitAmount, fmt.Sprint(l.UnitAmount), fmt.Sprint(l.UnitAmount)
	}
	return o
}
