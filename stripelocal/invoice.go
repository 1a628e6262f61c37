package stripelocal

import (
	"math/big"
	"strings"

	"usher/stripelocal/wire"
)

// Invoice is an invoice. Amounts are minor units.
type Invoice struct {
	Base
	AmountPaid                   int64
	AttemptCount                 int64
	Attempted                    bool
	AutoAdvance                  bool
	AutomaticTax                 bool
	BillingReason                string
	Charge                       string
	CollectionMethod             string
	Currency                     string
	Customer                     string
	CustomerEmail                string
	CustomerName                 string
	CustomerAddress              *Address
	PrePaymentCreditNotesAmount  int64 // by credit notes while it was open
	PostPaymentCreditNotesAmount int64 // by credit notes after it was paid
	DaysUntilDue                 int64
	DefaultPaymentMethod         string
	DefaultTaxRates              []string
	Description                  string
	StatementDescriptor          string
	Discounts                    []InvoiceDiscount
	Taxes                        []InvoiceTax
	DueDate                      int64
	EffectiveAt                  int64
	EndingBalance                int64
	BalanceApplied               bool // StartingBalance and EndingBalance are set
	AutomaticallyFinalizesAt     int64
	FinalizedAt                  int64
	FirstDeclineAt               int64 // the retry schedule counts from it
	Footer                       string
	Lines                        []InvoiceLine
	Metadata                     map[string]string
	PaymentMethodTypes           []string
	NextPaymentAttempt           int64
	Number                       string
	OverdueSent                  bool
	PaidAt                       int64
	PaidOutOfBand                bool
	PaymentIntent                string
	PeriodEnd                    int64
	PeriodStart                  int64
	DeclinedMethod               string // not retried automatically
	RetryCount                   int    // automatic retries scheduled so far
	StartingBalance              int64
	Status                       string // draft, open, paid, uncollectible or void
	Subscription                 string
	SubscriptionMetadata         map[string]string // as of the invoice's creation
	SubscriptionProrationDate    int64
	MarkedUncollectibleAt        int64
	VoidedAt                     int64
	WebhooksDeliveredAt          int64
}

// InvoiceLine is a line of an invoice. Type is subscription or invoiceitem.
type InvoiceLine struct {
	ID               string
	Amount           int64
	Description      string
	InvoiceItem      string
	Type             string
	Metadata         map[string]string
	PeriodEnd        int64
	PeriodStart      int64
	Price            string
	Proration        bool
	CreditedInvoice  string // for a credit: the invoice and the line ids it credits
	CreditedLines    []string
	Quantity         int64
	Subscription     string
	SubscriptionItem string
	NotDiscountable  bool
	TaxRates         []string // instead of the invoice's
}

// invoices serves /v1/invoices.
type invoices struct{ *request }

func invoiceResource() resource {
	return resource{
		objectType: "invoice",
		render: renderFrom(func(s *store) *table[*Invoice] { return s.Invoices },
			bind(invoices.render)),
		scheduleTimers: func(r *request) {
			for _, inv := range r.store.Invoices.all {
				r.invoicing.scheduleNext(inv)
			}
		},
		routes: []route{
			on("GET /v1/invoices", listParams+"customer status:draft|open|paid|uncollectible|void subscription collection_method:charge_automatically|send_invoice due_date:range", invoices.list),
			on("POST /v1/invoices", invoiceParams+"effective_at:time customer! subscription currency:currency pending_invoice_items_behavior:exclude|include", invoices.create),
			on("GET /v1/invoices/upcoming", upcomingParams, previews.get),
			on("GET /v1/invoices/upcoming/lines", upcomingParams+"limit:int starting_after ending_before", previews.listLines),
			on("POST /v1/invoices/create_preview", previewParams, previews.get),
			on("GET /v1/invoices/{id}", "", invoices.get),
			on("POST /v1/invoices/{id}", invoiceParams+"effective_at:time?", invoices.update),
			on("DELETE /v1/invoices/{id}", "", invoices.delete),
			on("GET /v1/invoices/{id}/lines", "limit:int starting_after ending_before", invoices.listLines),
			on("POST /v1/invoices/{id}/add_lines", "lines[]{invoice_item "+invoiceLineParams+"}! invoice_metadata:map?", invoices.addLines),
			on("POST /v1/invoices/{id}/update_lines", "lines[]{id! "+invoiceLineParams+"}! invoice_metadata:map?", invoices.updateLines),
			on("POST /v1/invoices/{id}/remove_lines", "lines[]{id! behavior:delete|unassign!}! invoice_metadata:map?", invoices.removeLines),
			on("POST /v1/invoices/{id}/lines/{line_item}", invoiceLineParams, invoices.updateSingleLine),
			on("POST /v1/invoices/{id}/finalize", "auto_advance:bool", invoices.finalize),
			on("POST /v1/invoices/{id}/pay", "paid_out_of_band:bool payment_method off_session:bool source", invoices.pay),
			on("POST /v1/invoices/{id}/send", "", invoices.send),
			on("POST /v1/invoices/{id}/void", "", invoices.void),
			on("POST /v1/invoices/{id}/mark_uncollectible", "", invoices.markUncollectible),
		},
	}
}

func (inv *Invoice) subtotal() int64 {
	var sum int64
	for _, l := range inv.Lines {
		sum += l.Amount
	}
	return sum
}

// total is the lines minus the discounts plus the taxes that they do not include.
func (inv *Invoice) total() int64 {
	exclusive, _ := inv.taxAmount()
	return inv.subtotal() - inv.discountAmount() + exclusive
}

// amountDue is the total minus credit notes and the applied customer balance, never negative.
func (inv *Invoice) amountDue() int64 {
	due := inv.total() - inv.PrePaymentCreditNotesAmount
	if inv.BalanceApplied {
		due += inv.StartingBalance - inv.EndingBalance
	}
	return max(0, due)
}

func (inv *Invoice) remaining() int64 { return inv.amountDue() - inv.AmountPaid }

func (inv *Invoice) isClosed() bool { return inv.Status == "paid" || inv.Status == "void" }

func (h invoices) find(in *input) (*Invoice, error) {
	inv, ok := h.store.Invoices.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("invoice", in.pathValue("id"), "invoice")
	}
	return inv, nil
}

func (h invoices) get(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(inv), nil
}

func (h invoices) list(in *input) (any, error) {
	rows := h.store.Invoices.all
	named := in.Has("subscription") || in.Has("customer")
	switch {
	case in.Has("subscription"):
		rows = h.store.Invoices.by("subscription", in.String("subscription"))
	case in.Has("customer"):
		rows = h.store.Invoices.by("customer", in.String("customer"))
	}
	return listing[*Invoice]{
		resource: "invoice", table: h.store.Invoices, rows: rows,
		filter: func(i *Invoice) bool { return i.matches(in.Params) && (named || !h.customers.onTestClock(i.Customer)) },
		render: h.render,
	}.page(in)
}

func (inv *Invoice) matches(q wire.Params) bool {
	return (!q.Has("customer") || inv.Customer == q.String("customer")) &&
		(!q.Has("status") || inv.Status == q.String("status")) &&
		(!q.Has("collection_method") || inv.CollectionMethod == q.String("collection_method")) &&
		q.InRange("due_date", inv.DueDate)
}

func (h invoices) listLines(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	limit := in.IntOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	return h.pageLines(inv, in, int(limit))
}

func (h invoices) pageLines(inv *Invoice, in *input, limit int) (any, error) {
	from, before := 0, in.String("ending_before")
	if after := in.String("starting_after"); after != "" {
		if from = inv.indexAfterLine(after); from < 0 {
			return nil, wire.NoSuch("line_item", after, "starting_after")
		}
	}
	if before == "" {
		upTo := min(len(inv.Lines), from+limit)
		return wire.List(in.url, h.renderLines(inv, from, upTo), upTo < len(inv.Lines)), nil
	}
	upTo := inv.indexAfterLine(before) - 1
	if upTo < 0 {
		return nil, wire.NoSuch("line_item", before, "ending_before")
	}
	from = max(0, upTo-limit)
	return wire.List(in.url, h.renderLines(inv, from, upTo), from > 0), nil
}

func (inv *Invoice) indexAfterLine(id string) int {
	for i, l := range inv.Lines {
		if l.ID == id {
			return i + 1
		}
	}
	return -1
}

func (h invoices) render(inv *Invoice) wire.Object {
	o := renderInvoiceAmounts(inv)
	for name, value := range h.renderCustomerFields(inv) {
		o[name] = value
	}
	for name, value := range inv.renderUnusedFields() {
		o[name] = value
	}
	shown := min(len(inv.Lines), 10)
	lines := wire.List("/v1/invoices/"+inv.ID+"/lines", h.renderLines(inv, 0, shown), shown < len(inv.Lines))
	lines["total_count"] = len(inv.Lines)
	o["lines"] = lines
	h.discounts.renderOnInvoice(o, inv)
	h.taxes.renderOnInvoice(o, inv)
	if inv.BillingReason == "manual" {
		o["rendering"] = inv.renderRendering()
	}
	if inv.SubscriptionProrationDate != 0 {
		o["subscription_proration_date"] = inv.SubscriptionProrationDate
	}
	return o
}

// renderRendering is the rendering of an invoice that the API made: its page size is chosen when it
// is finalized (recorded by pay-rails/pay).
func (inv *Invoice) renderRendering() wire.Object {
	size := "auto"
	if inv.FinalizedAt != 0 {
		size = "letter"
	}
	return wire.Object{"amount_tax_display": nil, "pdf": wire.Object{"page_size": size}, "template": nil, "template_version": nil}
}

func renderInvoiceAmounts(inv *Invoice) wire.Object {
	subtotal, total := inv.subtotal(), inv.total()
	o := wire.Object{
		"id": inv.ID, "object": "invoice", "created": inv.Created, "livemode": false,
		"amount_due": inv.amountDue(), "amount_paid": inv.AmountPaid, "amount_remaining": inv.remaining(),
		"amount_shipping": 0, "attempt_count": inv.AttemptCount, "attempted": inv.Attempted,
		"auto_advance": inv.AutoAdvance, "automatically_finalizes_at": wire.IntOrNull(inv.AutomaticallyFinalizesAt),
		"billing_reason": inv.BillingReason, "charge": wire.Ref("charge", inv.Charge),
		"collection_method": inv.CollectionMethod, "currency": inv.Currency, "description": wire.StringOrNull(inv.Description),
		"due_date": wire.IntOrNull(inv.DueDate), "effective_at": wire.IntOrNull(inv.EffectiveAt), "ending_balance": nil,
		"footer": wire.StringOrNull(inv.Footer), "metadata": inv.Metadata, "next_payment_attempt": wire.IntOrNull(inv.NextPaymentAttempt),
		"number": wire.StringOrNull(inv.Number), "paid": inv.Status == "paid", "paid_out_of_band": inv.PaidOutOfBand,
		"payment_intent": wire.Ref("payment_intent", inv.PaymentIntent), "period_end": inv.PeriodEnd,
		"period_start": inv.PeriodStart, "starting_balance": inv.StartingBalance, "status": inv.Status,
		"status_transitions": wire.Object{
			"finalized_at": wire.IntOrNull(inv.FinalizedAt), "marked_uncollectible_at": wire.IntOrNull(inv.MarkedUncollectibleAt),
			"paid_at": wire.IntOrNull(inv.PaidAt), "voided_at": wire.IntOrNull(inv.VoidedAt),
		},
		"subtotal": subtotal, "subtotal_excluding_tax": subtotal, "total": total, "total_excluding_tax": total,
		"webhooks_delivered_at": wire.IntOrNull(inv.WebhooksDeliveredAt),
	}
	if inv.BalanceApplied {
		o["ending_balance"] = inv.EndingBalance
	}
	return o
}

func (h invoices) renderCustomerFields(inv *Invoice) wire.Object {
	o := wire.Object{
		"account_country": "US", "account_name": h.store.Account.Name, "customer": wire.Ref("customer", inv.Customer),
		"customer_address": inv.CustomerAddress.render(), "customer_email": wire.StringOrNull(inv.CustomerEmail),
		"customer_name": wire.StringOrNull(inv.CustomerName), "customer_phone": nil, "customer_shipping": nil,
		"customer_tax_exempt": "none", "customer_tax_ids": []any{},
		"default_payment_method": wire.Ref("payment_method", inv.DefaultPaymentMethod),
		"hosted_invoice_url":     nil, "invoice_pdf": nil,
		"subscription":         wire.Ref("subscription", inv.Subscription),
		"subscription_details": wire.Object{"metadata": nil},
		"test_clock":           nil,
		"quote":                nil,
	}
	if from := h.store.Quotes.by("invoice", inv.ID); len(from) > 0 && inv.ID != "" {
		o["quote"] = wire.Ref("quote", from[0].ID)
	}
	if inv.Subscription != "" {
		o["subscription_details"] = wire.Object{"metadata": inv.SubscriptionMetadata}
	}
	if inv.FinalizedAt != 0 {
		o["hosted_invoice_url"] = h.origin + "/i/" + inv.ID
		o["invoice_pdf"] = h.origin + "/i/" + inv.ID + "/pdf"
	}
	if c, ok := h.store.Customers.get(inv.Customer); ok {
		o["test_clock"] = wire.Ref("test_clock", c.TestClock)
	}
	return o
}

// renderUnusedFields renders the fields that are mostly null.
func (inv *Invoice) renderUnusedFields() wire.Object {
	return wire.Object{
		"account_tax_ids": nil, "application": nil, "application_fee_amount": nil,
		"automatic_tax": inv.renderAutomaticTax(),
		"custom_fields": nil, "default_source": nil, "default_tax_rates": []any{}, "discount": nil,
		"discounts": []any{}, "from_invoice": nil, "issuer": wire.Object{"type": "self"},
		"last_finalization_error": nil, "latest_revision": nil, "on_behalf_of": nil,
		"payment_settings": wire.Object{
			"default_mandate": nil, "payment_method_options": nil, "payment_method_types": wire.StringsOrNull(inv.PaymentMethodTypes),
		},
		"post_payment_credit_notes_amount": inv.PostPaymentCreditNotesAmount, "pre_payment_credit_notes_amount": inv.PrePaymentCreditNotesAmount,
		"receipt_number": nil, "rendering": nil, "shipping_cost": nil, "shipping_details": nil,
		"statement_descriptor": wire.StringOrNull(inv.StatementDescriptor), "tax": nil, "total_discount_amounts": []any{}, "total_tax_amounts": []any{},
		"transfer_data": nil,
	}
}

func (h invoices) renderLines(inv *Invoice, from, upTo int) []any {
	out := []any{}
	for i, l := range inv.Lines[from:upTo] {
		line := h.renderLine(inv, l)
		h.taxes.renderOnLine(line, inv, from+i)
		out = append(out, line)
	}
	return out
}

func (h invoices) renderLine(inv *Invoice, l InvoiceLine) wire.Object {
	o := wire.Object{
		"id": l.ID, "object": "line_item", "amount": l.Amount, "amount_excluding_tax": l.Amount,
		"currency": inv.Currency, "description": wire.StringOrNull(l.Description), "discount_amounts": inv.lineDiscountAmounts(l.ID),
		"discountable": !l.Proration && !l.NotDiscountable, "discounts": []any{}, "invoice": wire.Ref("invoice", inv.ID), "livemode": false,
		"metadata": l.Metadata, "period": wire.Object{"end": l.PeriodEnd, "start": l.PeriodStart},
		"plan": nil, "price": nil, "proration": l.Proration, "proration_details": l.renderProration(),
		"quantity": l.Quantity, "subscription": wire.Ref("subscription", l.Subscription), "tax_amounts": []any{},
		"tax_rates": []any{}, "type": l.Type, "unit_amount_excluding_tax": nil,
	}
	if l.InvoiceItem != "" {
		o["invoice_item"] = wire.Ref("invoiceitem", l.InvoiceItem)
	}
	if l.SubscriptionItem != "" {
		o["subscription_item"] = h.subscriptionItemRef(l.SubscriptionItem)
	}
	if p, ok := h.store.Prices.get(l.Price); ok {
		o["price"], o["plan"], o["unit_amount_excluding_tax"] = h.prices.render(p), p.renderPlan(), unitAmountOf(l.Amount, l.Quantity)
	}
	return o
}

// unitAmountOf is the amount of one unit of a line, as a decimal: negative for a credit, 0 in a
// trial (recorded by pay-rails/pay).
func unitAmountOf(amount, quantity int64) string {
	unit := new(big.Rat).SetFrac64(amount, max(1, quantity))
	if unit.IsInt() {
		return unit.Num().String()
	}
	return strings.TrimRight(unit.FloatString(12), "0")
}

// subscriptionItemRef returns a reference while the item exists, else its id.
func (h invoices) subscriptionItemRef(id string) any {
	if _, ok := h.store.SubscriptionItems.get(id); !ok {
		return id
	}
	return wire.Ref("subscription_item", id)
}

func (l *InvoiceLine) renderProration() wire.Object {
	if l.CreditedInvoice == "" {
		return wire.Object{"credited_items": nil}
	}
	return wire.Object{"credited_items": wire.Object{"invoice": l.CreditedInvoice, "invoice_line_items": l.CreditedLines}}
}
