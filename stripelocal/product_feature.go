package stripelocal

import "usher/stripelocal/wire"

// ProductFeature attaches a feature to a product.
type ProductFeature struct {
	Base
	Feature string
	Product string
}

// productFeatures serves /v1/products/{product}/features.
type productFeatures struct{ *request }

func productFeatureResource() resource {
	return resource{
		objectType: "product_feature",
		render: renderFrom(func(s *store) *table[*ProductFeature] { return s.ProductFeatures },
			bind(productFeatures.render)),
		routes: []route{
			on("POST /v1/products/{product}/features", "entitlement_feature!", productFeatures.create),
			on("GET /v1/products/{product}/features", pageParams, productFeatures.list),
			on("GET /v1/products/{product}/features/{id}", "", productFeatures.get),
			on("DELETE /v1/products/{product}/features/{id}", "", productFeatures.delete),
		},
	}
}

// create attaches a feature. Subscriptions that exist get it with their next period; see
// [entitlements.refresh].
func (h productFeatures) create(in *input) (any, error) {
	product, err := h.product(in)
	if err != nil {
		return nil, err
	}
	f, ok := h.store.EntitlementFeatures.get(in.String("entitlement_feature"))
	switch {
	case !ok:
		return nil, wire.NoSuch("feature", in.String("entitlement_feature"), "entitlement_feature")
	case f.Archived:
		return nil, wire.Invalid("", "entitlement_feature", "The feature "+f.ID+" is archived and cannot be attached to a product.")
	}
	for _, other := range h.store.ProductFeatures.by("product", product.ID) {
		if other.Feature == f.ID {
			return nil, wire.Invalid("resource_already_exists", "entitlement_feature", "The feature "+f.ID+" is already attached to this product.")
		}
	}
	x := &ProductFeature{Base: Base{ID: h.ids.longID("prodft_1"), Created: h.now}, Feature: f.ID, Product: product.ID}
	h.store.ProductFeatures.insert(x)
	return h.render(x), nil
}

func (h productFeatures) product(in *input) (*Product, error) {
	p, ok := h.store.Products.get(in.pathValue("product"))
	if !ok || p.Deleted {
		return nil, wire.NotFound("product", in.pathValue("product"), "product")
	}
	return p, nil
}

func (h productFeatures) find(in *input) (*ProductFeature, error) {
	product, err := h.product(in)
	if err != nil {
		return nil, err
	}
	x, ok := h.store.ProductFeatures.get(in.pathValue("id"))
	if !ok || x.Product != product.ID {
		return nil, wire.NotFound("product feature", in.pathValue("id"), "id")
	}
	return x, nil
}

func (h productFeatures) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

// delete detaches a feature. Customers keep it until the next period of their subscription.
func (h productFeatures) delete(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	h.store.ProductFeatures.remove(x.ID)
	return wire.Object{"id": x.ID, "object": "product_feature", "deleted": true}, nil
}

func (h productFeatures) list(in *input) (any, error) {
	product, err := h.product(in)
	if err != nil {
		return nil, err
	}
	return listing[*ProductFeature]{
		resource: "product feature", table: h.store.ProductFeatures, rows: h.store.ProductFeatures.by("product", product.ID), render: h.render,
	}.page(in)
}

func (h productFeatures) render(x *ProductFeature) wire.Object {
	f, _ := h.store.EntitlementFeatures.get(x.Feature)
	return wire.Object{"id": x.ID, "object": "product_feature", "entitlement_feature": f.render(), "livemode": false}
}
