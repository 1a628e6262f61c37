package stripelocal

import (
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// automaticPercentages is the table of Stripe Tax here: the standard rate by country. The account
// is registered in these countries and in no others, unless the API says in which of
// them. Stripe knows the rate of every product and address (https://docs.stripe.com/tax); this is
// enough to tell tax from none.
var automaticPercentages = map[string]string{
	"AT": "20", "CH": "8.1", "DE": "19", "ES": "21", "FR": "20", "GB": "20", "IE": "23", "IS": "24", "IT": "22", "JP": "10", "NL": "21", "SE": "25",
}

// europeanUnion are the countries of the table in which a business with a VAT number owes the tax
// itself (https://docs.stripe.com/tax/zero-tax#reverse-charges).
var europeanUnion = map[string]bool{"AT": true, "DE": true, "ES": true, "FR": true, "IE": true, "IT": true, "NL": true, "SE": true}

// automaticRate is the rate of Stripe Tax for an address, and the reason of its tax; false if there
// is no tax. The account's own country is the US, so every sale in the European Union crosses a
// border.
func (h taxes) automaticRate(to *Address, business, inclusive bool) (TaxRate, string, bool) {
	if to == nil {
		return TaxRate{}, "", false
	}
	rate, ok := automaticRateByID(automaticRateID(to.Country, inclusive))
	if !ok || !h.taxRegistrations.isRegistered(to.Country) {
		return TaxRate{}, "", false
	}
	if europeanUnion[to.Country] && business {
		rate.Percentage = "0"
		return rate, "reverse_charge", true
	}
	return rate, "standard_rated", true
}

// hasVATNumber reports whether a customer has a European VAT number.
func (h taxes) hasVATNumber(customer string) bool {
	return slices.ContainsFunc(h.store.TaxIDs.by("customer", customer), func(x *TaxID) bool { return x.Type == "eu_vat" })
}

func automaticRateID(country string, inclusive bool) string {
	if inclusive {
		return "txr_auto" + country + "inc"
	}
	return "txr_auto" + country + "exc"
}

func automaticRateByID(id string) (TaxRate, bool) {
	if len(id) != len("txr_autoXXexc") || !strings.HasPrefix(id, "txr_auto") {
		return TaxRate{}, false
	}
	country, kind := id[8:10], id[10:]
	percentage, known := automaticPercentages[country]
	if !known {
		return TaxRate{}, false
	}
	name, taxType := "VAT", "vat"
	if country == "JP" {
		name, taxType = "JCT", "jct"
	}
	return TaxRate{
		Base: Base{ID: id}, Automatic: true, Country: country, DisplayName: name, Inclusive: kind == "inc", Metadata: map[string]string{},
		Percentage: percentage, TaxType: taxType,
	}, true
}

// checkAutomaticTax refuses automatic tax in an account without Stripe Tax. The wording is that of
// public reports (wasp-lang/open-saas issue 78, echoCTF.RED issue 1070); Stripe names no parameter
// there.
func (h taxes) checkAutomaticTax(p wire.Params) error {
	if p.At("automatic_tax").Bool("enabled") && h.store.WithoutStripeTax {
		return wire.Invalid("", "", "Stripe Tax has not been activated on your account. Please visit https://stripe.com/docs/tax/set-up to get started.")
	}
	return nil
}

func renderAutomaticTax(enabled bool) wire.Object {
	if !enabled {
		return wire.Object{"enabled": false, "liability": nil}
	}
	return wire.Object{"enabled": true, "liability": wire.Object{"type": "self"}}
}

// renderAutomaticTax renders the status complete also for a customer without an address, whom
// Stripe would refuse.
func (inv *Invoice) renderAutomaticTax() wire.Object {
	o := renderAutomaticTax(inv.AutomaticTax)
	o["status"] = nil
	if inv.AutomaticTax {
		o["status"] = "complete"
	}
	return o
}
