package stripelocal

import (
	"math/big"
	"strings"

	"usher/stripelocal/wire"
)

// TaxRate is a tax rate (docs: https://docs.stripe.com/billing/taxes/tax-rates). Stripe Tax makes
// rates of its own; see automaticRate.
type TaxRate struct {
	Base
	Inactive     bool
	Country      string
	Description  string
	DisplayName  string
	Inclusive    bool
	Jurisdiction string
	Metadata     map[string]string
	Percentage   string // decimal
	State        string
	TaxType      string
	Automatic    bool // of Stripe Tax, see [taxes.automaticRate]
}

const taxTypes = "tax_type:amusement_tax|communications_tax|gst|hst|igst|jct|lease_tax|pst|qst|rst|sales_tax|vat "

// taxRates serves /v1/tax_rates.
type taxRates struct{ *request }

func taxRateResource() resource {
	return resource{
		objectType: "tax_rate",
		render:     func(r *request, id string) (wire.Object, bool) { return r.taxRates.renderByID(id) },
		routes: []route{
			on("POST /v1/tax_rates", "active:bool country description display_name:50! inclusive:bool! jurisdiction:50 metadata:map percentage:decimal! state:2 "+taxTypes, taxRates.create),
			on("GET /v1/tax_rates", listParams+"active:bool inclusive:bool", taxRates.list),
			on("GET /v1/tax_rates/{id}", "", taxRates.get),
			on("POST /v1/tax_rates/{id}", "active:bool country description display_name:50 jurisdiction:50 metadata:map? state:2 "+taxTypes, taxRates.update),
		},
	}
}

func (h taxRates) create(in *input) (any, error) {
	percent, ok := new(big.Rat).SetString(in.String("percentage"))
	if !ok || percent.Sign() < 0 || percent.Cmp(big.NewRat(100, 1)) > 0 {
		return nil, wire.Invalid("", "percentage", "Invalid percentage: it must be from 0 to 100.")
	}
	x := &TaxRate{
		Base: Base{ID: h.ids.longID("txr_1"), Created: h.now}, Percentage: in.String("percentage"), Inclusive: in.Bool("inclusive"), Metadata: in.Metadata(),
	}
	x.setFields(in.Params)
	h.store.TaxRates.insert(x)
	h.emit("tax_rate.created", x.render())
	return x.render(), nil
}

func (x *TaxRate) setFields(p wire.Params) {
	x.Inactive = !p.BoolOr("active", !x.Inactive)
	p.SetString("country", &x.Country)
	p.SetString("description", &x.Description)
	p.SetString("display_name", &x.DisplayName)
	p.SetString("jurisdiction", &x.Jurisdiction)
	p.SetString("state", &x.State)
	p.SetString("tax_type", &x.TaxType)
}

func (h taxRates) find(in *input) (*TaxRate, error) {
	x, ok := h.store.TaxRates.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("tax rate", in.pathValue("id"), "tax_rate")
	}
	return x, nil
}

func (h taxRates) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

// update changes what a rate is called. Its percentage is fixed (docs).
func (h taxRates) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	before := x.render()
	x.setFields(in.Params)
	in.SetMetadata(&x.Metadata)
	h.emitUpdate("tax_rate.updated", before, x.render())
	return x.render(), nil
}

func (h taxRates) list(in *input) (any, error) {
	return listing[*TaxRate]{
		resource: "tax rate", table: h.store.TaxRates, rows: h.store.TaxRates.all,
		filter: func(x *TaxRate) bool {
			return (!in.Has("active") || x.Inactive != in.Bool("active")) && (!in.Has("inclusive") || x.Inclusive == in.Bool("inclusive"))
		},
		render: (*TaxRate).render,
	}.page(in)
}

// fromParams reads a list of tax rates. An inactive one, or one with the opposite tax_behavior of a
// price, is refused (docs; the wording is inferred).
func (h taxRates) fromParams(p wire.Params, name string, prices ...*Price) ([]string, error) {
	ids := p.Strings(name)
	for _, id := range ids {
		x, ok := h.store.TaxRates.get(id)
		if !ok {
			return nil, wire.NoSuch("tax rate", id, p.Name(name))
		}
		if x.Inactive {
			return nil, wire.Invalid("", p.Name(name), "The tax rate "+id+" is not active.")
		}
		for _, price := range prices {
			if price.TaxBehavior == "exclusive" && x.Inclusive || price.TaxBehavior == "inclusive" && !x.Inclusive {
				return nil, wire.Invalid("", p.Name(name), "The tax rate "+id+" cannot be applied to the price "+price.ID+", whose `tax_behavior` is `"+price.TaxBehavior+"`.")
			}
		}
	}
	return ids, nil
}

func (h taxRates) renderByID(id string) (wire.Object, bool) {
	if x, ok := h.store.TaxRates.get(id); ok {
		return x.render(), true
	}
	if x, ok := automaticRateByID(id); ok {
		return x.render(), true
	}
	return nil, false
}

func (h taxRates) renderAll(ids []string) []any {
	out := []any{}
	for _, id := range ids {
		if o, ok := h.renderByID(id); ok {
			out = append(out, o)
		}
	}
	return out
}

func (x *TaxRate) percent() *big.Rat {
	percent, ok := new(big.Rat).SetString(x.Percentage)
	if !ok {
		return new(big.Rat)
	}
	return percent
}

// label is the rate's name on pages and documents.
func (x *TaxRate) label() string {
	label := x.DisplayName + " " + strings.TrimSuffix(strings.TrimRight(x.percent().FloatString(3), "0"), ".") + "%"
	if x.Inclusive {
		label += " included"
	}
	return label
}

func (x *TaxRate) render() wire.Object {
	percent, _ := x.percent().Float64()
	o := wire.Object{
		"id": x.ID, "object": "tax_rate", "active": !x.Inactive, "country": wire.StringOrNull(x.Country), "created": x.Created,
		"description": wire.StringOrNull(x.Description), "display_name": x.DisplayName, "effective_percentage": nil, "inclusive": x.Inclusive,
		"jurisdiction": wire.StringOrNull(x.Jurisdiction), "jurisdiction_level": nil, "livemode": false, "metadata": x.Metadata,
		"percentage": percent, "state": wire.StringOrNull(x.State), "tax_type": wire.StringOrNull(x.TaxType),
	}
	if x.Automatic {
		o["effective_percentage"], o["jurisdiction_level"] = percent, "country"
	}
	return o
}
