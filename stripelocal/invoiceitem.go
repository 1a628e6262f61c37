package stripelocal

import "strconv"

// InvoiceItem waits for an invoice to be a line of. Amounts are minor units.
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
	Undiscountable   bool
}

func invoiceItemResource() resource {
	return resource{
		kind: "invoiceitem",
		render: finder(func(s *state) *table[*InvoiceItem] { return s.InvoiceItems },
			func(a *act, i *InvoiceItem) object { return a.renderInvoiceItem(i) }),
		routes: []route{
			{"GET /v1/invoiceitems", listParams + "customer invoice pending:bool", (*act).listInvoiceItems},
			{"GET /v1/invoiceitems/{id}", "", (*act).getInvoiceItem},
			{"POST /v1/invoiceitems", itemAmountParams + "customer! currency invoice subscription", (*act).createInvoiceItem},
			{"POST /v1/invoiceitems/{id}", itemAmountParams, (*act).updateInvoiceItem},
			{"DELETE /v1/invoiceitems/{id}", "", (*act).deleteInvoiceItem},
		},
	}
}

// pendingKey is under whom a pending item waits: its subscription, or else its
// customer.
func (i *InvoiceItem) pendingKey() string {
	switch {
	case i.Invoice != "":
		return ""
	case i.Subscription != "":
		return i.Subscription
	}
	return i.Customer
}

func (a *act) addInvoiceItem(i *InvoiceItem) *InvoiceItem {
	i.Base = Base{ID: a.ids.long("ii_1"), Created: a.nowOf(i.Customer)}
	if i.Metadata == nil {
		i.Metadata = map[string]string{}
	}
	a.state.InvoiceItems.insert(i)
	a.emit("invoiceitem.created", a.renderInvoiceItem(i))
	return i
}

// pendingItems are what waits for a subscription's next invoice: its own items
// and those of the customer alone.
func (a *act) pendingItems(sub *Subscription) []*InvoiceItem {
	items := append([]*InvoiceItem{}, a.state.InvoiceItems.by("pending", sub.ID)...)
	for _, i := range a.state.InvoiceItems.by("pending", sub.Customer) {
		if i.Currency == sub.Currency {
			items = append(items, i)
		}
	}
	return items
}

func (i *InvoiceItem) line() InvoiceLine {
	return InvoiceLine{
		Amount: i.Amount, Description: i.Description, InvoiceItem: i.ID, Kind: "invoiceitem", Metadata: i.Metadata,
		PeriodStart: i.PeriodStart, PeriodEnd: i.PeriodEnd, Price: i.Price, Proration: i.Proration,
		Quantity: i.Quantity, Subscription: i.Subscription, SubscriptionItem: i.SubscriptionItem,
		CreditedInvoice: i.CreditedInvoice, CreditedLines: i.CreditedLines, Undiscountable: i.Undiscountable,
	}
}

func (a *act) getInvoiceItem(in *input) (any, error) {
	i, ok := a.state.InvoiceItems.get(in.path("id"))
	if !ok {
		return nil, notFound("invoiceitem", in.path("id"), "invoiceitem")
	}
	return a.renderInvoiceItem(i), nil
}

func (a *act) listInvoiceItems(in *input) (any, error) {
	rows := a.state.InvoiceItems.all
	if in.has("customer") {
		rows = a.state.InvoiceItems.by("customer", in.str("customer"))
	}
	return listing[*InvoiceItem]{
		what: "invoiceitem", table: a.state.InvoiceItems, rows: rows,
		keep: func(i *InvoiceItem) bool {
			return (in.has("customer") || !a.onTestClock(i.Customer)) && (!in.has("invoice") || i.Invoice == in.str("invoice")) &&
				(!in.has("pending") || (i.Invoice == "") == in.flag("pending"))
		},
		render: func(i *InvoiceItem) object { return a.renderInvoiceItem(i) },
	}.page(in)
}

func (a *act) renderInvoiceItem(i *InvoiceItem) object {
	o := object{
		"id": i.ID, "object": "invoiceitem", "amount": i.Amount, "currency": i.Currency,
		"customer": ref{"customer", i.Customer}, "date": i.Created, "description": orNull(i.Description),
		"discountable": !i.Proration && !i.Undiscountable, "discounts": []any{}, "invoice": ref{"invoice", i.Invoice},
		"livemode": false, "metadata": i.Metadata, "period": object{"end": i.PeriodEnd, "start": i.PeriodStart},
		"plan": nil, "price": nil, "proration": i.Proration, "quantity": i.Quantity,
		"subscription": ref{"subscription", i.Subscription}, "tax_rates": []any{}, "test_clock": nil,
		"unit_amount": i.Amount, "unit_amount_decimal": strconv.FormatInt(i.Amount, 10),
	}
	if i.SubscriptionItem != "" {
		o["subscription_item"] = i.SubscriptionItem
	}
	if c, ok := a.state.Customers.get(i.Customer); ok {
		o["test_clock"] = ref{"test_clock", c.TestClock}
	}
	if p, ok := a.state.Prices.get(i.Price); ok {
		o["price"], o["plan"] = a.renderPrice(p), p.renderPlan()
		o["unit_amount"], o["unit_amount_decimal"] = p.unitAmount(), p.decimal()
	}
	return o
}
