package stripelocal

import "usher/stripelocal/wire"

// countrySpecs serves /v1/country_specs. It knows the account's own country, the United States,
// with the values of Stripe's published example (API reference: country specs), which shortens the
// currencies of payments: here they are all that a price may have.
type countrySpecs struct{ *request }

const countrySpecID = "US"

func countrySpecResource() resource {
	return resource{
		objectType: "country_spec",
		render: func(_ *request, id string) (wire.Object, bool) {
			return renderCountrySpec(), id == countrySpecID
		},
		routes: []route{
			on("GET /v1/country_specs", pageParams, countrySpecs.list),
			on("GET /v1/country_specs/{country}", "", countrySpecs.get),
		},
	}
}

func (h countrySpecs) list(in *input) (any, error) {
	return pageOf(wire.List(in.url, []any{renderCountrySpec()}, false), in)
}

func (h countrySpecs) get(in *input) (any, error) {
	if in.pathValue("country") != countrySpecID {
		return nil, wire.NotFound("country spec", in.pathValue("country"), "country")
	}
	return renderCountrySpec(), nil
}

func renderCountrySpec() wire.Object {
	return wire.Object{
		"id": countrySpecID, "object": "country_spec", "default_currency": "usd",
		"supported_bank_account_currencies": wire.Object{"usd": []string{"US"}},
		"supported_payment_currencies":      wire.Currencies(),
		"supported_payment_methods":         []string{"ach", "card", "stripe"},
		"supported_transfer_countries":      transferCountries(),
		"verification_fields": wire.Object{
			"company":    wire.Object{"additional": []any{}, "minimum": companyFields()},
			"individual": wire.Object{"additional": []any{}, "minimum": individualFields()},
		},
	}
}

func transferCountries() []string {
	return []string{
		"US", "AE", "AG", "AL", "AM", "AR", "AT", "AU", "BA", "BE", "BG", "BH", "BO", "CA", "CH", "CI", "CL", "CO", "CR", "CY", "CZ", "DE", "DK", "DO",
		"EC", "EE", "EG", "ES", "ET", "FI", "FR", "GB", "GH", "GM", "GR", "GT", "GY", "HK", "HR", "HU", "ID", "IE", "IL", "IS", "IT", "JM", "JO", "JP",
		"KE", "KH", "KR", "KW", "LC", "LI", "LK", "LT", "LU", "LV", "MA", "MD", "MG", "MK", "MN", "MO", "MT", "MU", "MX", "MY", "NA", "NG", "NL", "NO",
		"NZ", "OM", "PA", "PE", "PH", "PL", "PT", "PY", "QA", "RO", "RS", "RW", "SA", "SE", "SG", "SI", "SK", "SN", "SV", "TH", "TN", "TR", "TT", "TZ",
		"UY", "UZ", "VN", "ZA", "BD", "BJ", "MC", "NE", "SM", "AZ", "BN", "BT", "AO", "DZ", "TW", "BS", "BW", "GA", "LA", "MZ", "KZ", "PK",
	}
}

func companyFields() []string {
	return []string{
		"business_profile.mcc", "business_profile.url", "business_type", "company.address.city", "company.address.line1",
		"company.address.postal_code", "company.address.state", "company.name", "company.owners_provided", "company.phone",
		"company.tax_id", "external_account", "owners.address.city", "owners.address.line1", "owners.address.postal_code",
		"owners.address.state", "owners.dob.day", "owners.dob.month", "owners.dob.year", "owners.email", "owners.first_name",
		"owners.id_number", "owners.last_name", "owners.phone", "owners.ssn_last_4", "owners.verification.document",
		"representative.address.city", "representative.address.line1", "representative.address.postal_code",
		"representative.address.state", "representative.dob.day", "representative.dob.month", "representative.dob.year",
		"representative.email", "representative.first_name", "representative.id_number", "representative.last_name",
		"representative.phone", "representative.relationship.executive", "representative.relationship.title",
		"representative.ssn_last_4", "representative.verification.document", "tos_acceptance.date", "tos_acceptance.ip",
	}
}

func individualFields() []string {
	return []string{
		"business_profile.mcc", "business_profile.url", "business_type", "external_account", "individual.address.city",
		"individual.address.line1", "individual.address.postal_code", "individual.address.state", "individual.dob.day",
		"individual.dob.month", "individual.dob.year", "individual.email", "individual.first_name", "individual.id_number",
		"individual.last_name", "individual.phone", "individual.ssn_last_4", "individual.verification.document",
		"tos_acceptance.date", "tos_acceptance.ip",
	}
}
