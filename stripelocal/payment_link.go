package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// PaymentLink is a page whose every visit begins a Checkout session (API reference: payment links).
type PaymentLink struct {
	Base
	Inactive        bool
	InactiveMessage string
	CompletedLimit  int64           // sessions that may be completed; 0 is no limit
	Message         string          // of the confirmation page
	RedirectURL     string          // after completion; empty shows the confirmation page
	Template        CheckoutSession // of the sessions; it has no id
}

const (
	paymentLinkParams = "after_completion{type:hosted_confirmation|redirect! hosted_confirmation{custom_message:500} redirect{url:2048!}} " +
		"allow_promotion_codes:bool automatic_tax{enabled:bool!} billing_address_collection:auto|required customer_creation:always|if_required " +
		"custom_text{submit{message:1200!}? terms_of_service_acceptance{message:1200!}?} payment_method_collection:always|if_required " +
		"tax_id_collection{enabled:bool! required:if_supported|never} "
	linkQuantity = "adjustable_quantity{enabled:bool! minimum:int maximum:int}"
	linkTrial    = "trial_settings{end_behavior{missing_payment_method:cancel|create_invoice|pause!}!}"
)

// paymentLinks serves /v1/payment_links and the page of a link.
type paymentLinks struct{ *request }

func paymentLinkResource() resource {
	return resource{
		objectType: "payment_link",
		render: renderFrom(func(s *store) *table[*PaymentLink] { return s.PaymentLinks },
			bind(paymentLinks.render)),
		routes: []route{
			on("POST /v1/payment_links", paymentLinkParams+"currency:currency line_items[]{price! quantity:int! "+linkQuantity+"}! metadata:map inactive_message:500 submit_type:auto|book|donate|pay "+
				"consent_collection{terms_of_service:none|required promotions:auto|none} payment_method_types[] phone_number_collection{enabled:bool!} restrictions{completed_sessions{limit:int!}!} "+
				"subscription_data{description:500 metadata:map trial_period_days:int "+linkTrial+"} payment_intent_data{description:1000 metadata:map setup_future_usage:on_session|off_session}", paymentLinks.create),
			on("GET /v1/payment_links", pageParams+"active:bool", paymentLinks.list),
			on("GET /v1/payment_links/{id}", "", paymentLinks.get),
			on("POST /v1/payment_links/{id}", paymentLinkParams+"active:bool line_items[]{id! quantity:int "+linkQuantity+"} metadata:map inactive_message:500? payment_method_types[]? restrictions{completed_sessions{limit:int!}!}? "+
				"subscription_data{metadata:map? "+linkTrial+"?} payment_intent_data{description:1000? metadata:map?}", paymentLinks.update),
			on("GET /v1/payment_links/{id}/line_items", pageParams, paymentLinks.listLineItems),
		},
	}
}

func (h paymentLinks) create(in *input) (any, error) {
	mode := h.mode(in)
	if err := checkLinkMode(in, mode); err != nil {
		return nil, err
	}
	in.Params = in.With("mode", mode)
	lines, err := h.checkoutSessions.lineItemsFromParams(in)
	if err != nil {
		return nil, err
	}
	price, _ := h.store.Prices.get(lines[0].Price)
	if in.Has("currency") && in.String("currency") != price.Currency {
		return nil, wire.Invalid("", "currency", "The prices of this payment link have the currency `"+price.Currency+"`.")
	}
	x := &PaymentLink{
		Base: Base{ID: h.ids.longID("plink_1"), Created: h.now},
		Template: CheckoutSession{
			Mode: mode, LineItems: lines, Currency: price.Currency, Metadata: map[string]string{}, Status: "open", PaymentStatus: "unpaid",
			PaymentMethodCollection: "always", MissingPaymentMethod: "create_invoice", SubmitType: "auto", BillingAddressCollection: "auto",
		},
	}
	if mode == "payment" {
		x.Template.PaymentMethodCollection, x.Template.CustomerCreation = "if_required", "if_required"
	}
	if err := h.setFields(x, in); err != nil {
		return nil, err
	}
	if err := h.checkoutSessions.checkTotal(&x.Template); err != nil {
		return nil, err
	}
	h.store.PaymentLinks.insert(x)
	h.emit("payment_link.created", h.render(x))
	return h.render(x), nil
}

// mode is the mode of a link's sessions: subscription with a recurring price, else payment.
func (h paymentLinks) mode(in *input) string {
	for _, l := range in.List("line_items") {
		if p, ok := h.store.Prices.get(l.String("price")); ok && p.Interval != "" {
			return "subscription"
		}
	}
	return "payment"
}

// checkLinkMode rejects parameters of the other mode (inferred from those of Checkout sessions).
func checkLinkMode(in *input, mode string) error {
	other := []string{"subscription_data", "payment_method_collection"}
	if mode == "subscription" {
		other = []string{"payment_intent_data", "customer_creation"}
	}
	for _, name := range other {
		if in.Has(name) {
			return wire.Invalid("", name, "You can not pass `"+name+"` to a payment link whose sessions are in `"+mode+"` mode.")
		}
	}
	return nil
}

// setFields copies the parameters that create and update share. Those of the sessions have the
// names that Checkout has.
func (h paymentLinks) setFields(x *PaymentLink, in *input) error {
	if err := h.checkoutSessions.validateOptions(in); err != nil {
		return err
	}
	if err := checkMethodTypes(in.Params); err != nil {
		return err
	}
	after := in.At("after_completion")
	if after.String("type") == "redirect" && !after.Has("redirect") {
		return wire.MissingParam("after_completion[redirect]")
	}
	if err := validateURLs(&input{Params: after.At("redirect")}, "url"); err != nil {
		return err
	}
	if in.Has("restrictions") {
		x.CompletedLimit = in.At("restrictions").At("completed_sessions").Int("limit")
	}
	if after.Has("type") {
		x.RedirectURL, x.Message = after.At("redirect").String("url"), after.At("hosted_confirmation").String("custom_message")
	}
	in.SetString("inactive_message", &x.InactiveMessage)
	was := x.Template
	x.Template.setFields(in.Params)
	in.SetMetadata(&x.Template.Metadata)
	if !in.Has("tax_id_collection") && was.TaxIDRequired != "" {
		x.Template.TaxIDRequired = was.TaxIDRequired
	}
	x.Template.SubscriptionMetadata, x.Template.PaymentIntentMetadata = was.SubscriptionMetadata, was.PaymentIntentMetadata
	in.At("subscription_data").SetMetadata(&x.Template.SubscriptionMetadata)
	in.At("payment_intent_data").SetMetadata(&x.Template.PaymentIntentMetadata)
	return nil
}

func (h paymentLinks) find(in *input) (*PaymentLink, error) {
	x, ok := h.store.PaymentLinks.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payment_link", in.pathValue("id"), "payment_link")
	}
	return x, nil
}

func (h paymentLinks) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h paymentLinks) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := checkLinkMode(in, x.Template.Mode); err != nil {
		return nil, err
	}
	changed := *x
	changed.Template.LineItems = slices.Clone(x.Template.LineItems)
	if err := changed.setQuantities(in.Params); err != nil {
		return nil, err
	}
	if err := h.setFields(&changed, in); err != nil {
		return nil, err
	}
	changed.Inactive = !in.BoolOr("active", !x.Inactive)
	before := h.render(x)
	*x = changed
	h.emitUpdate("payment_link.updated", before, h.render(x))
	return h.render(x), nil
}

// setQuantities changes line items by id. Items cannot be added or removed (API reference).
func (x *PaymentLink) setQuantities(p wire.Params) error {
	for _, n := range p.List("line_items") {
		at := slices.IndexFunc(x.Template.LineItems, func(l CheckoutLineItem) bool { return l.ID == n.String("id") })
		if at < 0 {
			return wire.NoSuch("line item", n.String("id"), n.Name("id"))
		}
		line := &x.Template.LineItems[at]
		n.SetInt("quantity", &line.Quantity)
		if line.Quantity < 1 {
			return wire.Invalid("parameter_invalid_integer", n.Name("quantity"), "This value must be greater than or equal to 1.")
		}
		if n.Has("adjustable_quantity") {
			if err := line.setAdjustable(n.At("adjustable_quantity")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h paymentLinks) list(in *input) (any, error) {
	return listing[*PaymentLink]{
		resource: "payment_link", table: h.store.PaymentLinks, rows: h.store.PaymentLinks.all,
		filter: func(x *PaymentLink) bool { return !in.Has("active") || x.Inactive != in.Bool("active") },
		render: h.render,
	}.page(in)
}

func (h paymentLinks) listLineItems(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return pageOf(h.renderLineItems(x), in)
}

func (h paymentLinks) renderLineItems(x *PaymentLink) wire.Object {
	list := h.checkoutSessions.renderLineItems(&x.Template)
	list["url"] = "/v1/payment_links/" + x.ID + "/line_items"
	return list
}

func (h paymentLinks) render(x *PaymentLink) wire.Object {
	cs := &x.Template
	o := wire.Object{
		"id": x.ID, "object": "payment_link", "active": !x.Inactive, "after_completion": x.renderAfterCompletion(), "allow_promotion_codes": cs.AllowPromotionCodes,
		"application": nil, "application_fee_amount": nil, "application_fee_percent": nil, "automatic_tax": wire.Object{"enabled": cs.AutomaticTax, "liability": renderAutomaticTax(cs.AutomaticTax)["liability"]},
		"billing_address_collection": cs.BillingAddressCollection, "consent_collection": cs.renderConsentCollection(), "currency": cs.Currency,
		"custom_fields": []any{}, "custom_text": cs.renderCustomText(), "customer_creation": "always", "inactive_message": wire.StringOrNull(x.InactiveMessage),
		"invoice_creation": nil, "line_items": wire.Expandable(func() any { return h.renderLineItems(x) }), "livemode": false, "metadata": cs.Metadata,
		"on_behalf_of": nil, "payment_intent_data": nil, "payment_method_collection": cs.PaymentMethodCollection,
		"payment_method_types": wire.StringsOrNull(cs.PaymentMethodTypes), "phone_number_collection": wire.Object{"enabled": cs.PhoneNumberCollection},
		"restrictions": nil, "shipping_address_collection": nil, "shipping_options": []any{}, "submit_type": cs.SubmitType, "subscription_data": nil,
		"tax_id_collection": wire.Object{"enabled": cs.TaxIDCollection, "required": cs.TaxIDRequired}, "transfer_data": nil, "url": h.origin + "/b/" + x.ID,
	}
	if x.CompletedLimit > 0 {
		o["restrictions"] = wire.Object{"completed_sessions": wire.Object{"count": h.completed(x), "limit": x.CompletedLimit}}
	}
	if cs.Mode == "payment" {
		o["customer_creation"] = cs.CustomerCreation
		o["payment_intent_data"] = wire.Object{
			"capture_method": nil, "description": wire.StringOrNull(cs.PaymentIntentDescription), "metadata": cs.PaymentIntentMetadata,
			"setup_future_usage": wire.StringOrNull(cs.SetupFutureUsage), "statement_descriptor": nil, "statement_descriptor_suffix": nil, "transfer_group": nil,
		}
		return o
	}
	o["subscription_data"] = wire.Object{
		"description": wire.StringOrNull(cs.SubscriptionDescription), "invoice_settings": wire.Object{"issuer": wire.Object{"type": "self"}},
		"metadata": cs.SubscriptionMetadata, "trial_period_days": wire.IntOrNull(cs.TrialPeriodDays),
		"trial_settings": wire.Object{"end_behavior": wire.Object{"missing_payment_method": cs.MissingPaymentMethod}},
	}
	return o
}

func (x *PaymentLink) renderAfterCompletion() wire.Object {
	if x.RedirectURL != "" {
		return wire.Object{"type": "redirect", "redirect": wire.Object{"url": x.RedirectURL}}
	}
	return wire.Object{"type": "hosted_confirmation", "hosted_confirmation": wire.Object{"custom_message": wire.StringOrNull(x.Message)}}
}
