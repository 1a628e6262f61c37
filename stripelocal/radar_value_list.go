package stripelocal

import (
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// RadarValueList is a list of values for rules of Radar (docs: Radar lists). Nothing here evaluates
// rules.
type RadarValueList struct {
	Base
	Alias    string
	ItemType string
	Metadata map[string]string
	Name     string
}

// RadarValueListItem is one value.
type RadarValueListItem struct {
	Base
	Value string
	List  string
}

// radarLists serves /v1/radar/value_lists and /v1/radar/value_list_items.
type radarLists struct{ *request }

func radarValueListResource() resource {
	return resource{
		objectType: "radar.value_list",
		render: renderFrom(func(s *store) *table[*RadarValueList] { return s.RadarValueLists },
			bind(radarLists.render)),
		routes: []route{
			on("POST /v1/radar/value_lists", "alias:100! name:100! metadata:map item_type:card_bin|card_fingerprint|case_sensitive_string|country|customer_id|email|ip_address|sepa_debit_fingerprint|string|us_bank_account_fingerprint", radarLists.create),
			on("GET /v1/radar/value_lists", listParams+"alias:100 contains:800", radarLists.list),
			on("GET /v1/radar/value_lists/{id}", "", radarLists.get),
			on("POST /v1/radar/value_lists/{id}", "alias:100 name:100 metadata:map", radarLists.update),
			on("DELETE /v1/radar/value_lists/{id}", "", radarLists.delete),
		},
	}
}

func (h radarLists) create(in *input) (any, error) {
	if err := h.checkAlias(in.String("alias"), ""); err != nil {
		return nil, err
	}
	x := &RadarValueList{
		Base: Base{ID: h.ids.longID("rsl_1"), Created: h.now}, Alias: in.String("alias"), ItemType: in.StringOr("item_type", "string"),
		Metadata: in.Metadata(), Name: in.String("name"),
	}
	h.store.RadarValueLists.insert(x)
	return h.render(x), nil
}

// checkAlias rejects the alias of another list, by which rules name it (the wording is inferred).
func (h radarLists) checkAlias(alias, own string) error {
	for _, other := range h.store.RadarValueLists.all {
		if other.Alias == alias && other.ID != own {
			return wire.Invalid("resource_already_exists", "alias", "The value list "+other.ID+" already has the alias `"+alias+"`.")
		}
	}
	return nil
}

func (h radarLists) find(in *input) (*RadarValueList, error) {
	x, ok := h.store.RadarValueLists.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("value list", in.pathValue("id"), "value_list")
	}
	return x, nil
}

func (h radarLists) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h radarLists) update(in *input) (any, error) {
	x, err := h.find(in)
	if err == nil {
		err = h.checkAlias(in.StringOr("alias", x.Alias), x.ID)
	}
	if err != nil {
		return nil, err
	}
	in.SetString("alias", &x.Alias)
	in.SetString("name", &x.Name)
	in.SetMetadata(&x.Metadata)
	return h.render(x), nil
}

// delete removes a list with its items.
func (h radarLists) delete(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Clone(h.store.RadarValueListItems.by("list", x.ID)) {
		h.store.RadarValueListItems.remove(i.ID)
	}
	h.store.RadarValueLists.remove(x.ID)
	return wire.Object{"id": x.ID, "object": "radar.value_list", "deleted": true}, nil
}

func (h radarLists) list(in *input) (any, error) {
	return listing[*RadarValueList]{
		resource: "value list", table: h.store.RadarValueLists, rows: h.store.RadarValueLists.all,
		filter: func(x *RadarValueList) bool {
			return (!in.Has("alias") || x.Alias == in.String("alias")) && (!in.Has("contains") || h.holds(x, in.String("contains")))
		},
		render: h.render,
	}.page(in)
}

// normalize is the form in which a list compares values: in lower case, unless case matters.
func (x *RadarValueList) normalize(value string) string {
	if x.ItemType == "case_sensitive_string" || x.ItemType == "customer_id" {
		return value
	}
	return strings.ToLower(value)
}

func (h radarLists) holds(x *RadarValueList, value string) bool {
	return slices.ContainsFunc(h.store.RadarValueListItems.by("list", x.ID), func(i *RadarValueListItem) bool { return i.Value == x.normalize(value) })
}

func (h radarLists) render(x *RadarValueList) wire.Object {
	rows := h.store.RadarValueListItems.by("list", x.ID)
	data := []any{}
	for _, i := range slices.Backward(rows) {
		if len(data) == summaryLimit {
			break
		}
		data = append(data, h.renderItem(i))
	}
	return wire.Object{
		"id": x.ID, "object": "radar.value_list", "alias": x.Alias, "created": x.Created, "created_by": "API", "item_type": x.ItemType, "livemode": false,
		"list_items": wire.List("/v1/radar/value_list_items?value_list="+x.ID, data, len(rows) > summaryLimit), "metadata": x.Metadata, "name": x.Name,
	}
}
