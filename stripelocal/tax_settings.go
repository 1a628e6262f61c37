package stripelocal

import "usher/stripelocal/wire"

// taxSettingsResource serves GET /v1/tax/settings. The account has a head office, and Stripe Tax is
// active, unless [Server.SetWithoutStripeTax] says otherwise.
func taxSettingsResource() resource {
	return resource{objectType: "tax.settings", routes: []route{on("GET /v1/tax/settings", "", taxes.getSettings)}}
}

func (h taxes) getSettings(*input) (any, error) {
	o := wire.Object{
		"object": "tax.settings", "defaults": wire.Object{"tax_behavior": "exclusive", "tax_code": nil}, "head_office": nil, "livemode": false,
		"status": "pending", "status_details": wire.Object{"pending": wire.Object{"missing_fields": []any{"head_office"}}},
	}
	if !h.store.WithoutStripeTax {
		o["status"], o["status_details"] = "active", wire.Object{"active": wire.Object{}}
		o["head_office"] = wire.Object{"address": (&Address{Country: "US", Line1: "1 Main St", City: "New York", State: "NY", PostalCode: "10001"}).render()}
	}
	return o, nil
}
