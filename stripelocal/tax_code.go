package stripelocal

import "usher/stripelocal/wire"

// taxCode is a kind of product. The local Stripe taxes all alike.
type taxCode struct{ id, name, description string }

// taxCodes are a few of Stripe's codes: those of software, services and goods (docs: product tax
// codes).
func taxCodes() []taxCode {
	return []taxCode{
		{"txcd_00000000", "Nontaxable", "Any nontaxable good or service."},
		{"txcd_10000000", "General - Electronically Supplied Services", "A digital service provided mainly through the internet."},
		{"txcd_10103000", "Software as a service (SaaS) - personal use", "Pre-written software that a person uses over the internet."},
		{"txcd_10103001", "Software as a service (SaaS) - business use", "Pre-written software that a business uses over the internet."},
		{"txcd_20030000", "General - Services", "Any service that has no code of its own."},
		{generalTaxCode, "General - Tangible Goods", "Any physical good that has no code of its own."},
	}
}

// taxCodeCalls serves /v1/tax_codes.
type taxCodeCalls struct{ *request }

func taxCodeResource() resource {
	return resource{
		objectType: "tax_code",
		render:     func(_ *request, id string) (wire.Object, bool) { return findTaxCode(id) },
		routes: []route{
			on("GET /v1/tax_codes", pageParams, taxCodeCalls.list),
			on("GET /v1/tax_codes/{id}", "", taxCodeCalls.get),
		},
	}
}

func findTaxCode(id string) (wire.Object, bool) {
	for _, c := range taxCodes() {
		if c.id == id {
			return c.render(), true
		}
	}
	return nil, false
}

func (h taxCodeCalls) get(in *input) (any, error) {
	o, ok := findTaxCode(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("tax code", in.pathValue("id"), "id")
	}
	return o, nil
}

func (h taxCodeCalls) list(in *input) (any, error) {
	data := []any{}
	for _, c := range taxCodes() {
		data = append(data, c.render())
	}
	return pageOf(wire.List(in.url, data, false), in)
}

func (c taxCode) render() wire.Object {
	return wire.Object{"id": c.id, "object": "tax_code", "description": c.description, "name": c.name}
}
