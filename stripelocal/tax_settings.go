package stripelocal

import "usher/stripelocal/wire"

// TaxSettings are the account's settings of Stripe Tax. Empty ones are the defaults.
type TaxSettings struct {
	TaxBehavior string // exclusive, inclusive or inferred_by_currency
	TaxCode     string
	HeadOffice  *Address
}

// taxSettingsResource serves /v1/tax/settings. The account has a head office, and Stripe Tax is
// active, unless [Server.SetWithoutStripeTax] says otherwise.
func taxSettingsResource() resource {
	return resource{objectType: "tax.settings", routes: []route{
		on("GET /v1/tax/settings", "", taxes.getSettings),
		on("POST /v1/tax/settings", "defaults{tax_behavior:exclusive|inclusive|inferred_by_currency tax_code} head_office{address{city country line1 line2 postal_code state}!}", taxes.updateSettings),
	}}
}

func (h taxes) getSettings(*input) (any, error) { return h.renderSettings(), nil }

// updateSettings changes the settings. A head office activates Stripe Tax.
func (h taxes) updateSettings(in *input) (any, error) {
	before := h.renderSettings()
	s := &h.store.TaxSettings
	in.At("defaults").SetString("tax_behavior", &s.TaxBehavior)
	in.At("defaults").SetString("tax_code", &s.TaxCode)
	if in.Has("head_office") {
		setAddress(in.At("head_office"), "address", &s.HeadOffice)
		h.store.WithoutStripeTax = false
	}
	h.emitUpdate("tax.settings.updated", before, h.renderSettings())
	return h.renderSettings(), nil
}

// defaultBehavior is the tax_behavior of amounts that have none. What is inferred by currency is
// inclusive, except for USD and CAD (docs: tax settings).
func (h taxes) defaultBehavior(currency string) string {
	switch {
	case h.store.TaxSettings.TaxBehavior == "inclusive":
		return "inclusive"
	case h.store.TaxSettings.TaxBehavior == "inferred_by_currency" && currency != "usd" && currency != "cad":
		return "inclusive"
	}
	return "exclusive"
}

func (h taxes) renderSettings() wire.Object {
	s := h.store.TaxSettings
	behavior, office := s.TaxBehavior, s.HeadOffice
	if behavior == "" {
		behavior = "exclusive"
	}
	if office == nil {
		office = &Address{Country: "US", Line1: "1 Main St", City: "New York", State: "NY", PostalCode: "10001"}
	}
	o := wire.Object{
		"object": "tax.settings", "defaults": wire.Object{"tax_behavior": behavior, "tax_code": wire.StringOrNull(s.TaxCode)}, "head_office": nil, "livemode": false,
		"status": "pending", "status_details": wire.Object{"pending": wire.Object{"missing_fields": []any{"head_office"}}},
	}
	if !h.store.WithoutStripeTax {
		o["status"], o["status_details"] = "active", wire.Object{"active": wire.Object{}}
		o["head_office"] = wire.Object{"address": office.render()}
	}
	return o
}
