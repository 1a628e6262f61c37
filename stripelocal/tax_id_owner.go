package stripelocal

import "usher/stripelocal/wire"

// taxIDOwner names whose tax ID it is at /v1/tax_ids: the account's own by default (API reference:
// tax IDs). There are neither connected accounts nor applications here.
const taxIDOwner = "owner{type:customer|self! customer} "

// owner is the customer that the parameters name, or nil for the account.
func (h taxIDs) owner(p wire.Params) (*Customer, error) {
	owner := p.At("owner")
	switch {
	case owner.String("type") != "customer" && owner.Has("customer"):
		return nil, wire.Invalid("", owner.Name("customer"), "You may only pass `owner[customer]` if `owner[type]` is `customer`.")
	case owner.String("type") != "customer":
		return nil, nil
	case !owner.Has("customer"):
		return nil, wire.MissingParam(owner.Name("customer"))
	}
	return h.customers.fromParam(owner, "customer")
}

func (h taxIDs) createForOwner(in *input) (any, error) {
	c, err := h.owner(in.Params)
	if err == nil {
		err = checkTaxID(in.Params)
	}
	if err != nil {
		return nil, err
	}
	return h.insert(c, in.String("type"), in.String("value")).render(), nil
}

func (h taxIDs) listForOwner(in *input) (any, error) {
	c, err := h.owner(in.Params)
	if err != nil {
		return nil, err
	}
	owner := ""
	if c != nil {
		owner = c.ID
	}
	return listing[*TaxID]{
		resource: "tax_id", table: h.store.TaxIDs, rows: h.store.TaxIDs.all,
		filter: func(x *TaxID) bool { return x.Customer == owner }, render: (*TaxID).render,
	}.page(in)
}

func (h taxIDs) findByID(in *input) (*TaxID, error) {
	x, ok := h.store.TaxIDs.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("tax_id", in.pathValue("id"), "id")
	}
	return x, nil
}

func (h taxIDs) getByID(in *input) (any, error) {
	x, err := h.findByID(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h taxIDs) deleteByID(in *input) (any, error) {
	x, err := h.findByID(in)
	if err != nil {
		return nil, err
	}
	h.remove(x)
	return wire.Object{"id": x.ID, "object": "tax_id", "deleted": true}, nil
}

func (x *TaxID) renderOwner() wire.Object {
	if x.Customer == "" {
		return wire.Object{"type": "self"}
	}
	return wire.Object{"type": "customer", "customer": wire.Ref("customer", x.Customer)}
}
