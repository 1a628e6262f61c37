package stripelocal

import (
	"fmt"
	"net/url"

	"usher/stripelocal/wire"
)

// validate checks the parameters of a new session and resolves their references. The customer is
// nil if none is named.
func (h checkoutSessions) validate(in *input) (*Customer, []CheckoutLineItem, error) {
	if err := validateSessionMode(in); err != nil {
		return nil, nil, err
	}
	if err := h.validateOptions(in); err != nil {
		return nil, nil, err
	}
	if err := h.validateTimes(in); err != nil {
		return nil, nil, err
	}
	c, err := h.customerFromParams(in)
	if err != nil {
		return nil, nil, err
	}
	lines, err := h.lineItemsFromParams(in)
	return c, lines, err
}

func validateSessionMode(in *input) error {
	mode := in.String("mode")
	switch {
	case mode == "":
		return wire.MissingParam("mode")
	case mode == "setup":
		return wire.Invalid("", "mode", "The local Stripe has no Checkout in `setup` mode.")
	case mode != "subscription" && in.Has("subscription_data"):
		return wire.Invalid("", "subscription_data", "You can not pass `subscription_data` in `"+mode+"` mode.")
	case mode != "payment" && in.Has("payment_intent_data"):
		return wire.Invalid("", "payment_intent_data", "You can not pass `payment_intent_data` in `"+mode+"` mode.")
	case mode != "payment" && in.Has("customer_creation"):
		return wire.Invalid("", "customer_creation", "`customer_creation` can only be used in `payment` mode.")
	case mode != "subscription" && in.Has("payment_method_collection"):
		return wire.Invalid("", "payment_method_collection", "You can only set `payment_method_collection` if there are recurring prices.")
	case len(in.String("client_reference_id")) > 200:
		return wire.Invalid("parameter_invalid_string", "client_reference_id", "Invalid string: "+in.String("client_reference_id")[:20]+"...; must be at most 200 characters")
	}
	return validateReturn(in)
}

// validateReturn checks where a session leads: a hosted one has a success_url, an embedded one a
// return_url or none (docs: embedded Checkout; the wording is inferred).
func validateReturn(in *input) error {
	embedded, never := in.String("ui_mode") == "embedded", in.String("redirect_on_completion") == "never"
	for _, name := range []string{"success_url", "cancel_url"} {
		if embedded && in.Has(name) {
			return wire.Invalid("", name, "You can not pass `"+name+"` when `ui_mode` is `embedded`. Use `return_url` instead.")
		}
	}
	for _, name := range []string{"return_url", "redirect_on_completion"} {
		if !embedded && in.Has(name) {
			return wire.Invalid("", name, "`"+name+"` can only be used when `ui_mode` is `embedded`.")
		}
	}
	switch {
	case !embedded && !in.Has("success_url"):
		return wire.MissingParam("success_url")
	case embedded && !never && !in.Has("return_url"):
		return wire.MissingParam("return_url")
	case never && in.Has("return_url"):
		return wire.Invalid("", "return_url", "You can not pass `return_url` when `redirect_on_completion` is `never`.")
	}
	return validateURLs(in, "success_url", "cancel_url", "return_url")
}

func validateURLs(in *input, names ...string) error {
	for _, name := range names {
		u, err := url.Parse(in.String(name))
		if in.Has(name) && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return wire.Invalid("url_invalid", name, "Not a valid URL")
		}
	}
	return nil
}

func (h checkoutSessions) validateTimes(in *input) error {
	ends := in.Int("expires_at")
	if in.Has("expires_at") && (ends < h.now+30*60 || ends > h.now+checkoutSessionLifetime+60) {
		return wire.Invalid("", "expires_at", "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.")
	}
	sub := in.At("subscription_data")
	switch {
	case sub.Has("trial_period_days") && sub.Has("trial_end"):
		return wire.Invalid("", "subscription_data", "You may only specify one of these parameters: trial_period_days, trial_end.")
	case sub.Has("trial_period_days") && sub.Int("trial_period_days") < 1:
		return wire.Invalid("", "subscription_data[trial_period_days]", "The minimum number of trial period days is 1.")
	case sub.Has("trial_end") && sub.Int("trial_end") < h.now+48*60*60:
		return wire.Invalid("", "subscription_data[trial_end]", "The `trial_end` date has to be at least 2 days in the future.")
	}
	return nil
}

func (h checkoutSessions) customerFromParams(in *input) (*Customer, error) {
	if in.Has("customer") && in.Has("customer_email") {
		return nil, wire.Invalid("", "customer_email", "You may only specify one of these parameters: customer, customer_email.")
	}
	if in.Has("customer_email") && !looksLikeEmail(in.String("customer_email")) {
		return nil, wire.Invalid("email_invalid", "customer_email", "Invalid email address: "+in.String("customer_email"))
	}
	if !in.Has("customer") {
		if in.Has("customer_update") {
			return nil, wire.Invalid("", "customer_update", "`customer_update` can only be used with `customer`.")
		}
		return nil, nil
	}
	if err := validateCustomerUpdate(in); err != nil {
		return nil, err
	}
	return h.customers.fromParam(in.Params, "customer")
}

// validateCustomerUpdate requires customer_update for features that write to an existing customer.
func validateCustomerUpdate(in *input) error {
	update := in.At("customer_update")
	if in.At("tax_id_collection").Bool("enabled") && update.String("name") != "auto" {
		return wire.Invalid("", "customer_update", "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.")
	}
	if in.At("automatic_tax").Bool("enabled") && update.String("address") != "auto" {
		return wire.Invalid("customer_tax_location_invalid", "customer_update", "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the Customer.")
	}
	return nil
}

func (h checkoutSessions) lineItemsFromParams(in *input) ([]CheckoutLineItem, error) {
	var lines []CheckoutLineItem
	var items []newItem
	for i, p := range in.List("line_items") {
		price, err := h.priceFromParams(in, p, i)
		if err != nil {
			return nil, err
		}
		if err := price.checkSupports(in.String("currency"), "currency"); err != nil {
			return nil, err
		}
		price = price.in(in.String("currency"))
		if price.Interval != "" {
			items = append(items, newItem{price: price, quantity: p.Int("quantity")})
		}
		line := CheckoutLineItem{ID: h.ids.longID("li_1"), Price: price.ID, Quantity: p.Int("quantity")}
		if err := line.setAdjustable(p.At("adjustable_quantity")); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) == 0:
		return nil, wire.MissingParam("line_items")
	case in.String("mode") == "subscription" && len(items) == 0:
		return nil, wire.Invalid("", "line_items", "You must provide at least one recurring price in `subscription` mode when using prices.")
	}
	if err := h.checkSingleCurrency(lines, in.String("currency")); err != nil {
		return nil, err
	}
	return lines, checkItems(items)
}

// setAdjustable reads the bounds of an adjustable quantity. The API's defaults are 0, taken as 1
// here, and 99.
func (l *CheckoutLineItem) setAdjustable(p wire.Params) error {
	if l.Adjustable = p.Bool("enabled"); !l.Adjustable {
		return nil
	}
	l.Minimum, l.Maximum = max(1, p.Int("minimum")), p.IntOr("maximum", 99)
	if l.Quantity < l.Minimum || l.Quantity > l.Maximum {
		return wire.Invalid("", p.Name("minimum"), "The quantity must lie between the minimum and the maximum of `adjustable_quantity`.")
	}
	return nil
}

func (h checkoutSessions) priceFromParams(in *input, p wire.Params, i int) (*Price, error) {
	price, err := h.prices.fromParams(p)
	switch {
	case err != nil:
		return nil, err
	case in.String("mode") == "payment" && price.Interval != "":
		return nil, wire.Invalid("", "line_items", "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.")
	case price.Metered && p.Has("quantity"):
		return nil, wire.Invalid("", p.Name("quantity"), "Quantity should not be specified where usage_type is `metered`. Remove `quantity` from `"+fmt.Sprintf("line_items[%d]", i)+"`")
	case price.Metered:
		return price, nil
	case !p.Has("quantity"):
		return nil, wire.Invalid("", p.Name("quantity"), fmt.Sprintf("Quantity is required. Add `quantity` to `line_items[%d]`", i))
	case p.Int("quantity") < 1:
		return nil, wire.Invalid("parameter_invalid_integer", p.Name("quantity"), "This value must be greater than or equal to 1.")
	}
	return price, nil
}

func (h checkoutSessions) checkSingleCurrency(lines []CheckoutLineItem, requested string) error {
	currency := ""
	for _, l := range lines {
		p, _ := h.prices.inCurrency(l.Price, requested)
		if currency != "" && p.Currency != currency {
			return wire.Invalid("", "line_items", "All line items must have the same currency.")
		}
		currency = p.Currency
	}
	return nil
}
