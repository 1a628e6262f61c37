package stripelocal

import "usher/stripelocal/wire"

// ShippingRate is what a shipment costs. Amounts are minor units.
type ShippingRate struct {
	Base
	Amount      int64
	Currency    string
	DisplayName string
	Estimate    DeliveryEstimate
	Inactive    bool
	Metadata    map[string]string
	TaxBehavior string
	TaxCode     string
}

// DeliveryEstimate is a range of time.
type DeliveryEstimate struct{ Minimum, Maximum DeliveryBound }

// DeliveryBound is one end of an estimate. An empty unit is no bound.
type DeliveryBound struct {
	Unit  string
	Value int64
}

const (
	shippingTaxBehavior = "tax_behavior:exclusive|inclusive|unspecified "
	deliveryBound       = "{unit:business_day|day|hour|month|week! value:int!} "
	shippingRateParams  = "delivery_estimate{maximum" + deliveryBound + "minimum" + deliveryBound + "} display_name:100! " +
		"fixed_amount{amount:int! currency:currency!} metadata:map " + shippingTaxBehavior + "tax_code type:fixed_amount "
)

// shippingRates serves /v1/shipping_rates.
type shippingRates struct{ *request }

func shippingRateResource() resource {
	return resource{
		objectType: "shipping_rate",
		render: renderFrom(func(s *store) *table[*ShippingRate] { return s.ShippingRates },
			func(_ *request, x *ShippingRate) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/shipping_rates", shippingRateParams, shippingRates.create),
			on("GET /v1/shipping_rates", listParams+"active:bool currency:currency", shippingRates.list),
			on("GET /v1/shipping_rates/{id}", "", shippingRates.get),
			on("POST /v1/shipping_rates/{id}", "active:bool metadata:map? "+shippingTaxBehavior, shippingRates.update),
		},
	}
}

func (h shippingRates) create(in *input) (any, error) {
	x, err := h.fromParams(in.Params)
	if err != nil {
		return nil, err
	}
	h.store.ShippingRates.insert(x)
	return x.render(), nil
}

// fromParams makes a rate, also of shipping_rate_data of a Checkout session, and does not store it.
// The wordings are inferred.
func (h shippingRates) fromParams(p wire.Params) (*ShippingRate, error) {
	amount, estimate := p.At("fixed_amount"), p.At("delivery_estimate")
	x := &ShippingRate{
		Base: Base{ID: h.ids.longID("shr_1"), Created: h.now}, Amount: amount.Int("amount"), Currency: amount.String("currency"), DisplayName: p.String("display_name"),
		Estimate: DeliveryEstimate{boundFromParams(estimate.At("minimum")), boundFromParams(estimate.At("maximum"))},
		Metadata: p.Metadata(), TaxBehavior: p.StringOr("tax_behavior", "unspecified"), TaxCode: p.String("tax_code"),
	}
	_, knownCode := findTaxCode(x.TaxCode)
	switch {
	case !p.Has("fixed_amount"):
		return nil, wire.MissingParam(p.Name("fixed_amount"))
	case x.Amount < 0:
		return nil, wire.Invalid("parameter_invalid_integer", amount.Name("amount"), "This value must be greater than or equal to 0.")
	case x.Estimate.Minimum.Unit != "" && x.Estimate.Minimum.Value < 1, x.Estimate.Maximum.Unit != "" && x.Estimate.Maximum.Value < 1:
		return nil, wire.Invalid("parameter_invalid_integer", p.Name("delivery_estimate"), "The values of a delivery estimate must be greater than 0.")
	case x.TaxCode != "" && !knownCode:
		return nil, wire.NoSuch("tax code", x.TaxCode, p.Name("tax_code"))
	}
	return x, nil
}

func boundFromParams(p wire.Params) DeliveryBound {
	return DeliveryBound{Unit: p.String("unit"), Value: p.Int("value")}
}

func (h shippingRates) find(in *input) (*ShippingRate, error) {
	x, ok := h.store.ShippingRates.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("shipping rate", in.pathValue("id"), "shipping_rate_token")
	}
	return x, nil
}

func (h shippingRates) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

// update changes a rate. A tax behavior can be set once, as that of a price (inferred).
func (h shippingRates) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if x.TaxBehavior != "unspecified" && in.StringOr("tax_behavior", x.TaxBehavior) != x.TaxBehavior {
		return nil, wire.Invalid("", "tax_behavior", "The tax behavior of a shipping rate cannot be changed once it is `exclusive` or `inclusive`.")
	}
	in.SetString("tax_behavior", &x.TaxBehavior)
	x.Inactive = !in.BoolOr("active", !x.Inactive)
	in.SetMetadata(&x.Metadata)
	return x.render(), nil
}

func (h shippingRates) list(in *input) (any, error) {
	return listing[*ShippingRate]{
		resource: "shipping rate", table: h.store.ShippingRates, rows: h.store.ShippingRates.all,
		filter: func(x *ShippingRate) bool {
			return (!in.Has("active") || in.Bool("active") != x.Inactive) && (!in.Has("currency") || in.String("currency") == x.Currency)
		},
		render: (*ShippingRate).render,
	}.page(in)
}

func (x *ShippingRate) render() wire.Object {
	var estimate any
	if x.Estimate != (DeliveryEstimate{}) {
		estimate = wire.Object{"maximum": x.Estimate.Maximum.render(), "minimum": x.Estimate.Minimum.render()}
	}
	return wire.Object{
		"id": x.ID, "object": "shipping_rate", "active": !x.Inactive, "created": x.Created, "delivery_estimate": estimate, "display_name": x.DisplayName,
		"fixed_amount": wire.Object{"amount": x.Amount, "currency": x.Currency}, "livemode": false, "metadata": x.Metadata,
		"tax_behavior": x.TaxBehavior, "tax_code": wire.Ref("tax_code", x.TaxCode), "type": "fixed_amount",
	}
}

func (b DeliveryBound) render() any {
	if b.Unit == "" {
		return nil
	}
	return wire.Object{"unit": b.Unit, "value": b.Value}
}
