package stripelocal

import (
	"encoding/json"
	"net/http"
)

// PortalSession is a short-lived key to one customer's portal.
type PortalSession struct {
	Base
	Configuration string
	Customer      string
	Flow          PortalFlow
	FlowShown     json.RawMessage // as the API shows it
	Locale        string
	ReturnURL     string
}

// PortalFlow is the one thing a deep link is for; an empty Type is the whole
// portal.
type PortalFlow struct {
	Type          string
	Subscription  string
	AfterType     string // portal_homepage, redirect, hosted_confirmation
	AfterURL      string
	AfterMessage  string
	Done          bool // it has come to its end
	Coupon        string
	PromotionCode string
	Items         []PortalFlowItem
}

// PortalFlowItem is one item of a subscription_update_confirm.
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
	return resource{kind: "billing_portal.session", routes: []route{
		on("POST /v1/billing_portal/sessions", "customer! configuration "+locales+"|en-AU|en-CA|en-IE|en-IN|en-NZ|en-SG return_url "+flowParams, portalSessions.create),
	}}
}

func (h portalSessions) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.params, "customer")
	if err != nil {
		return nil, err
	}
	config, err := h.configurationFromParams(in)
	if err != nil {
		return nil, err
	}
	if err := checkURLs(in, "return_url"); err != nil {
		return nil, err
	}
	x := &PortalSession{
		Configuration: config.ID, Customer: c.ID, Locale: in.str("locale"), ReturnURL: in.strOr("return_url", config.DefaultReturnURL),
	}
	if err := h.setFlow(x, config, in.at("flow_data")); err != nil {
		return nil, err
	}
	x.Base = Base{ID: h.ids.long("bps_1"), Created: h.now}
	h.state.PortalSessions.insert(x)
	h.emit("billing_portal.session.created", h.render(x))
	return h.render(x), nil
}

func (h portalSessions) configurationFromParams(in *input) (*PortalConfiguration, error) {
	if in.has("configuration") {
		config, ok := h.state.PortalConfigs.get(in.str("configuration"))
		if !ok {
			return nil, noSuch("configuration", in.str("configuration"), "configuration")
		}
		if !config.Active {
			return nil, invalid("", "configuration", "The configuration `"+config.ID+"` is not active and cannot be used to create portal sessions.")
		}
		return config, nil
	}
	for _, config := range h.state.PortalConfigs.all {
		if config.IsDefault && config.Active {
			return config, nil
		}
	}
	return nil, &Error{
		Status: http.StatusBadRequest, Type: "invalid_request_error",
		Message: "You can’t create a portal session in test mode until you save your customer portal settings in test mode at https://dashboard.stripe.com/test/settings/billing/portal.",
	}
}

// setFlow reads a deep link and holds it against the configuration.
func (h portalSessions) setFlow(x *PortalSession, config *PortalConfiguration, flow params) error {
	if x.Flow.Type = flow.str("type"); x.Flow.Type == "" {
		return nil
	}
	detail := flow.at(x.Flow.Type)
	x.Flow.Subscription = detail.str("subscription")
	if x.Flow.Type != "payment_method_update" && x.Flow.Subscription == "" {
		return missing("flow_data[" + x.Flow.Type + "]")
	}
	if err := h.validateFlow(x, config); err != nil {
		return err
	}
	if err := h.setFlowItems(x, config, detail); err != nil {
		return err
	}
	after := flow.at("after_completion")
	x.Flow.AfterType = after.strOr("type", "portal_homepage")
	x.Flow.AfterURL = after.at("redirect").str("return_url")
	x.Flow.AfterMessage = after.at("hosted_confirmation").str("custom_message")
	x.FlowShown = encode(x.Flow.render())
	return nil
}

func (h portalSessions) validateFlow(x *PortalSession, config *PortalConfiguration) error {
	enabled := map[string]bool{
		"payment_method_update": config.Features.UpdateMethod, "subscription_cancel": config.Features.Cancel,
		"subscription_update": config.Features.Switch, "subscription_update_confirm": config.Features.Switch,
	}
	if !enabled[x.Flow.Type] {
		return invalid("", "flow_data[type]", "The portal configuration `"+config.ID+"` does not have the feature that a `"+x.Flow.Type+"` flow needs.")
	}
	if x.Flow.Type == "payment_method_update" {
		return nil
	}
	param := "flow_data[" + x.Flow.Type + "][subscription]"
	sub, ok := h.state.Subscriptions.get(x.Flow.Subscription)
	if !ok || sub.Customer != x.Customer {
		return noSuch("subscription", x.Flow.Subscription, param)
	}
	if sub.ended() && x.Flow.Type != "subscription_cancel" {
		return invalid("", param, "The subscription `"+sub.ID+"` has ended and cannot be updated.")
	}
	if x.Flow.Type == "subscription_cancel" && (sub.ended() || sub.CancelAt != 0) {
		return invalid("", param, "The subscription `"+sub.ID+"` is already set to be canceled.")
	}
	return nil
}

func (f PortalFlow) render() object {
	o := object{
		"type": f.Type, "subscription_cancel": nil, "subscription_update": nil, "subscription_update_confirm": nil,
		"after_completion": object{"type": f.AfterType, "redirect": nil, "hosted_confirmation": nil},
	}
	after, _ := o["after_completion"].(object)
	switch f.AfterType {
	case "redirect":
		after["redirect"] = object{"return_url": f.AfterURL}
	case "hosted_confirmation":
		after["hosted_confirmation"] = object{"custom_message": orNull(f.AfterMessage)}
	}
	switch f.Type {
	case "subscription_cancel":
		o[f.Type] = object{"retention": nil, "subscription": f.Subscription}
	case "subscription_update":
		o[f.Type] = object{"subscription": f.Subscription}
	case "subscription_update_confirm":
		o[f.Type] = object{"discounts": f.renderFlowDiscounts(), "items": f.renderItems(), "subscription": f.Subscription}
	}
	return o
}

func (f PortalFlow) renderItems() []any {
	items := []any{}
	for _, i := range f.Items {
		items = append(items, object{"id": i.ID, "price": orNull(i.Price), "quantity": i.Quantity})
	}
	return items
}

func (h portalSessions) render(x *PortalSession) object {
	return object{
		"id": x.ID, "object": "billing_portal.session", "configuration": refTo("billing_portal.configuration", x.Configuration),
		"created": x.Created, "customer": x.Customer, "flow": rawOrNull(x.FlowShown), "livemode": false,
		"locale": orNull(x.Locale), "on_behalf_of": nil, "return_url": orNull(x.ReturnURL),
		"url": h.origin + "/p/session/" + x.ID,
	}
}
