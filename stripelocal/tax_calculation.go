package stripelocal

import (
	"math/big"
	"strings"

	"usher/stripelocal/wire"
)

const (
	// taxCalculationLifetime is how long a calculation can become a transaction, in seconds (API
	// reference: tax calculations, 90 days).
	taxCalculationLifetime = 90 * 24 * 60 * 60
	// generalTaxCode is the code of tangible goods, which Stripe falls back to.
	generalTaxCode = "txcd_99999999"
)

// TaxCalculation is the tax of a sale that is not made yet (docs: Tax API).
type TaxCalculation struct {
	Base
	Currency string
	Customer string
	Details  TaxedCustomer
	Lines    []TaxedLine
	TaxDate  int64
}

// TaxedCustomer is what the tax of a customer depends on.
type TaxedCustomer struct {
	Address  *Address
	Source   string // of the address: billing or shipping
	Override string // none, customer_exempt or reverse_charge
	TaxIDs   []TaxIDValue
}

// TaxIDValue is a tax ID with its type.
type TaxIDValue struct{ Type, Value string }

// TaxedLine is a line item of a calculation or of a transaction. Amounts are minor units.
type TaxedLine struct {
	ID        string
	Amount    int64 // with tax if that is inclusive
	Tax       int64
	Taxable   int64
	Inclusive bool
	Product   string
	Quantity  int64
	Reference string
	TaxCode   string
	Rate      TaxRate
	Reason    string // taxability_reason
	Original  string // the line that a reversal reverses
	Metadata  map[string]string
}

const taxDetailParams = "customer_details{address{city? country! line1? line2? postal_code? state?} address_source:billing|shipping tax_ids[]{" + taxIDTypes + "} " +
	"taxability_override:customer_exempt|none|reverse_charge} "

// taxCalculations serves /v1/tax/calculations.
type taxCalculations struct{ *request }

func taxCalculationResource() resource {
	return resource{
		objectType: "tax.calculation",
		render: renderFrom(func(s *store) *table[*TaxCalculation] { return s.TaxCalculations },
			bind(taxCalculations.render)),
		routes: []route{
			on("POST /v1/tax/calculations", taxDetailParams+"currency:currency! customer line_items[]{amount:int! product quantity:int reference:500 tax_behavior:exclusive|inclusive tax_code}! tax_date:time", taxCalculations.create),
			on("GET /v1/tax/calculations/{id}", "", taxCalculations.get),
			on("GET /v1/tax/calculations/{id}/line_items", " limit:int starting_after:500 ending_before:500", taxCalculations.listLines),
		},
	}
}

func (h taxCalculations) create(in *input) (any, error) {
	details, err := h.customerDetails(in)
	if err != nil {
		return nil, err
	}
	c := &TaxCalculation{
		Base: Base{ID: h.ids.longID("taxcalc_1"), Created: h.now}, Currency: in.String("currency"), Customer: in.String("customer"),
		Details: details, TaxDate: in.IntOr("tax_date", h.now),
	}
	used := map[string]bool{}
	for _, p := range in.List("line_items") {
		l, err := h.line(details, c.Currency, p)
		if err != nil {
			return nil, err
		}
		if used[l.Reference] {
			return nil, wire.Invalid("", p.Name("reference"), "Each line item needs a `reference` of its own.")
		}
		used[l.Reference] = true
		c.Lines = append(c.Lines, l)
	}
	h.store.TaxCalculations.insert(c)
	return h.render(c), nil
}

// customerDetails are those in the parameters, or a customer's.
func (h taxCalculations) customerDetails(in *input) (TaxedCustomer, error) {
	p := in.At("customer_details")
	d := TaxedCustomer{Source: p.StringOr("address_source", "billing"), Override: p.StringOr("taxability_override", "none")}
	switch {
	case h.store.WithoutStripeTax:
		return d, wire.Invalid("stripe_tax_inactive", "", "Stripe Tax has not been activated on your account. Please visit https://stripe.com/docs/tax/set-up to get started.")
	case in.Has("customer") && in.Has("customer_details"):
		return d, wire.Invalid("", "customer", "You may only specify one of these parameters: customer, customer_details.")
	case !in.Has("customer") && !p.Has("address"):
		return d, wire.Invalid("parameter_missing", "customer_details", "You must pass `customer`, or `customer_details` with an `address`.")
	case !in.Has("customer"):
		setAddress(p, "address", &d.Address)
		for _, id := range p.List("tax_ids") {
			d.TaxIDs = append(d.TaxIDs, TaxIDValue{id.String("type"), id.String("value")})
		}
		return d, nil
	}
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return d, err
	}
	if c.Address == nil || c.Address.Country == "" {
		return d, wire.Invalid("customer_tax_location_invalid", "", "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.")
	}
	d.Address = c.Address
	for _, x := range h.store.TaxIDs.by("customer", c.ID) {
		d.TaxIDs = append(d.TaxIDs, TaxIDValue{x.Type, x.Value})
	}
	return d, nil
}

func (h taxCalculations) line(details TaxedCustomer, currency string, p wire.Params) (TaxedLine, error) {
	l := TaxedLine{
		ID: h.ids.longID("tax_li_"), Amount: p.Int("amount"), Product: p.String("product"), Quantity: p.IntOr("quantity", 1), TaxCode: p.String("tax_code"),
		Inclusive: p.StringOr("tax_behavior", h.taxes.defaultBehavior(currency)) == "inclusive", Metadata: map[string]string{},
	}
	l.Reference = p.StringOr("reference", l.ID)
	if product, ok := h.store.Products.get(l.Product); l.Product != "" && (!ok || product.Deleted) {
		return l, wire.NoSuch("product", l.Product, p.Name("product"))
	} else if ok && l.TaxCode == "" {
		l.TaxCode = product.TaxCode
	}
	if l.TaxCode == "" {
		l.TaxCode = h.store.TaxSettings.TaxCode
	}
	if l.TaxCode == "" {
		l.TaxCode = generalTaxCode
	}
	if l.Quantity < 1 {
		return l, wire.Invalid("parameter_invalid_integer", p.Name("quantity"), "This value must be greater than or equal to 1.")
	}
	h.setTax(&l, details)
	return l, nil
}

// setTax computes a line's tax with the rates of automatic tax.
func (h taxCalculations) setTax(l *TaxedLine, details TaxedCustomer) {
	business := false
	for _, id := range details.TaxIDs {
		business = business || id.Type == "eu_vat"
	}
	rate, reason, taxed := h.taxes.automaticRate(details.Address, business, l.Inclusive)
	switch {
	case !taxed:
		rate, reason = TaxRate{Country: details.Address.Country, Percentage: "0", DisplayName: "Tax", TaxType: "sales_tax"}, "not_collecting"
	case details.Override != "none":
		rate.Percentage, reason = "0", details.Override
	}
	l.Rate, l.Reason = rate, reason
	if reason == "not_collecting" {
		return
	}
	base := new(big.Rat).SetInt64(l.Amount)
	if l.Inclusive {
		base = taxableAmount(l.Amount, []TaxRate{rate})
	}
	l.Tax, l.Taxable = wire.Round(percentOf(base, rate.percent())), wire.Round(base)
}

func (h taxCalculations) find(in *input) (*TaxCalculation, error) {
	c, ok := h.store.TaxCalculations.get(in.pathValue("id"))
	if !ok || h.now > c.Created+taxCalculationLifetime {
		return nil, wire.NotFound("tax calculation", in.pathValue("id"), "calculation")
	}
	return c, nil
}

func (h taxCalculations) get(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(c), nil
}

func (h taxCalculations) listLines(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return pageOf(c.renderLines(), in)
}

func (c *TaxCalculation) renderLines() wire.Object {
	data := []any{}
	for _, l := range c.Lines {
		o := l.render("tax.calculation_line_item")
		o["tax_breakdown"] = []any{l.renderBreakdown()}
		o["reference"] = l.Reference
		data = append(data, o)
	}
	return wire.List("/v1/tax/calculations/"+c.ID+"/line_items", data, false)
}

func (l TaxedLine) render(object string) wire.Object {
	behavior := "exclusive"
	if l.Inclusive {
		behavior = "inclusive"
	}
	return wire.Object{
		"id": l.ID, "object": object, "amount": l.Amount, "amount_tax": l.Tax, "livemode": false, "product": wire.StringOrNull(l.Product),
		"quantity": l.Quantity, "reference": l.Reference, "tax_behavior": behavior, "tax_code": l.TaxCode,
	}
}

func (l TaxedLine) renderBreakdown() wire.Object {
	return wire.Object{
		"amount": l.Tax, "jurisdiction": wire.Object{"country": l.Rate.Country, "display_name": l.Rate.Country, "level": "country", "state": nil},
		"sourcing": "destination", "taxability_reason": l.Reason, "taxable_amount": l.Taxable,
		"tax_rate_details": wire.Object{"display_name": l.Rate.DisplayName, "percentage_decimal": l.percentageDecimal(), "tax_type": l.Rate.TaxType},
	}
}

// percentageDecimal has at least one digit after the point, as published examples do.
func (l TaxedLine) percentageDecimal() string {
	if strings.Contains(l.Rate.Percentage, ".") {
		return l.Rate.Percentage
	}
	return l.Rate.Percentage + ".0"
}

func (h taxCalculations) render(c *TaxCalculation) wire.Object {
	var total, exclusive, inclusive int64
	breakdown := []any{}
	byRate := map[string]wire.Object{}
	for _, l := range c.Lines {
		total += l.Amount
		if l.Inclusive {
			inclusive += l.Tax
		} else {
			exclusive += l.Tax
			total += l.Tax
		}
		key := l.Rate.ID + l.Reason
		if o := byRate[key]; o != nil {
			o["amount"], o["taxable_amount"] = o["amount"].(int64)+l.Tax, o["taxable_amount"].(int64)+l.Taxable
			continue
		}
		o := wire.Object{
			"amount": l.Tax, "inclusive": l.Inclusive, "taxability_reason": l.Reason, "taxable_amount": l.Taxable,
			"tax_rate_details": wire.Object{"country": l.Rate.Country, "percentage_decimal": l.percentageDecimal(), "state": nil, "tax_type": l.Rate.TaxType},
		}
		byRate[key], breakdown = o, append(breakdown, o)
	}
	return wire.Object{
		"id": c.ID, "object": "tax.calculation", "amount_total": total, "currency": c.Currency, "customer": wire.StringOrNull(c.Customer),
		"customer_details": c.Details.render(), "expires_at": c.Created + taxCalculationLifetime, "livemode": false,
		"line_items": wire.Expandable(func() any { return c.renderLines() }), "ship_from_details": nil, "shipping_cost": nil,
		"tax_amount_exclusive": exclusive, "tax_amount_inclusive": inclusive, "tax_breakdown": breakdown, "tax_date": c.TaxDate,
	}
}

func (d TaxedCustomer) render() wire.Object {
	ids := []any{}
	for _, id := range d.TaxIDs {
		ids = append(ids, wire.Object{"type": id.Type, "value": id.Value})
	}
	return wire.Object{"address": d.Address.render(), "address_source": d.Source, "ip_address": nil, "tax_ids": ids, "taxability_override": d.Override}
}
