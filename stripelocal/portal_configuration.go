package stripelocal

import (
	"strconv"
	"strings"

	"usher/stripelocal/wire"
)

// PortalConfiguration is the set of features of a customer portal.
type PortalConfiguration struct {
	Base
	Active           bool
	Headline         string
	PrivacyURL       string
	TermsURL         string
	DefaultReturnURL string
	IsDefault        bool
	Metadata         map[string]string
	Updated          int64
	Features         PortalFeatures
}

// PortalFeatures are the portal's features in API version 2024-06-20: no limits on quantities, no
// schedule at the period's end.
type PortalFeatures struct {
	CustomerUpdate            bool
	CustomerAllowedUpdates    []string
	InvoiceHistory            bool
	PaymentMethodUpdate       bool
	SubscriptionCancel        bool
	CancelMode                string // at_period_end or immediately
	CancelProration           string
	CancellationReason        bool
	CancellationReasonOptions []string
	SubscriptionUpdate        bool
	DefaultAllowedUpdates     []string // of price, quantity and promotion_code
	UpdateProration           string
	UpdateProducts            []PortalProduct
}

// PortalProduct is a product with the prices that the portal offers.
type PortalProduct struct {
	Product string
	Prices  []string
}

const portalFeatureParams = "customer_update{allowed_updates[]:address|email|name|phone|shipping|tax_id? enabled:bool} invoice_history{enabled:bool!} payment_method_update{enabled:bool!} " +
	"subscription_cancel{enabled:bool mode:at_period_end|immediately proration_behavior:none|create_prorations|always_invoice cancellation_reason{enabled:bool! options[]:customer_service|low_quality|missing_features|other|switched_service|too_complex|too_expensive|unused?}} " +
	"subscription_update{enabled:bool default_allowed_updates[]:price|promotion_code|quantity? proration_behavior:none|create_prorations|always_invoice products[]{product! prices[]!}?} "

// newPortalFeatures are the parameters for creating a configuration, where every feature requires
// enabled.
func newPortalFeatures() string {
	return strings.NewReplacer("enabled:bool ", "enabled:bool! ", "enabled:bool}", "enabled:bool!}", "unused?", "unused!?").Replace(portalFeatureParams)
}

// portalConfigurations serves /v1/billing_portal/configurations.
type portalConfigurations struct{ *request }

func portalConfigurationResource() resource {
	return resource{
		objectType: "billing_portal.configuration",
		render: renderFrom(func(s *store) *table[*PortalConfiguration] { return s.PortalConfigurations },
			func(_ *request, x *PortalConfiguration) wire.Object { return renderPortalConfiguration(x) }),
		routes: []route{
			on("POST /v1/billing_portal/configurations", "business_profile{headline:60? privacy_policy_url terms_of_service_url}! features{"+newPortalFeatures()+"}! default_return_url? login_page{enabled:bool!} metadata:map", portalConfigurations.create),
			on("GET /v1/billing_portal/configurations", "limit:int starting_after ending_before active:bool is_default:bool", portalConfigurations.list),
			on("GET /v1/billing_portal/configurations/{id}", "", portalConfigurations.get),
			on("POST /v1/billing_portal/configurations/{id}", "active:bool business_profile{headline:60? privacy_policy_url? terms_of_service_url?} features{"+portalFeatureParams+"} default_return_url? login_page{enabled:bool!} metadata:map?", portalConfigurations.update),
		},
	}
}

func (h portalConfigurations) create(in *input) (any, error) {
	if err := h.validate(in, true); err != nil {
		return nil, err
	}
	x := &PortalConfiguration{
		Base: Base{ID: h.ids.longID("bpc_1"), Created: h.now}, Active: true, Updated: h.now, Metadata: in.Metadata(),
		Features: PortalFeatures{CancelMode: "at_period_end", CancelProration: "none", UpdateProration: "none", CancellationReasonOptions: defaultReasons()},
	}
	x.setFields(in.Params)
	h.store.PortalConfigurations.insert(x)
	h.emit("billing_portal.configuration.created", renderPortalConfiguration(x))
	return renderPortalConfiguration(x), nil
}

// defaultReasons are the reasons of a configuration that names none (API reference: the portal
// configuration object).
func defaultReasons() []string {
	return []string{"too_expensive", "missing_features", "switched_service", "unused", "other"}
}

// validate rejects features that the local Stripe does not have.
func (h portalConfigurations) validate(in *input, creating bool) error {
	if in.At("login_page").Bool("enabled") {
		return wire.Invalid("", "login_page[enabled]", "The local Stripe has no login page for its portal.")
	}
	return h.validateFeatures(in.At("features"), creating)
}

// validateFeatures requires the allowed updates and products of subscription_update even if it is
// disabled (types of stripe-node 16.12.0).
func (h portalConfigurations) validateFeatures(f wire.Params, creating bool) error {
	update := f.At("subscription_update")
	if f.Has("subscription_update") && creating {
		for _, name := range []string{"default_allowed_updates", "products"} {
			if !update.Has(name) {
				return wire.MissingParam("features[subscription_update][" + name + "]")
			}
		}
	}
	if n := len(update.List("products")); n > 10 {
		return wire.Invalid("", "features[subscription_update][products]", "Array features[subscription_update][products] exceeded maximum 10 allowed elements.")
	}
	for _, name := range update.Strings("default_allowed_updates") {
		if name != "price" && name != "quantity" && name != "promotion_code" {
			return wire.Invalid("", "features[subscription_update][default_allowed_updates]", "Invalid features[subscription_update][default_allowed_updates]: must be one of price, promotion_code, or quantity")
		}
	}
	return h.validateProducts(update)
}

// validateProducts requires existing prices of the given products and enforces the portal's limits.
func (h portalConfigurations) validateProducts(update wire.Params) error {
	for i, p := range update.List("products") {
		for _, id := range p.Strings("prices") {
			price, ok := h.store.Prices.get(id)
			if !ok || price.Product != p.String("product") {
				return wire.NoSuch("price", id, "features[subscription_update][products]["+strconv.Itoa(i)+"][prices]")
			}
		}
	}
	if h.store.portalRefusal() != PortalRefusalCreate {
		return nil
	}
	if problem := h.portalLimits.configurationProblem(portalProducts(update)); problem != "" {
		return wire.Invalid("", "features[subscription_update][products]", problem)
	}
	return nil
}

func (x *PortalConfiguration) setFields(p wire.Params) {
	p.SetBool("active", &x.Active)
	p.SetString("default_return_url", &x.DefaultReturnURL)
	p.SetMetadata(&x.Metadata)
	p.At("business_profile").SetString("headline", &x.Headline)
	p.At("business_profile").SetString("privacy_policy_url", &x.PrivacyURL)
	p.At("business_profile").SetString("terms_of_service_url", &x.TermsURL)
	x.Features.setFields(p.At("features"))
}

func (f *PortalFeatures) setFields(p wire.Params) {
	p.At("customer_update").SetBool("enabled", &f.CustomerUpdate)
	p.At("customer_update").SetStrings("allowed_updates", &f.CustomerAllowedUpdates)
	p.At("invoice_history").SetBool("enabled", &f.InvoiceHistory)
	p.At("payment_method_update").SetBool("enabled", &f.PaymentMethodUpdate)
	cancel, update := p.At("subscription_cancel"), p.At("subscription_update")
	cancel.SetBool("enabled", &f.SubscriptionCancel)
	cancel.SetString("mode", &f.CancelMode)
	cancel.SetString("proration_behavior", &f.CancelProration)
	cancel.At("cancellation_reason").SetBool("enabled", &f.CancellationReason)
	cancel.At("cancellation_reason").SetStrings("options", &f.CancellationReasonOptions)
	update.SetBool("enabled", &f.SubscriptionUpdate)
	update.SetStrings("default_allowed_updates", &f.DefaultAllowedUpdates)
	update.SetString("proration_behavior", &f.UpdateProration)
	if update.Has("products") {
		f.UpdateProducts = portalProducts(update)
	}
}

func portalProducts(update wire.Params) []PortalProduct {
	var out []PortalProduct
	for _, product := range update.List("products") {
		out = append(out, PortalProduct{product.String("product"), product.Strings("prices")})
	}
	return out
}

func (h portalConfigurations) find(in *input) (*PortalConfiguration, error) {
	x, ok := h.store.PortalConfigurations.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("configuration", in.pathValue("id"), "configuration")
	}
	return x, nil
}

func (h portalConfigurations) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return renderPortalConfiguration(x), nil
}

func (h portalConfigurations) update(in *input) (any, error) {
	x, err := h.find(in)
	if err == nil {
		err = h.validate(in, false)
	}
	if err != nil {
		return nil, err
	}
	before := renderPortalConfiguration(x)
	x.setFields(in.Params)
	x.Updated = h.now
	h.emitUpdate("billing_portal.configuration.updated", before, renderPortalConfiguration(x))
	return renderPortalConfiguration(x), nil
}

func (h portalConfigurations) list(in *input) (any, error) {
	return listing[*PortalConfiguration]{
		resource: "configuration", table: h.store.PortalConfigurations, rows: h.store.PortalConfigurations.all,
		filter: func(x *PortalConfiguration) bool {
			return (!in.Has("active") || x.Active == in.Bool("active")) && (!in.Has("is_default") || x.IsDefault == in.Bool("is_default"))
		},
		render: renderPortalConfiguration,
	}.page(in)
}

func renderPortalConfiguration(x *PortalConfiguration) wire.Object {
	f := x.Features
	return wire.Object{
		"id": x.ID, "object": "billing_portal.configuration", "active": x.Active, "application": nil,
		"business_profile": wire.Object{
			"headline": wire.StringOrNull(x.Headline), "privacy_policy_url": wire.StringOrNull(x.PrivacyURL), "terms_of_service_url": wire.StringOrNull(x.TermsURL),
		},
		"created": x.Created, "default_return_url": wire.StringOrNull(x.DefaultReturnURL), "is_default": x.IsDefault,
		"livemode": false, "login_page": wire.Object{"enabled": false, "url": nil}, "metadata": x.Metadata, "updated": x.Updated,
		"features": wire.Object{
			"customer_update":       wire.Object{"allowed_updates": f.CustomerAllowedUpdates, "enabled": f.CustomerUpdate},
			"invoice_history":       wire.Object{"enabled": f.InvoiceHistory},
			"payment_method_update": wire.Object{"enabled": f.PaymentMethodUpdate},
			"subscription_cancel": wire.Object{
				"cancellation_reason": wire.Object{"enabled": f.CancellationReason, "options": f.CancellationReasonOptions},
				"enabled":             f.SubscriptionCancel, "mode": f.CancelMode, "proration_behavior": f.CancelProration,
			},
			"subscription_update": f.renderSubscriptionUpdate(),
		},
	}
}

// renderSubscriptionUpdate renders products as null if there are none, as this API version does.
func (f PortalFeatures) renderSubscriptionUpdate() wire.Object {
	o := wire.Object{
		"default_allowed_updates": f.DefaultAllowedUpdates, "enabled": f.SubscriptionUpdate, "proration_behavior": f.UpdateProration, "products": nil,
	}
	if len(f.UpdateProducts) > 0 {
		products := []any{}
		for _, p := range f.UpdateProducts {
			products = append(products, wire.Object{"product": p.Product, "prices": p.Prices})
		}
		o["products"] = products
	}
	return o
}
