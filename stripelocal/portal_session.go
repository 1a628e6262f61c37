package stripelocal

import (
	"encoding/json"
	"net/http"

	"usher/stripelocal/wire"
)

// PortalSession gives access to a customer's portal.
type PortalSession struct {
	Base
	Configuration string
	Customer      string
	Flow          PortalFlow
	RenderedFlow  json.RawMessage // flow as the API renders it
	Locale        string
	ReturnURL     string
}

// PortalFlow is the flow of a deep link. An empty Type is the whole portal.
type PortalFlow struct {
	Type          string
	Subscription  string
	AfterType     string // portal_homepage, redirect or hosted_confirmation
	AfterURL      string
	AfterMessage  string
	Completed     bool
	Coupon        string
	PromotionCode string
	Items         []PortalFlowItem
}

// PortalFlowItem is an item of a subscription_update_confirm flow.
type PortalFlowItem struct {
	ID       string
	Price    string
	Quantity int64
}

const flowParams = "flow_data{type:payment_method_update|subscription_cancel|subscription_update|subscription_update_confirm! " +
	"after_completion{type:hosted_confirmation|portal_homepage|redirect! redirect{return_url!} hosted_confirmation{custom_message:500}} " +
	"subscription_cancel{subscription!} subscription_update{subscription!} " +
	confirmParams + "}"

// portalSessions serves /v1/billing_portal/sessions.
type portalSessions struct{ *request }

func portalSessionResource() resource {
	return resource{objectType: "billing_portal.session", routes: []route{
		on("POST /v1/billing_portal/sessions", "customer! configuration "+wire.Locales+"|en-AU|en-CA|en-IE|en-IN|en-NZ|en-SG return_url "+flowParams, portalSessions.create),
	}}
}

func (h portalSessions) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	config, err := h.configurationFromParams(in)
	if err != nil {
		return nil, err
	}
	if err := h.portalLimits.checkConfiguration(config); err != nil {
		return nil, err
	}
	if err := validateURLs(in, "return_url"); err != nil {
		return nil, err
	}
	x := &PortalSession{
		Configuration: config.ID, Customer: c.ID, Locale: in.String("locale"), ReturnURL: in.StringOr("return_url", config.DefaultReturnURL),
	}
	if err := h.setFlow(x, config, in.At("flow_data")); err != nil {
		return nil, err
	}
	x.Base = Base{ID: h.ids.longID("bps_1"), Created: h.now}
	h.store.PortalSessions.insert(x)
	h.emit("billing_portal.session.created", h.render(x))
	return h.render(x), nil
}

func (h portalSessions) configurationFromParams(in *input) (*PortalConfiguration, error) {
	if in.Has("configuration") {
		config, ok := h.store.PortalConfigurations.get(in.String("configuration"))
		if !ok {
			return nil, wire.NoSuch("configuration", in.String("configuration"), "configuration")
		}
		if !config.Active {
			return nil, wire.Invalid("", "configuration", "The configuration `"+config.ID+"` is not active and cannot be used to create portal sessions.")
		}
		return config, nil
	}
	if config, ok := h.store.defaultPortalConfiguration(); ok {
		return config, nil
	}
	return nil, &wire.Error{
		Status: http.StatusBadRequest, Type: "invalid_request_error",
		Message: "You can’t create a portal session in test mode until you save your customer portal settings in test mode at https://dashboard.stripe.com/test/settings/billing/portal.",
	}
}

// setFlow reads flow_data and checks it against the configuration.
func (h portalSessions) setFlow(x *PortalSession, config *PortalConfiguration, flow wire.Params) error {
	if x.Flow.Type = flow.String("type"); x.Flow.Type == "" {
		return nil
	}
	detail := flow.At(x.Flow.Type)
	x.Flow.Subscription = detail.String("subscription")
	if x.Flow.Type != "payment_method_update" && x.Flow.Subscription == "" {
		return wire.MissingParam("flow_data[" + x.Flow.Type + "]")
	}
	if err := h.validateFlow(x, config); err != nil {
		return err
	}
	if err := h.setFlowItems(x, config, detail); err != nil {
		return err
	}
	after := flow.At("after_completion")
	x.Flow.AfterType = after.StringOr("type", "portal_homepage")
	x.Flow.AfterURL = after.At("redirect").String("return_url")
	x.Flow.AfterMessage = after.At("hosted_confirmation").String("custom_message")
	x.RenderedFlow = wire.Encode(x.Flow.render())
	return nil
}

func (h portalSessions) validateFlow(x *PortalSession, config *PortalConfiguration) error {
	enabled := map[string]bool{
		"payment_method_update": config.Features.PaymentMethodUpdate, "subscription_cancel": config.Features.SubscriptionCancel,
		"subscription_update": config.Features.SubscriptionUpdate, "subscription_update_confirm": config.Features.SubscriptionUpdate,
	}
	if !enabled[x.Flow.Type] {
		return wire.Invalid("", "flow_data[type]", disabledFlow(x.Flow.Type))
	}
	if x.Flow.Type == "payment_method_update" {
		return nil
	}
	param := "flow_data[" + x.Flow.Type + "][subscription]"
	sub, ok := h.store.Subscriptions.get(x.Flow.Subscription)
	if !ok || sub.Customer != x.Customer {
		return wire.NoSuch("subscription", x.Flow.Subscription, param)
	}
	if sub.hasEnded() && x.Flow.Type != "subscription_cancel" {
		return wire.Invalid("", param, "The subscription `"+sub.ID+"` has ended and cannot be updated.")
	}
	if x.Flow.Type == "subscription_cancel" && (sub.hasEnded() || sub.CancelAt != 0) {
		return wire.Invalid("", param, "The subscription `"+sub.ID+"` is already set to be canceled.")
	}
	return h.portalLimits.checkFlow(sub, x.Flow.Type, param)
}

// disabledFlow is the message for a flow whose feature the configuration disables. The one of plan
// changes is Stripe's (public issue threads).
func disabledFlow(flow string) string {
	switch flow {
	case "subscription_cancel":
		return "This subscription cannot be canceled because the subscription cancellation feature in the portal configuration is disabled."
	case "payment_method_update":
		return "This customer's payment methods cannot be updated because the payment method update feature in the portal configuration is disabled."
	}
	return "This subscription cannot be updated because the subscription update feature in the portal configuration is disabled."
}

func (f PortalFlow) render() wire.Object {
	o := wire.Object{
		"type": f.Type, "subscription_cancel": nil, "subscription_update": nil, "subscription_update_confirm": nil,
		"after_completion": wire.Object{"type": f.AfterType, "redirect": nil, "hosted_confirmation": nil},
	}
	after, _ := o["after_completion"].(wire.Object)
	switch f.AfterType {
	case "redirect":
		after["redirect"] = wire.Object{"return_url": f.AfterURL}
	case "hosted_confirmation":
		after["hosted_confirmation"] = wire.Object{"custom_message": wire.StringOrNull(f.AfterMessage)}
	}
	switch f.Type {
	case "subscription_cancel":
		o[f.Type] = wire.Object{"retention": nil, "subscription": f.Subscription}
	case "subscription_update":
		o[f.Type] = wire.Object{"subscription": f.Subscription}
	case "subscription_update_confirm":
		o[f.Type] = wire.Object{"discounts": f.renderFlowDiscounts(), "items": f.renderItems(), "subscription": f.Subscription}
	}
	return o
}

func (f PortalFlow) renderItems() []any {
	items := []any{}
	for _, i := range f.Items {
		items = append(items, wire.Object{"id": i.ID, "price": wire.StringOrNull(i.Price), "quantity": i.Quantity})
	}
	return items
}

func (h portalSessions) render(x *PortalSession) wire.Object {
	return wire.Object{
		"id": x.ID, "object": "billing_portal.session", "configuration": wire.Ref("billing_portal.configuration", x.Configuration),
		"created": x.Created, "customer": x.Customer, "flow": wire.RawOrNull(x.RenderedFlow), "livemode": false,
		"locale": wire.StringOrNull(x.Locale), "on_behalf_of": nil, "return_url": wire.StringOrNull(x.ReturnURL),
		"url": h.origin + "/p/session/" + x.ID,
	}
}
