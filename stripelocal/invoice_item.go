package stripelocal

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"usher/stripelocal/wire"
)

// InvoiceItem is an item for the next invoice. Amounts are minor units.
type InvoiceItem struct {
	Base
	Amount           int64
	Currency         string
	Customer         string
	Description      string
	Invoice          string // empty while pending
	Metadata         map[string]string
	PeriodEnd        int64
	PeriodStart      int64
	Price            string
	Proration        bool
	Quantity         int64
	Subscription     string
	SubscriptionItem string
	CreditedInvoice  string
	CreditedLines    []string
	NotDiscountable  bool
	TaxRates         []string // instead of the invoice's
}

// invoiceItems serves /v1/invoiceitems.
type invoiceItems struct{ *request }

func invoiceItemResource() resource {
	return resource{
		objectType: "invoiceitem",
		render: renderFrom(func(s *store) *table[*InvoiceItem] { return s.InvoiceItems },
			bind(invoiceItems.render)),
		routes: []route{
			on("GET /v1/invoiceitems", listParams+"customer invoice pending:bool", invoiceItems.list),
			on("GET /v1/invoiceitems/{id}", "", invoiceItems.get),
			on("POST /v1/invoiceitems", itemAmountParams+"customer! currency:currency invoice subscription", invoiceItems.create),
			on("POST /v1/invoiceitems/{id}", itemAmountParams, invoiceItems.update),
			on("DELETE /v1/invoiceitems/{id}", "", invoiceItems.delete),
		},
	}
}

// pendingKey is the index key of a pending item: its subscription, else its customer.
func (i *InvoiceItem) pendingKey() string {
	switch {
	case i.Invoice != "":
		return ""
	case i.Subscription != "":
		return i.Subscription
	}
	return i.Customer
}

func (h invoiceItems) insert(i *InvoiceItem) *InvoiceItem {
	i.Base = Base{ID: h.ids.longID("ii_1"), Created: h.timeForCustomer(i.Customer)}
	if i.Metadata == nil {
		i.Metadata = map[string]string{}
	}
	h.store.InvoiceItems.insert(i)
	h.emit("invoiceitem.created", h.render(i))
	return i
}

// pendingFor returns the pending items of a subscription and those of its customer without a
// subscription.
func (h invoiceItems) pendingFor(sub *Subscription) []*InvoiceItem {
	items := append([]*InvoiceItem{}, h.store.InvoiceItems.by("pending", sub.ID)...)
	for _, i := range h.store.InvoiceItems.by("pending", sub.Customer) {
		if i.Currency == sub.Currency {
			items = append(items, i)
		}
	}
	return items
}

// newestFirst sorts pending items as the lines of an invoice: in reverse chronological order (API
// reference: invoices, lines). The items of one change stay together, a credit before its charge
// (recorded by onetimesecret).
func newestFirst(items []*InvoiceItem) []*InvoiceItem {
	oldest := slices.SortedStableFunc(slices.Values(items), func(a, b *InvoiceItem) int { return cmp.Compare(a.age(), b.age()) })
	var out []*InvoiceItem
	for end := len(oldest); end > 0; {
		begin := end - 1
		for begin > 0 && oldest[begin-1].isOfChange(oldest[begin]) {
			begin--
		}
		out = append(out, oldest[begin:end]...)
		end = begin
	}
	return out
}

// age orders items by creation. Those of a preview are not stored, and newer than any other.
func (i *InvoiceItem) age() int64 {
	if i.Created == 0 {
		return math.MaxInt64
	}
	return i.Created
}

// isOfChange reports whether two prorations belong to one change of a subscription.
func (i *InvoiceItem) isOfChange(of *InvoiceItem) bool {
	return i.Proration && of.Proration && i.Created == of.Created && i.Subscription == of.Subscription && i.PeriodStart == of.PeriodStart
}

func (i *InvoiceItem) line() InvoiceLine {
	return InvoiceLine{
		Amount: i.Amount, Description: i.Description, InvoiceItem: i.ID, Type: "invoiceitem", Metadata: i.Metadata,
		PeriodStart: i.PeriodStart, PeriodEnd: i.PeriodEnd, Price: i.Price, Proration: i.Proration,
		Quantity: i.Quantity, Subscription: i.Subscription, SubscriptionItem: i.SubscriptionItem,
		CreditedInvoice: i.CreditedInvoice, CreditedLines: i.CreditedLines, NotDiscountable: i.NotDiscountable, TaxRates: i.TaxRates,
	}
}

func (h invoiceItems) get(in *input) (any, error) {
	i, ok := h.store.InvoiceItems.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("invoiceitem", in.pathValue("id"), "invoiceitem")
	}
	return h.render(i), nil
}

func (h invoiceItems) list(in *input) (any, error) {
	rows := h.store.InvoiceItems.all
	if in.Has("customer") {
		rows = h.store.InvoiceItems.by("customer", in.String("customer"))
	}
	return listing[*InvoiceItem]{
		resource: "invoiceitem", table: h.store.InvoiceItems, rows: rows,
		filter: func(i *InvoiceItem) bool {
			return (in.Has("customer") || !h.customers.onTestClock(i.Customer)) && (!in.Has("invoice") || i.Invoice == in.String("invoice")) &&
				(!in.Has("pending") || (i.Invoice == "") == in.Bool("pending"))
		},
		render: h.render,
	}.page(in)
}

func (h invoiceItems) render(i *InvoiceItem) wire.Object {
	o := wire.Object{
		"id": i.ID, "object": "invoiceitem", "amount": i.Amount, "currency": i.Currency,
		"customer": wire.Ref("customer", i.Customer), "date": i.Created, "description": wire.StringOrNull(i.Description),
		"discountable": !i.Proration && !i.NotDiscountable, "discounts": []any{}, "invoice": wire.Ref("invoice", i.Invoice),
		"livemode": false, "metadata": i.Metadata, "period": wire.Object{"end": i.PeriodEnd, "start": i.PeriodStart},
		"plan": nil, "price": nil, "proration": i.Proration, "quantity": i.Quantity,
		"subscription": wire.Ref("subscription", i.Subscription), "tax_rates": h.taxRates.renderAll(i.TaxRates), "test_clock": nil,
		"unit_amount": i.Amount, "unit_amount_decimal": strconv.FormatInt(i.Amount, 10),
	}
	if i.SubscriptionItem != "" {
		o["subscription_item"] = i.SubscriptionItem
	}
	if c, ok := h.store.Customers.get(i.Customer); ok {
		o["test_clock"] = wire.Ref("test_clock", c.TestClock)
	}
	if p, ok := h.store.Prices.get(i.Price); ok {
		o["price"], o["plan"] = h.prices.render(p), p.renderPlan()
		o["unit_amount"], o["unit_amount_decimal"] = p.unitAmount(), p.unitAmountDecimal()
	}
	return o
}
