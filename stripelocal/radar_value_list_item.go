package stripelocal

import "usher/stripelocal/wire"

func radarValueListItemResource() resource {
	return resource{
		objectType: "radar.value_list_item",
		render: renderFrom(func(s *store) *table[*RadarValueListItem] { return s.RadarValueListItems },
			bind(radarLists.renderItem)),
		routes: []route{
			on("POST /v1/radar/value_list_items", "value:800! value_list!", radarLists.createItem),
			on("GET /v1/radar/value_list_items", listParams+"value:800 value_list!", radarLists.listItems),
			on("GET /v1/radar/value_list_items/{id}", "", radarLists.getItem),
			on("DELETE /v1/radar/value_list_items/{id}", "", radarLists.deleteItem),
		},
	}
}

// ofParam returns the list that a parameter names.
func (h radarLists) ofParam(in *input) (*RadarValueList, error) {
	x, ok := h.store.RadarValueLists.get(in.String("value_list"))
	if !ok {
		return nil, wire.NoSuch("value list", in.String("value_list"), "value_list")
	}
	return x, nil
}

func (h radarLists) createItem(in *input) (any, error) {
	x, err := h.ofParam(in)
	if err != nil {
		return nil, err
	}
	if h.holds(x, in.String("value")) {
		return nil, wire.Invalid("resource_already_exists", "value", "The value list "+x.ID+" already has this value.")
	}
	i := &RadarValueListItem{Base: Base{ID: h.ids.longID("rsli_1"), Created: h.now}, Value: x.normalize(in.String("value")), List: x.ID}
	h.store.RadarValueListItems.insert(i)
	return h.renderItem(i), nil
}

func (h radarLists) findItem(in *input) (*RadarValueListItem, error) {
	i, ok := h.store.RadarValueListItems.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("value list item", in.pathValue("id"), "item")
	}
	return i, nil
}

func (h radarLists) getItem(in *input) (any, error) {
	i, err := h.findItem(in)
	if err != nil {
		return nil, err
	}
	return h.renderItem(i), nil
}

func (h radarLists) deleteItem(in *input) (any, error) {
	i, err := h.findItem(in)
	if err != nil {
		return nil, err
	}
	h.store.RadarValueListItems.remove(i.ID)
	return wire.Object{"id": i.ID, "object": "radar.value_list_item", "deleted": true}, nil
}

func (h radarLists) listItems(in *input) (any, error) {
	x, err := h.ofParam(in)
	if err != nil {
		return nil, err
	}
	return listing[*RadarValueListItem]{
		resource: "value list item", table: h.store.RadarValueListItems, rows: h.store.RadarValueListItems.by("list", x.ID),
		filter: func(i *RadarValueListItem) bool {
			return !in.Has("value") || i.Value == x.normalize(in.String("value"))
		},
		render: h.renderItem,
	}.page(in)
}

func (h radarLists) renderItem(i *RadarValueListItem) wire.Object {
	return wire.Object{
		"id": i.ID, "object": "radar.value_list_item", "created": i.Created, "created_by": "API", "livemode": false, "value": i.Value, "value_list": i.List,
	}
}
