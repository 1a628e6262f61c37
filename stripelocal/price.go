package stripelocal

import (
	"math/big"
	"strconv"

	"usher/stripelocal/wire"
)

// Price is the price of one unit of a product. UnitAmount is minor units.
type Price struct {
	Base
	Active            bool
	Currency          string
	Interval          string // day, week, month or year; empty if one-time
	IntervalCount     int64
	LookupKey         string
	Metadata          map[string]string
	Nickname          string
	Product           string
	TaxBehavior       string
	TrialPeriodDays   int64 // of a plan; 0 is none
	OfInvoiceItem     bool  // made for invoice items with an amount
	Deleted           bool  // as a plan: kept for the subscriptions that have it
	UnitAmount        int64
	UnitAmountDecimal string // set if the amount has fractions of a minor unit
	TiersMode         string // graduated or volume; empty without tiers
	Tiers             []PriceTier
	CurrencyOptions   map[string]CurrencyOption
	Metered           bool   // billed by usage
	Meter             string // of a metered price; empty is by usage records
	AggregateUsage    string // of usage records
	DivideBy          int64  // the quantity is divided by it; 0 is not
	RoundUp           bool   // what is divided is rounded up
}

const (
	priceCore = "currency:currency! unit_amount:int unit_amount_decimal:decimal recurring{interval:day|week|month|year! interval_count:int usage_type:licensed|metered aggregate_usage:last_during_period|last_ever|max|sum meter} tax_behavior:exclusive|inclusive|unspecified "
	priceMore = "active:bool nickname? transfer_lookup_key:bool "
)

// prices serves /v1/prices.
type prices struct{ *request }

func priceResource() resource {
	return resource{
		objectType: "price",
		render: renderFrom(func(s *store) *table[*Price] { return s.Prices },
			bind(prices.render)),
		routes: []route{
			on("POST /v1/prices", priceCore+priceMore+"lookup_key:200 metadata:map "+"currency_options:any "+priceTierParams+"transform_quantity"+transformedUnits+"product product_data{active:bool id metadata:map name! statement_descriptor:22 tax_code unit_label:12}", prices.create),
			on("GET /v1/prices", listParams+"active:bool currency:currency lookup_keys[] product type:one_time|recurring recurring{interval:day|week|month|year meter usage_type:licensed|metered}", prices.list),
			on("GET /v1/prices/{id}", "", prices.get),
			on("POST /v1/prices/{id}", priceMore+"lookup_key:200? metadata:map? currency_options:any tax_behavior:exclusive|inclusive|unspecified", prices.update),
		},
	}
}

func (h prices) create(in *input) (any, error) {
	if err := h.validateNew(in.Params); err != nil {
		return nil, err
	}
	product := in.String("product")
	if in.Has("product_data") {
		data := in.At("product_data")
		product = h.products.insert(data.StringOr("id", h.ids.shortID("prod_")), data).ID
	}
	p := h.insert(product, in.Params, true)
	return h.render(p), nil
}

func (h prices) validateNew(p wire.Params) error {
	if !p.Has("product") && !p.Has("product_data") {
		return wire.MissingParam(p.Name("product"))
	}
	if id := p.String("product"); p.Has("product") {
		if product, ok := h.store.Products.get(id); !ok || product.Deleted {
			return wire.NoSuch("product", id, p.Name("product"))
		}
	}
	if p.Has("product") && p.Has("product_data") {
		return wire.Invalid("", "product", "You may only specify one of these parameters: product, product_data.")
	}
	if err := h.products.checkID(p.At("product_data")); err != nil {
		return err
	}
	if err := checkPriceAmount(p); err != nil {
		return err
	}
	if err := h.checkUsage(p.At("recurring")); err != nil {
		return err
	}
	if err := checkCurrencyOptions(p, p.String("currency"), p.String("billing_scheme") == "tiered"); err != nil {
		return err
	}
	return h.checkLookupKey(p, "")
}

// checkPriceAmount checks the amount or the tiers of a price, and its interval.
func checkPriceAmount(p wire.Params) error {
	if err := checkAmount(p, "unit_amount", "transform_quantity"); err != nil {
		return err
	}
	return checkInterval(p.At("recurring"))
}

// checkAmount checks the amount of a price (unit_amount, transform_quantity) or plan (amount,
// transform_usage).
func checkAmount(p wire.Params, name, transform string) error {
	if p.String("billing_scheme") == "tiered" {
		return checkTiers(p, name, transform)
	}
	switch {
	case p.Has("tiers") || p.Has("tiers_mode"):
		return wire.Invalid("", p.Name("tiers"), "You may only pass `tiers` and `tiers_mode` when `billing_scheme` is `tiered`.")
	case !p.Has(name) && !p.Has(name+"_decimal"):
		return wire.MissingParam(p.Name(name))
	case p.Has(name) && p.Has(name+"_decimal"):
		return wire.Invalid("", p.Name(name), "You may only specify one of these parameters: "+name+", "+name+"_decimal.")
	case p.Int(name) < 0:
		return wire.Invalid("parameter_invalid_integer", p.Name(name), "This value must be greater than or equal to 0.")
	}
	return checkTransform(p.At(transform))
}

// checkInterval checks Stripe's limit of three years per interval.
func checkInterval(r wire.Params) error {
	count := r.IntOr("interval_count", 1)
	most := map[string]int64{"day": 1095, "week": 156, "month": 36, "year": 3, "": 1}[r.String("interval")]
	if count < 1 || count > most {
		return wire.Invalid("parameter_invalid_integer", r.Name("interval_count"), "Invalid interval_count: it must be at least 1, and the interval at most three years.")
	}
	return nil
}

func (h prices) checkLookupKey(p wire.Params, own string) error {
	key := p.String("lookup_key")
	if key == "" || p.Bool("transfer_lookup_key") {
		return nil
	}
	if holder := h.byLookupKey(key); holder != nil && holder.ID != own {
		return wire.Invalid("", "lookup_key", "A price (`"+holder.ID+"`) already uses that lookup key.")
	}
	return nil
}

func (h prices) byLookupKey(key string) *Price {
	for _, p := range h.store.Prices.all {
		if p.LookupKey == key {
			return p
		}
	}
	return nil
}

// insert stores a price from checked parameters.
func (h prices) insert(product string, from wire.Params, active bool) *Price {
	p := &Price{
		Base: Base{ID: h.ids.longID("price_1"), Created: h.now}, Active: active, Product: product,
		Currency: from.String("currency"), TaxBehavior: from.StringOr("tax_behavior", "unspecified"),
		Interval: from.At("recurring").String("interval"), Metadata: from.Metadata(),
	}
	if p.Interval != "" {
		p.IntervalCount = from.At("recurring").IntOr("interval_count", 1)
	}
	p.setAmount(from, "unit_amount", "unit_amount_decimal")
	p.setScheme(from, from.At("transform_quantity"))
	p.setUsage(from.At("recurring"))
	h.setFields(p, from)
	h.put(p)
	return p
}

// put stores a price and emits its events. A recurring price is a plan too (docs: migrating from
// the Plans API to the Prices API).
func (h prices) put(p *Price) {
	h.store.Prices.insert(p)
	if p.Interval != "" {
		h.emit("plan.created", p.plan())
	}
	h.emit("price.created", h.render(p))
}

// setAmount reads an amount or its decimal form: unit_amount of a price, amount of a plan.
func (p *Price) setAmount(from wire.Params, name, decimal string) {
	p.UnitAmount = from.Int(name)
	if !from.Has(decimal) {
		return
	}
	exact, _ := new(big.Rat).SetString(from.String(decimal))
	if exact.IsInt() {
		p.UnitAmount = exact.Num().Int64()
		return
	}
	p.UnitAmountDecimal = from.String(decimal)
}

// setFields copies the parameters that can be updated. transfer_lookup_key removes the key from the
// price that has it.
func (h prices) setFields(p *Price, from wire.Params) {
	from.SetBool("active", &p.Active)
	from.SetString("nickname", &p.Nickname)
	from.SetString("tax_behavior", &p.TaxBehavior)
	from.SetMetadata(&p.Metadata)
	p.setCurrencyOptions(from)
	if key := from.String("lookup_key"); key != "" {
		if holder := h.byLookupKey(key); holder != nil && holder != p {
			before := h.render(holder)
			holder.LookupKey = ""
			h.emitUpdate("price.updated", before, h.render(holder))
		}
	}
	from.SetString("lookup_key", &p.LookupKey)
}

func (h prices) get(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(p), nil
}

func (h prices) find(in *input) (*Price, error) {
	p, ok := h.store.Prices.get(in.pathValue("id"))
	if !ok || p.Deleted {
		return nil, wire.NotFound("price", in.pathValue("id"), "price")
	}
	return p, nil
}

func (h prices) update(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := h.checkLookupKey(in.Params, p.ID); err != nil {
		return nil, err
	}
	if to := in.StringOr("tax_behavior", p.TaxBehavior); p.TaxBehavior != "unspecified" && to != p.TaxBehavior {
		return nil, wire.Invalid("", "tax_behavior", "The `tax_behavior` of a price cannot be changed once it is `"+p.TaxBehavior+"`.")
	}
	if err := checkCurrencyOptions(in.Params, p.Currency, len(p.Tiers) > 0); err != nil {
		return nil, err
	}
	before, plan := h.render(p), p.plan()
	h.setFields(p, in.Params)
	if p.Interval != "" {
		h.emitUpdate("plan.updated", plan, p.plan())
	}
	h.emitUpdate("price.updated", before, h.render(p))
	return h.render(p), nil
}

// ofProduct returns the rows of a list, which may be of one product.
func (h prices) ofProduct(in *input) ([]*Price, error) {
	if !in.Has("product") {
		return h.store.Prices.all, nil
	}
	if p, ok := h.store.Products.get(in.String("product")); !ok || p.Deleted {
		return nil, wire.NoSuch("product", in.String("product"), "product")
	}
	return h.store.Prices.by("product", in.String("product")), nil
}

func (h prices) list(in *input) (any, error) {
	rows, err := h.ofProduct(in)
	if err != nil {
		return nil, err
	}
	keys := setOf(in.Strings("lookup_keys"))
	return listing[*Price]{
		resource: "price", table: h.store.Prices, rows: rows,
		filter: func(p *Price) bool { return p.matches(in.Params) && (len(keys) == 0 || keys[p.LookupKey]) },
		render: h.render,
	}.page(in)
}

func (p *Price) matches(q wire.Params) bool {
	return !p.Deleted && (!q.Has("active") || p.Active == q.Bool("active")) &&
		(!q.Has("currency") || p.Currency == q.String("currency")) &&
		(!q.Has("type") || p.priceType() == q.String("type")) &&
		(q.At("recurring").String("interval") == "" || p.Interval == q.At("recurring").String("interval")) &&
		(q.At("recurring").String("usage_type") == "" || p.Interval != "" && p.usageType() == q.At("recurring").String("usage_type")) &&
		(q.At("recurring").String("meter") == "" || p.Meter == q.At("recurring").String("meter"))
}

func (p *Price) priceType() string {
	if p.Interval == "" {
		return "one_time"
	}
	return "recurring"
}

// amount is the amount of a quantity in minor units, rounded half away from zero.
func (p *Price) amount(quantity int64) int64 {
	if len(p.Tiers) > 0 {
		var sum int64
		for _, t := range p.tierAmounts(quantity) {
			sum += t.amount
		}
		return sum
	}
	quantity = p.billedUnits(quantity)
	if p.UnitAmountDecimal == "" {
		return p.UnitAmount * quantity
	}
	unit, _ := new(big.Rat).SetString(p.UnitAmountDecimal)
	return wire.Round(unit.Mul(unit, new(big.Rat).SetInt64(quantity)))
}

func (p *Price) unitAmountDecimal() any {
	if len(p.Tiers) > 0 {
		return nil
	}
	if p.UnitAmountDecimal != "" {
		return p.UnitAmountDecimal
	}
	return strconv.FormatInt(p.UnitAmount, 10)
}

func (p *Price) unitAmount() any {
	if p.UnitAmountDecimal != "" || len(p.Tiers) > 0 {
		return nil
	}
	return p.UnitAmount
}

func (h prices) render(p *Price) wire.Object {
	o := wire.Object{
		"id": p.ID, "object": "price", "active": p.Active, "created": p.Created,
		"currency": p.Currency, "custom_unit_amount": nil, "livemode": false, "lookup_key": wire.StringOrNull(p.LookupKey),
		"metadata": p.Metadata, "nickname": wire.StringOrNull(p.Nickname), "product": wire.Ref("product", p.Product),
		"recurring": nil, "tax_behavior": p.TaxBehavior,
		"type": p.priceType(), "unit_amount": p.unitAmount(), "unit_amount_decimal": p.unitAmountDecimal(),
		"currency_options": wire.Expandable(func() any { return p.renderCurrencyOptions() }),
	}
	p.renderScheme(o, "transform_quantity")
	if p.Interval != "" {
		o["recurring"] = wire.Object{
			"aggregate_usage": wire.StringOrNull(p.AggregateUsage), "interval": p.Interval, "interval_count": p.IntervalCount,
			"meter": wire.StringOrNull(p.Meter), "trial_period_days": wire.IntOrNull(p.TrialPeriodDays), "usage_type": p.usageType(),
		}
	}
	return o
}

// periodAfter is the first end of a billing period after a time, counted from anchor.
func (p *Price) periodAfter(anchor, after int64) int64 {
	return wire.PeriodAfter(anchor, p.Interval, p.IntervalCount, after)
}
