package stripelocal

import (
	"net/http"
	"strings"

	"usher/stripelocal/wire"
)

// checkFilters rejects a list call that filters by an object that does not exist (recorded by
// onetimesecret for customers of invoices, charges of refunds and products of prices; inferred for
// the others).
func (r *request) checkFilters(c apiCall, in *input) error {
	if c.req.Method != http.MethodGet || c.schema.Fields["limit"] == nil || strings.HasSuffix(c.route.pattern, "/search") {
		return nil
	}
	for _, name := range in.Names() {
		id := in.String(name)
		if exists, known := r.exists(name, id); known && !exists {
			return wire.NoSuch(name, id, name)
		}
	}
	return nil
}

// exists reports whether there is an object with an id, and whether name is the name of a filter by
// an object.
func (r *request) exists(name, id string) (found, known bool) {
	known = true
	switch name {
	case "customer":
		_, found = r.store.Customers.get(id)
	case "subscription":
		_, found = r.store.Subscriptions.get(id)
	case "invoice":
		_, found = r.store.Invoices.get(id)
	case "price":
		_, found = r.store.Prices.get(id)
	case "product":
		_, found = r.store.Products.get(id)
	case "charge":
		_, found = r.store.Charges.get(id)
	case "payment_intent":
		_, found = r.store.PaymentIntents.get(id)
	case "coupon":
		_, found = r.store.Coupons.get(id)
	default:
		known = false
	}
	return found, known
}
