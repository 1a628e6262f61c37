package stripelocal

import (
	"regexp"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// TaxID is a tax ID of a customer.
type TaxID struct {
	Base
	Customer string
	Type     string // such as eu_vat or us_ein
	Country  string
	Value    string
}

const taxIDTypes = "type:eu_vat|us_ein|gb_vat|ch_vat|au_abn|in_gst|no_vat|ca_gst_hst|jp_cn! value!"

// taxIDs serves /v1/customers/{id}/tax_ids.
type taxIDs struct{ *request }

func taxIDResource() resource {
	return resource{
		objectType: "tax_id",
		render: renderFrom(func(s *store) *table[*TaxID] { return s.TaxIDs },
			func(_ *request, x *TaxID) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/customers/{id}/tax_ids", taxIDTypes, taxIDs.create),
			on("GET /v1/customers/{id}/tax_ids", "limit:int starting_after ending_before", taxIDs.list),
			on("GET /v1/customers/{id}/tax_ids/{tax}", "", taxIDs.get),
			on("DELETE /v1/customers/{id}/tax_ids/{tax}", "", taxIDs.delete),
			on("POST /v1/tax_ids", taxIDTypes+" "+taxIDOwner, taxIDs.createForOwner),
			on("GET /v1/tax_ids", pageParams+taxIDOwner, taxIDs.listForOwner),
			on("GET /v1/tax_ids/{id}", "", taxIDs.getByID),
			on("DELETE /v1/tax_ids/{id}", "", taxIDs.deleteByID),
		},
	}
}

var (
	europeanVAT = regexp.MustCompile(`^[A-Z]{2}[0-9A-Z+*]{2,12}$`)
	americanEIN = regexp.MustCompile(`^[0-9]{2}-?[0-9]{7}$`)
)

// taxIDType returns eu_vat or us_ein, the types that hosted pages accept, or "".
func taxIDType(value string) string {
	switch value = strings.ToUpper(strings.ReplaceAll(value, " ", "")); {
	case americanEIN.MatchString(value):
		return "us_ein"
	case europeanVAT.MatchString(value) && strings.ContainsAny(value, "0123456789"):
		return "eu_vat"
	}
	return ""
}

func (h taxIDs) create(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	if c.Deleted {
		return nil, wire.NotFound("customer", c.ID, "id")
	}
	if err := checkTaxID(in.Params); err != nil {
		return nil, err
	}
	return h.insert(c, in.String("type"), in.String("value")).render(), nil
}

func checkTaxID(p wire.Params) error {
	kind := p.String("type")
	if (kind == "eu_vat" || kind == "us_ein") && taxIDType(p.String("value")) != kind {
		return wire.Invalid("tax_id_invalid", p.Name("value"), "Invalid value for "+kind+".")
	}
	return nil
}

// insert stores a tax ID of a customer, or of the account if c is nil, which sends no event (the
// event is named customer.tax_id.created).
func (h taxIDs) insert(c *Customer, kind, value string) *TaxID {
	x := &TaxID{Base: Base{ID: h.ids.longID("txi_1"), Created: h.timeFor(c)}, Type: kind, Value: value}
	if c != nil {
		x.Customer = c.ID
	}
	x.Country = map[string]string{
		"us_ein": "US", "gb_vat": "GB", "ch_vat": "CH", "au_abn": "AU", "in_gst": "IN", "no_vat": "NO", "ca_gst_hst": "CA", "jp_cn": "JP",
	}[kind]
	if kind == "eu_vat" && len(value) > 2 {
		x.Country = strings.ToUpper(value[:2])
	}
	h.store.TaxIDs.insert(x)
	if c != nil {
		h.emit("customer.tax_id.created", x.render())
	}
	return x
}

func (h taxIDs) has(c *Customer, value string) bool {
	return slices.ContainsFunc(h.store.TaxIDs.by("customer", c.ID), func(x *TaxID) bool { return x.Value == value })
}

// setOnly makes this the customer's only tax ID; "" removes all.
func (h taxIDs) setOnly(c *Customer, value string) {
	for _, old := range append([]*TaxID{}, h.store.TaxIDs.by("customer", c.ID)...) {
		if old.Value == value {
			return
		}
		h.remove(old)
	}
	if kind := taxIDType(value); kind != "" {
		h.insert(c, kind, value)
	}
}

func (h taxIDs) remove(x *TaxID) {
	h.store.TaxIDs.remove(x.ID)
	if x.Customer != "" {
		h.emit("customer.tax_id.deleted", x.render())
	}
}

func (h taxIDs) find(in *input) (*TaxID, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	x, ok := h.store.TaxIDs.get(in.pathValue("tax"))
	if !ok || x.Customer != c.ID {
		return nil, wire.NotFound("tax_id", in.pathValue("tax"), "id")
	}
	return x, nil
}

func (h taxIDs) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h taxIDs) delete(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	h.remove(x)
	return wire.Object{"id": x.ID, "object": "tax_id", "deleted": true}, nil
}

func (h taxIDs) list(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	return listing[*TaxID]{
		resource: "tax_id", table: h.store.TaxIDs, rows: h.store.TaxIDs.by("customer", c.ID), render: (*TaxID).render,
	}.page(in)
}

func (h taxIDs) renderForCustomer(c *Customer) wire.Object {
	data := []any{}
	for _, x := range h.store.TaxIDs.by("customer", c.ID) {
		data = append(data, x.render())
	}
	return wire.List("/v1/customers/"+c.ID+"/tax_ids", data, false)
}

func (x *TaxID) render() wire.Object {
	return wire.Object{
		"id": x.ID, "object": "tax_id", "country": wire.StringOrNull(x.Country), "created": x.Created,
		"customer": wire.Ref("customer", x.Customer), "livemode": false, "type": x.Type, "value": x.Value,
		"owner":        x.renderOwner(),
		"verification": wire.Object{"status": "unavailable", "verified_address": nil, "verified_name": nil},
	}
}
