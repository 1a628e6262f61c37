package catalog

// CheckoutSettings say what Checkout asks for, for every plan and pack. The tags are the keys of
// the table [checkout] in a plan file. The zero value asks for a card and nothing else.
type CheckoutSettings struct {
	// PromotionCodes shows a field for a promotion code.
	PromotionCodes bool `toml:"promotion_codes"`
	// TaxIDs asks businesses for their name and tax id.
	TaxIDs bool `toml:"tax_ids"`
	// AutomaticTax lets Stripe Tax calculate the tax from the customer's address.
	AutomaticTax bool `toml:"automatic_tax"`
	// TaxRates are ids of tax rates, txr_…, that every invoice has. Stripe takes either them or
	// automatic tax (https://docs.stripe.com/billing/taxes/tax-rates).
	TaxRates []string `toml:"tax_rates"`
	// BillingAddress is auto or required; empty: Stripe's default, auto.
	BillingAddress string `toml:"billing_address" oneof:"auto required"`
	// Terms asks for consent to the terms of service. Stripe needs their URL in the account's
	// public details.
	Terms bool `toml:"terms"`
	// SavedCards offers the cards that the customer has saved.
	SavedCards bool `toml:"saved_cards"`
}

// checkout parses the table [checkout].
func (p *planFile) checkout(values map[string]any) CheckoutSettings {
	var settings CheckoutSettings
	p.table("checkout", values, &settings)
	if settings.AutomaticTax && len(settings.TaxRates) > 0 {
		p.wrong("checkout", "automatic_tax and tax_rates are both given: Stripe takes one of them, take the other out")
	}
	for _, id := range settings.TaxRates {
		if len(id) < 5 || id[:4] != "txr_" {
			p.wrong("checkout", "tax_rates holds %q, which is no id of a tax rate: txr_…", id)
		}
	}
	return settings
}
