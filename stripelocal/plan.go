package stripelocal

import "usher/stripelocal/wire"

// Plans are the older form of recurring prices. A plan and a price with the same id are the same
// object (docs: migrating from the Plans API to the Prices API), so plans are rows of prices.

const (
	planProduct = "product|{active:bool id metadata:map name! statement_descriptor:22 tax_code unit_label:12} "
	planParams  = "active:bool metadata:map? nickname trial_period_days:int "
)

// plans serves /v1/plans.
type plans struct{ *request }

func planResource() resource {
	return resource{
		objectType: "plan",
		render: func(r *request, id string) (wire.Object, bool) {
			p, ok := r.store.Prices.get(id)
			if !ok || p.Interval == "" {
				return nil, false
			}
			return p.plan(), true
		},
		routes: []route{
			on("POST /v1/plans", planParams+planProduct+"id amount:int amount_decimal:decimal currency:currency! "+priceTierParams+"transform_usage"+transformedUnits+" interval:day|week|month|year! interval_count:int usage_type:licensed|metered aggregate_usage:last_during_period|last_ever|max|sum meter", plans.create),
			on("GET /v1/plans", listParams+"active:bool product", plans.list),
			on("GET /v1/plans/{id}", "", plans.get),
			on("POST /v1/plans/{id}", planParams+"product", plans.update),
			on("DELETE /v1/plans/{id}", "", plans.delete),
		},
	}
}

func (h plans) create(in *input) (any, error) {
	if err := h.validate(in.Params); err != nil {
		return nil, err
	}
	product := in.String("product")
	if data := in.At("product"); !data.IsScalar() {
		product = h.products.insert(data.StringOr("id", h.ids.shortID("prod_")), data).ID
	}
	p := &Price{
		Base: Base{ID: in.StringOr("id", h.ids.shortID("plan_")), Created: h.now}, Active: true, Product: product,
		Currency: in.String("currency"), TaxBehavior: "unspecified", Interval: in.String("interval"),
		IntervalCount: in.IntOr("interval_count", 1), Metadata: in.Metadata(),
	}
	p.setAmount(in.Params, "amount", "amount_decimal")
	p.setScheme(in.Params, in.At("transform_usage"))
	p.setUsage(in.Params)
	p.setPlanFields(in.Params)
	h.prices.put(p)
	return p.plan(), nil
}

func (h plans) validate(p wire.Params) error {
	id := p.String("id")
	if _, taken := h.store.Prices.get(id); taken {
		return wire.Invalid("resource_already_exists", "", "Plan already exists.")
	}
	if !p.Has("product") {
		return wire.MissingParam("product")
	}
	if err := checkTrialDays(p); err != nil {
		return err
	}
	if err := h.checkProduct(p); err != nil {
		return err
	}
	if err := checkAmount(p, "amount", "transform_usage"); err != nil {
		return err
	}
	if err := h.prices.checkUsage(p); err != nil {
		return err
	}
	return checkInterval(p)
}

// checkProduct checks the product of a plan: an id, or the fields of a new one.
func (h plans) checkProduct(p wire.Params) error {
	data := p.At("product")
	if !p.Has("product") {
		return nil
	}
	if !data.IsScalar() {
		return h.products.checkID(data)
	}
	if product, ok := h.store.Products.get(p.String("product")); !ok || product.Deleted {
		return wire.NoSuch("product", p.String("product"), "product")
	}
	return nil
}

func checkTrialDays(p wire.Params) error {
	if days := p.Int("trial_period_days"); days < 0 || days > 730 {
		return wire.Invalid("parameter_invalid_integer", "trial_period_days", "Invalid trial_period_days: it must be from 0 to 730.")
	}
	return nil
}

// fromParams returns the plan that the parameter plan names. The error names plan without the
// list it is in (recorded by pay-rails/pay).
func (h plans) fromParams(p wire.Params) (*Price, error) {
	price, ok := h.store.Prices.get(p.String("plan"))
	switch {
	case !ok || price.Deleted:
		return nil, wire.NoSuch("plan", p.String("plan"), "plan")
	case !price.Active:
		return nil, wire.Invalid("", p.Name("plan"), "The plan specified is inactive. This field only accepts active plans.")
	}
	return price, nil
}

func (p *Price) setPlanFields(from wire.Params) {
	from.SetBool("active", &p.Active)
	from.SetString("nickname", &p.Nickname)
	from.SetInt("trial_period_days", &p.TrialPeriodDays)
	from.SetMetadata(&p.Metadata)
}

func (h plans) find(in *input) (*Price, error) {
	p, ok := h.store.Prices.get(in.pathValue("id"))
	if !ok || p.Deleted || p.Interval == "" {
		return nil, wire.NotFound("plan", in.pathValue("id"), "plan")
	}
	return p, nil
}

func (h plans) get(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return p.plan(), nil
}

func (h plans) update(in *input) (any, error) {
	p, err := h.find(in)
	if err == nil {
		err = checkTrialDays(in.Params)
	}
	if err == nil {
		err = h.checkProduct(in.Params)
	}
	if err != nil {
		return nil, err
	}
	plan, price := p.plan(), h.prices.render(p)
	h.store.Prices.change(p, func() {
		p.setPlanFields(in.Params)
		in.SetString("product", &p.Product)
	})
	h.emitUpdate("plan.updated", plan, p.plan())
	h.emitUpdate("price.updated", price, h.prices.render(p))
	return p.plan(), nil
}

// delete makes a plan unavailable to new subscriptions. Existing ones keep it (API reference:
// delete a plan).
func (h plans) delete(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	plan, price := p.plan(), h.prices.render(p)
	p.Deleted, p.Active = true, false
	h.emit("plan.deleted", plan)
	h.emit("price.deleted", price)
	return wire.Object{"id": p.ID, "object": "plan", "deleted": true}, nil
}

func (h plans) list(in *input) (any, error) {
	rows, err := h.prices.ofProduct(in)
	if err != nil {
		return nil, err
	}
	return listing[*Price]{
		resource: "plan", table: h.store.Prices, rows: rows,
		filter: func(p *Price) bool {
			return p.Interval != "" && !p.Deleted && (!in.Has("active") || p.Active == in.Bool("active"))
		},
		render: (*Price).plan,
	}.page(in)
}

// renderPlan renders the price as the legacy plan object of subscription items and invoice lines.
func (p *Price) renderPlan() any {
	if p.Interval == "" {
		return nil
	}
	return p.plan()
}

func (p *Price) plan() wire.Object {
	o := wire.Object{
		"id": p.ID, "object": "plan", "active": p.Active, "aggregate_usage": wire.StringOrNull(p.AggregateUsage), "amount": p.unitAmount(),
		"amount_decimal": p.unitAmountDecimal(), "created": p.Created, "currency": p.Currency,
		"interval": p.Interval, "interval_count": p.IntervalCount, "livemode": false, "metadata": p.Metadata,
		"meter": wire.StringOrNull(p.Meter), "nickname": wire.StringOrNull(p.Nickname), "product": wire.Ref("product", p.Product),
		"trial_period_days": wire.IntOrNull(p.TrialPeriodDays), "usage_type": p.usageType(),
	}
	p.renderScheme(o, "transform_usage")
	return o
}
