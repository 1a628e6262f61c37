package stripelocal

import "usher/stripelocal/wire"

const (
	// inlineRecurring and inlinePrice are the price_data parameters of other calls.
	inlineRecurring = "price_data{currency:currency! product! recurring{interval:day|week|month|year! interval_count:int}! " +
		"tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal} "
	inlinePrice = "price_data{currency:currency! product product_data{name! description images[] metadata:map tax_code} recurring{interval:day|week|month|year! interval_count:int} " +
		"tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal} "
)

// fromParams returns the price that parameters name, or creates one from price_data. A created
// price is inactive and stays even if the call fails afterwards.
func (h prices) fromParams(p wire.Params) (*Price, error) {
	data := p.At("price_data")
	if p.Has("plan") && !p.Has("price") && !p.Has("price_data") {
		return h.plans.fromParams(p)
	}
	switch {
	case p.Has("plan"):
		return nil, wire.Invalid("", p.Name("plan"), "You may only specify one of these parameters: plan, price, price_data.")
	case p.Has("price") && p.Has("price_data"):
		return nil, wire.Invalid("", p.Name("price"), "You may only specify one of these parameters: price, price_data.")
	case !p.Has("price") && !p.Has("price_data"):
		return nil, wire.MissingParam(p.Name("price"))
	case p.Has("price_data"):
		return h.createInline(data)
	}
	price, ok := h.store.Prices.get(p.String("price"))
	if !ok || price.Deleted {
		return nil, wire.NoSuch("price", p.String("price"), p.Name("price"))
	}
	if !price.Active {
		return nil, wire.Invalid("", p.Name("price"), "The price specified is inactive. This field only accepts active prices.")
	}
	return price, nil
}

func (h prices) createInline(data wire.Params) (*Price, error) {
	if err := h.validateNew(data); err != nil {
		return nil, err
	}
	product := data.String("product")
	if data.Has("product_data") {
		product = h.products.insert(h.ids.shortID("prod_"), data.At("product_data")).ID
	}
	return h.insert(product, data, false), nil
}

// recurringFromParams is fromParams for recurring prices.
func (h prices) recurringFromParams(p wire.Params, param string) (*Price, error) {
	price, err := h.fromParams(p)
	switch {
	case err != nil:
		return nil, err
	case price.Interval == "":
		return nil, wire.Invalid("", p.Name(param), "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
	}
	return price, nil
}
