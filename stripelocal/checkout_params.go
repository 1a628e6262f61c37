package stripelocal

import (
	"fmt"
	"net/url"
)

// validate holds a new session against Stripe's rules and finds what it
// names. The customer is nil where none is named.
func (h checkoutSessions) validate(in *input) (*Customer, []CheckoutLine, error) {
	if err := checkSessionMode(in); err != nil {
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

func checkSessionMode(in *input) error {
	mode := in.str("mode")
	switch {
	case mode == "":
		return missing("mode")
	case mode == "setup", in.str("ui_mode") == "embedded":
		return invalid("", "mode", "The local Stripe has neither Checkout in `setup` mode nor embedded Checkout.")
	case !in.has("success_url"):
		return missing("success_url")
	case mode != "subscription" && in.has("subscription_data"):
		return invalid("", "subscription_data", "You can not pass `subscription_data` in `"+mode+"` mode.")
	case mode != "payment" && in.has("payment_intent_data"):
		return invalid("", "payment_intent_data", "You can not pass `payment_intent_data` in `"+mode+"` mode.")
	case mode != "payment" && in.has("customer_creation"):
		return invalid("", "customer_creation", "`customer_creation` can only be used in `payment` mode.")
	case mode != "subscription" && in.has("payment_method_collection"):
		return invalid("", "payment_method_collection", "You can only set `payment_method_collection` if there are recurring prices.")
	case len(in.str("client_reference_id")) > 200:
		return invalid("parameter_invalid_string", "client_reference_id", "Invalid string: "+in.str("client_reference_id")[:20]+"...; must be at most 200 characters")
	}
	return checkURLs(in, "success_url", "cancel_url")
}

func checkURLs(in *input, names ...string) error {
	for _, name := range names {
		u, err := url.Parse(in.str(name))
		if in.has(name) && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return invalid("url_invalid", name, "Not a valid URL")
		}
	}
	return nil
}

func (h checkoutSessions) validateTimes(in *input) error {
	ends := in.num("expires_at")
	if in.has("expires_at") && (ends < h.now+30*60 || ends > h.now+checkoutLife+60) {
		return invalid("", "expires_at", "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.")
	}
	sub := in.at("subscription_data")
	switch {
	case sub.has("trial_period_days") && sub.has("trial_end"):
		return invalid("", "subscription_data", "You may only specify one of these parameters: trial_period_days, trial_end.")
	case sub.has("trial_period_days") && sub.num("trial_period_days") < 1:
		return invalid("", "subscription_data[trial_period_days]", "The minimum number of trial period days is 1.")
	case sub.has("trial_end") && sub.num("trial_end") < h.now+48*60*60:
		return invalid("", "subscription_data[trial_end]", "The `trial_end` date has to be at least 2 days in the future.")
	}
	return nil
}

func (h checkoutSessions) customerFromParams(in *input) (*Customer, error) {
	if in.has("customer") && in.has("customer_email") {
		return nil, invalid("", "customer_email", "You may only specify one of these parameters: customer, customer_email.")
	}
	if in.has("customer_email") && !looksLikeEmail(in.str("customer_email")) {
		return nil, invalid("email_invalid", "customer_email", "Invalid email address: "+in.str("customer_email"))
	}
	if !in.has("customer") {
		if in.has("customer_update") {
			return nil, invalid("", "customer_update", "`customer_update` can only be used with `customer`.")
		}
		return nil, nil
	}
	if err := checkCustomerUpdateFor(in); err != nil {
		return nil, err
	}
	return h.customers.fromParam(in.params, "customer")
}

// checkCustomerUpdateFor knows what needs leave to be written to an existing
// customer.
func checkCustomerUpdateFor(in *input) error {
	update := in.at("customer_update")
	if in.at("tax_id_collection").flag("enabled") && update.str("name") != "auto" {
		return invalid("", "customer_update", "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.")
	}
	if in.at("automatic_tax").flag("enabled") && update.str("address") != "auto" {
		return invalid("customer_tax_location_invalid", "customer_update", "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the Customer.")
	}
	return nil
}

func (h checkoutSessions) lineItemsFromParams(in *input) ([]CheckoutLine, error) {
	var lines []CheckoutLine
	var items []newItem
	for i, p := range in.list("line_items") {
		price, err := h.priceFromParams(in, p, i)
		if err != nil {
			return nil, err
		}
		if price.Interval != "" {
			items = append(items, newItem{price: price, quantity: p.num("quantity")})
		}
		line := CheckoutLine{ID: h.ids.long("li_1"), Price: price.ID, Quantity: p.num("quantity")}
		if err := line.takeAdjustable(p.at("adjustable_quantity")); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) == 0:
		return nil, missing("line_items")
	case in.str("mode") == "subscription" && len(items) == 0:
		return nil, invalid("", "line_items", "You must provide at least one recurring price in `subscription` mode when using prices.")
	}
	if err := h.checkSingleCurrency(lines); err != nil {
		return nil, err
	}
	return lines, checkItems(items)
}

// takeAdjustable reads the bounds within which a quantity may be changed
// (defaults of the API: 0, taken as 1 here, and 99).
func (l *CheckoutLine) takeAdjustable(p params) error {
	if l.Adjustable = p.flag("enabled"); !l.Adjustable {
		return nil
	}
	l.Minimum, l.Maximum = max(1, p.num("minimum")), p.numOr("maximum", 99)
	if l.Quantity < l.Minimum || l.Quantity > l.Maximum {
		return invalid("", p.name("minimum"), "The quantity must lie between the minimum and the maximum of `adjustable_quantity`.")
	}
	return nil
}

func (h checkoutSessions) priceFromParams(in *input, p params, i int) (*Price, error) {
	price, err := h.prices.fromParams(p)
	switch {
	case err != nil:
		return nil, err
	case in.str("mode") == "payment" && price.Interval != "":
		return nil, invalid("", "line_items", "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.")
	case !p.has("quantity"):
		return nil, invalid("", p.name("quantity"), fmt.Sprintf("Quantity is required. Add `quantity` to `line_items[%d]`", i))
	case p.num("quantity") < 1:
		return nil, invalid("parameter_invalid_integer", p.name("quantity"), "This value must be greater than or equal to 1.")
	}
	return price, nil
}

func (h checkoutSessions) checkSingleCurrency(lines []CheckoutLine) error {
	currency := ""
	for _, l := range lines {
		p, _ := h.state.Prices.get(l.Price)
		if currency != "" && p.Currency != currency {
			return invalid("", "line_items", "All line items must have the same currency.")
		}
		currency = p.Currency
	}
	return nil
}
