package stripelocal

const (
	// inlineRecurring and inlinePrice are the parameters of a price made in passing, as part of another call.
	inlineRecurring = "price_data{currency! product! recurring{interval:day|week|month|year! interval_count:int}! " +
		"tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal} "
	inlinePrice = "price_data{currency! product product_data{name! description images[] metadata:map tax_code} recurring{interval:day|week|month|year! interval_count:int} " +
		"tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal} "
)

// fromParams is the price that a set of parameters names, or that its price_data makes: that one is inactive, so that nothing else
// can use it. Where the call is refused afterwards the price stays.
func (h prices) fromParams(p params) (*Price, error) {
	data := p.at("price_data")
	switch {
	case p.has("price") && p.has("price_data"):
		return nil, invalid("", p.name("price"), "You may only specify one of these parameters: price, price_data.")
	case !p.has("price") && !p.has("price_data"):
		return nil, missing(p.name("price"))
	case p.has("price_data"):
		return h.createInline(data)
	}
	price, ok := h.state.Prices.get(p.str("price"))
	if !ok {
		return nil, noSuch("price", p.str("price"), p.name("price"))
	}
	if !price.Active {
		return nil, invalid("", p.name("price"), "The price specified is inactive. This field only accepts active prices.")
	}
	return price, nil
}

func (h prices) createInline(data params) (*Price, error) {
	if err := h.validateNew(data); err != nil {
		return nil, err
	}
	product := data.str("product")
	if data.has("product_data") {
		product = h.products.insert(h.ids.short("prod_"), data.at("product_data")).ID
	}
	return h.insert(product, data, false), nil
}

// recurringFromParams finds the active recurring price that a parameter names.
func (h prices) recurringFromParams(p params, param string) (*Price, error) {
	price, err := h.fromParams(p)
	switch {
	case err != nil:
		return nil, err
	case price.Interval == "":
		return nil, invalid("", p.name(param), "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
	}
	return price, nil
}
