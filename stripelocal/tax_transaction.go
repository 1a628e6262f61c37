package stripelocal

import "usher/stripelocal/wire"

// TaxTransaction is the tax of a sale, or what was reversed of it.
type TaxTransaction struct {
	Base
	Currency  string
	Customer  string
	Details   TaxedCustomer
	Lines     []TaxedLine
	Metadata  map[string]string
	Original  string // the transaction that a reversal reverses
	PostedAt  int64
	Reference string
	TaxDate   int64
}

// taxTransactions serves /v1/tax/transactions.
type taxTransactions struct{ *request }

func taxTransactionResource() resource {
	return resource{
		objectType: "tax.transaction",
		render: renderFrom(func(s *store) *table[*TaxTransaction] { return s.TaxTransactions },
			func(_ *request, x *TaxTransaction) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/tax/transactions/create_from_calculation", "calculation! reference:500! metadata:map posted_at:time", taxTransactions.create),
			on("POST /v1/tax/transactions/create_reversal", "mode:full|partial! original_transaction! reference:500! metadata:map line_items[]{amount:int! amount_tax:int! original_line_item! quantity:int reference:500! metadata:map}", taxTransactions.reverse),
			on("GET /v1/tax/transactions/{id}", "", taxTransactions.get),
			on("GET /v1/tax/transactions/{id}/line_items", " limit:int starting_after:500 ending_before:500", taxTransactions.listLines),
		},
	}
}

// create records a calculation as a sale.
func (h taxTransactions) create(in *input) (any, error) {
	c, ok := h.store.TaxCalculations.get(in.String("calculation"))
	if !ok || h.now > c.Created+taxCalculationLifetime {
		return nil, wire.NoSuch("tax calculation", in.String("calculation"), "calculation")
	}
	if err := h.checkReference(in); err != nil {
		return nil, err
	}
	x := &TaxTransaction{
		Base: Base{ID: h.ids.longID("tax_1"), Created: h.now}, Currency: c.Currency, Customer: c.Customer, Details: c.Details, Metadata: in.Metadata(),
		PostedAt: in.IntOr("posted_at", h.now), Reference: in.String("reference"), TaxDate: c.TaxDate,
	}
	for _, l := range c.Lines {
		l.ID = h.ids.longID("tax_li_")
		x.Lines = append(x.Lines, l)
	}
	h.store.TaxTransactions.insert(x)
	return x.render(), nil
}

// checkReference requires a reference that no other transaction has (API reference).
func (h taxTransactions) checkReference(in *input) error {
	for _, other := range h.store.TaxTransactions.all {
		if other.Reference == in.String("reference") {
			return wire.Invalid("resource_already_exists", "reference", "The tax transaction "+other.ID+" already has this reference.")
		}
	}
	return nil
}

// reverse reverses all lines of a sale, or a part of some.
func (h taxTransactions) reverse(in *input) (any, error) {
	sale, ok := h.store.TaxTransactions.get(in.String("original_transaction"))
	switch {
	case !ok:
		return nil, wire.NoSuch("tax transaction", in.String("original_transaction"), "original_transaction")
	case sale.Original != "":
		return nil, wire.Invalid("", "original_transaction", "A reversal cannot be reversed.")
	case in.String("mode") == "full" && in.Has("line_items"):
		return nil, wire.Invalid("", "line_items", "You may only pass `line_items` if `mode` is `partial`.")
	case in.String("mode") == "partial" && !in.Has("line_items"):
		return nil, wire.MissingParam("line_items")
	}
	if err := h.checkReference(in); err != nil {
		return nil, err
	}
	x := &TaxTransaction{
		Base: Base{ID: h.ids.longID("tax_1"), Created: h.now}, Currency: sale.Currency, Customer: sale.Customer, Details: sale.Details, Metadata: in.Metadata(),
		Original: sale.ID, PostedAt: h.now, Reference: in.String("reference"), TaxDate: sale.TaxDate,
	}
	var err error
	if x.Lines, err = h.reversedLines(sale, in); err != nil {
		return nil, err
	}
	h.store.TaxTransactions.insert(x)
	return x.render(), nil
}

func (h taxTransactions) reversedLines(sale *TaxTransaction, in *input) ([]TaxedLine, error) {
	var out []TaxedLine
	if in.String("mode") == "full" {
		for _, l := range sale.Lines {
			left, tax := h.left(sale, l)
			if left == 0 && tax == 0 && l.Amount != 0 {
				return nil, wire.Invalid("", "original_transaction", "The transaction "+sale.ID+" is reversed already.")
			}
			l.ID, l.Original, l.Amount, l.Tax = h.ids.longID("tax_li_"), l.ID, -left, -tax
			out = append(out, l)
		}
		return out, nil
	}
	for _, p := range in.List("line_items") {
		l, ok := sale.line(p.String("original_line_item"))
		if !ok {
			return nil, wire.NoSuch("line item", p.String("original_line_item"), p.Name("original_line_item"))
		}
		left, tax := h.left(sale, l)
		amount, amountTax := p.Int("amount"), p.Int("amount_tax")
		if amount > 0 || amountTax > 0 || -amount > left || -amountTax > tax {
			return nil, wire.Invalid("", p.Name("amount"), "A reversal has negative amounts, which in total do not exceed those of the original line item.")
		}
		l.ID, l.Original, l.Amount, l.Tax = h.ids.longID("tax_li_"), l.ID, amount, amountTax
		l.Reference, l.Quantity, l.Metadata = p.String("reference"), p.IntOr("quantity", l.Quantity), p.Metadata()
		out = append(out, l)
	}
	return out, nil
}

// left is what is not reversed yet of a line.
func (h taxTransactions) left(sale *TaxTransaction, l TaxedLine) (amount, tax int64) {
	amount, tax = l.Amount, l.Tax
	for _, x := range h.store.TaxTransactions.by("original", sale.ID) {
		for _, reversed := range x.Lines {
			if reversed.Original == l.ID {
				amount, tax = amount+reversed.Amount, tax+reversed.Tax
			}
		}
	}
	return amount, tax
}

func (x *TaxTransaction) line(id string) (TaxedLine, bool) {
	for _, l := range x.Lines {
		if l.ID == id {
			return l, true
		}
	}
	return TaxedLine{}, false
}

func (h taxTransactions) find(in *input) (*TaxTransaction, error) {
	x, ok := h.store.TaxTransactions.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("tax transaction", in.pathValue("id"), "transaction")
	}
	return x, nil
}

func (h taxTransactions) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h taxTransactions) listLines(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return pageOf(x.renderLines(), in)
}

func (x *TaxTransaction) kind() string {
	if x.Original != "" {
		return "reversal"
	}
	return "transaction"
}

func (x *TaxTransaction) renderLines() wire.Object {
	data := []any{}
	for _, l := range x.Lines {
		o := l.render("tax.transaction_line_item")
		o["metadata"], o["reversal"], o["type"] = l.Metadata, nil, x.kind()
		if l.Original != "" {
			o["reversal"] = wire.Object{"original_line_item": l.Original}
		}
		data = append(data, o)
	}
	return wire.List("/v1/tax/transactions/"+x.ID+"/line_items", data, false)
}

func (x *TaxTransaction) render() wire.Object {
	o := wire.Object{
		"id": x.ID, "object": "tax.transaction", "created": x.Created, "currency": x.Currency, "customer": wire.StringOrNull(x.Customer),
		"customer_details": x.Details.render(), "line_items": wire.Expandable(func() any { return x.renderLines() }), "livemode": false, "metadata": x.Metadata,
		"posted_at": x.PostedAt, "reference": x.Reference, "reversal": nil, "ship_from_details": nil, "shipping_cost": nil, "tax_date": x.TaxDate, "type": x.kind(),
	}
	if x.Original != "" {
		o["reversal"] = wire.Object{"original_transaction": x.Original}
	}
	return o
}
