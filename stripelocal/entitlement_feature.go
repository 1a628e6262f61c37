package stripelocal

import "usher/stripelocal/wire"

// EntitlementFeature is an ability of the application that products include (docs: entitlements).
type EntitlementFeature struct {
	Base
	Archived  bool
	LookupKey string
	Metadata  map[string]string
	Name      string
}

// entitlementFeatures serves /v1/entitlements/features.
type entitlementFeatures struct{ *request }

func entitlementFeatureResource() resource {
	return resource{
		objectType: "entitlements.feature",
		render: renderFrom(func(s *store) *table[*EntitlementFeature] { return s.EntitlementFeatures },
			func(_ *request, f *EntitlementFeature) wire.Object { return f.render() }),
		routes: []route{
			on("POST /v1/entitlements/features", "lookup_key:80! name:80! metadata:map", entitlementFeatures.create),
			on("GET /v1/entitlements/features", pageParams+"archived:bool lookup_key", entitlementFeatures.list),
			on("GET /v1/entitlements/features/{id}", "", entitlementFeatures.get),
			on("POST /v1/entitlements/features/{id}", "active:bool metadata:map? name:80", entitlementFeatures.update),
		},
	}
}

func (h entitlementFeatures) create(in *input) (any, error) {
	if err := h.checkLookupKey(in.String("lookup_key")); err != nil {
		return nil, err
	}
	f := &EntitlementFeature{
		Base: Base{ID: h.ids.longID("feat_"), Created: h.now}, LookupKey: in.String("lookup_key"), Name: in.String("name"), Metadata: in.Metadata(),
	}
	h.store.EntitlementFeatures.insert(f)
	return f.render(), nil
}

// checkLookupKey rejects the key of another feature that is not archived (docs: entitlements, set
// up your features; the wording is inferred).
func (h entitlementFeatures) checkLookupKey(key string) error {
	for _, other := range h.store.EntitlementFeatures.all {
		if other.LookupKey == key && !other.Archived {
			return wire.Invalid("resource_already_exists", "lookup_key", "A feature (`"+other.ID+"`) already uses that lookup key.")
		}
	}
	return nil
}

func (h entitlementFeatures) find(in *input) (*EntitlementFeature, error) {
	f, ok := h.store.EntitlementFeatures.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("feature", in.pathValue("id"), "id")
	}
	return f, nil
}

func (h entitlementFeatures) get(in *input) (any, error) {
	f, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return f.render(), nil
}

// update renames or archives a feature. The lookup key is fixed.
func (h entitlementFeatures) update(in *input) (any, error) {
	f, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if f.Archived && in.Bool("active") {
		if err := h.checkLookupKey(f.LookupKey); err != nil {
			return nil, err
		}
	}
	f.Archived = !in.BoolOr("active", !f.Archived)
	in.SetString("name", &f.Name)
	in.SetMetadata(&f.Metadata)
	return f.render(), nil
}

// list returns the features that are not archived, unless archived=true (API reference: update a
// feature, active).
func (h entitlementFeatures) list(in *input) (any, error) {
	return listing[*EntitlementFeature]{
		resource: "feature", table: h.store.EntitlementFeatures, rows: h.store.EntitlementFeatures.all,
		filter: func(f *EntitlementFeature) bool {
			return f.Archived == in.Bool("archived") && (!in.Has("lookup_key") || f.LookupKey == in.String("lookup_key"))
		},
		render: (*EntitlementFeature).render,
	}.page(in)
}

func (f *EntitlementFeature) render() wire.Object {
	return wire.Object{
		"id": f.ID, "object": "entitlements.feature", "active": !f.Archived, "livemode": false,
		"lookup_key": f.LookupKey, "metadata": f.Metadata, "name": f.Name,
	}
}
