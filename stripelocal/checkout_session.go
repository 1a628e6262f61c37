package stripelocal

import "usher/stripelocal/wire"

// checkoutSessionLifetime is the default time until a session expires, in seconds (docs: 24 hours).
const checkoutSessionLifetime = 24 * 60 * 60

// CheckoutSession is a Checkout session: a hosted page for one payment or subscription.
type CheckoutSession struct {
	Base
	AllowPromotionCodes       bool
	AutomaticTax              bool
	BillingAddressCollection  string
	CancelURL                 string
	ClientReferenceID         string
	Currency                  string
	Customer                  string
	CustomerCreation          string
	CustomerEmail             string
	EnteredEmail              string
	EnteredName               string
	ExpiresAt                 int64
	Invoice                   string
	LineItems                 []CheckoutLineItem
	Locale                    string
	Metadata                  map[string]string
	PaymentLink               string `json:",omitzero"` // that began it
	PaymentMethodCollection   string
	Mode                      string
	PaymentIntent             string
	PaymentIntentDescription  string
	PaymentIntentMetadata     map[string]string
	PaymentIntentReceiptEmail string // receipt_email
	PaymentIntentShipping     *Shipping
	SetupFutureUsage          string
	PaymentStatus             string
	SetupIntent               string
	Status                    string // open, complete or expired
	SubscriptionDescription   string
	SubscriptionMetadata      map[string]string
	MissingPaymentMethod      string
	TrialPeriodDays           int64
	TrialEnd                  int64
	Subscription              string
	SubmitType                string
	SuccessURL                string
	TaxIDCollection           bool
	TaxIDRequired             string
	PhoneNumberCollection     bool
	Discount                  *Discount
	Inherited                 *Discount `json:",omitzero"` // of the customer, once the amounts no longer change
	PaymentMethodTypes        []string
	BankDebitSettlesAt        int64 // of older state files; now DebitEndsAt of the payment intent
	EnteredPhone              string
	EnteredAddress            *Address
	EnteredTaxID              string
	EnteredTerms              bool
	UpdateName                bool // customer_update, as is UpdateAddress
	UpdateAddress             bool
	DefaultTaxRates           []string // of the subscription
	ConsentTerms              string   // required, none or empty
	ConsentPromotions         string
	RedisplayFilters          []string // allow_redisplay values of the saved cards on the page
	PaymentMethodSave         string
	SubmitText                string // custom_text, as is TermsText
	TermsText                 string
	ClientSecret              string   `json:",omitzero"` // of an embedded session
	ReturnURL                 string   `json:",omitzero"`
	RedirectOnCompletion      string   `json:",omitzero"` // always, if_required or never
	ShippingOptions           []string `json:",omitzero"` // shipping rates
	ShippingRate              string   `json:",omitzero"` // the chosen one of ShippingOptions
}

// CheckoutLineItem is one line item of a session.
type CheckoutLineItem struct {
	ID       string
	Price    string
	Quantity int64
	TaxRates []string

	Adjustable       bool // by the buyer, from Minimum to Maximum
	Minimum, Maximum int64
}

const checkoutParams = "mode:payment|subscription|setup customer customer_email client_reference_id:200 success_url cancel_url " +
	"line_items[]{price " + inlinePrice + "quantity:int tax_rates[] adjustable_quantity{enabled:bool! minimum:int maximum:int}} metadata:map " +
	"subscription_data{metadata:map trial_period_days:int trial_end:time description:500 default_tax_rates[] trial_settings{end_behavior{missing_payment_method:cancel|create_invoice|pause!}!}} " +
	"payment_intent_data{metadata:map description:1000 setup_future_usage:on_session|off_session receipt_email shipping{address{city country line1! line2 postal_code state}! carrier name! phone tracking_number}} " +
	"allow_promotion_codes:bool discounts[]{coupon promotion_code} automatic_tax{enabled:bool!} billing_address_collection:auto|required currency:currency " +
	"customer_creation:always|if_required customer_update{address:auto|never name:auto|never shipping:auto|never} expires_at:time " + wire.Locales + " " +
	"payment_method_collection:always|if_required payment_method_types[] phone_number_collection{enabled:bool!} " +
	"consent_collection{terms_of_service:none|required promotions:auto|none} " +
	"custom_text{submit{message:1200!}? terms_of_service_acceptance{message:1200!}?} " +
	"saved_payment_method_options{allow_redisplay_filters[]:always|limited|unspecified payment_method_save:disabled|enabled} " +
	"shipping_options[]{shipping_rate shipping_rate_data{" + shippingRateParams + "}} " +
	"submit_type:auto|book|donate|pay tax_id_collection{enabled:bool! required:if_supported|never} " +
	"ui_mode:hosted|embedded return_url redirect_on_completion:always|if_required|never "

// checkoutSessions serves /v1/checkout/sessions.
type checkoutSessions struct{ *request }

func checkoutSessionResource() resource {
	return resource{
		objectType: "checkout.session",
		render: renderFrom(func(s *store) *table[*CheckoutSession] { return s.CheckoutSessions },
			bind(checkoutSessions.render)),
		scheduleTimers: func(r *request) {
			for _, cs := range r.store.CheckoutSessions.all {
				r.checkoutSessions.scheduleExpiry(cs)
			}
		},
		routes: []route{
			on("POST /v1/checkout/sessions", checkoutParams, checkoutSessions.create),
			on("GET /v1/checkout/sessions", listParams+"customer payment_intent payment_link subscription status:open|complete|expired customer_details{email!}", checkoutSessions.list),
			on("GET /v1/checkout/sessions/{id}", "", checkoutSessions.get),
			on("POST /v1/checkout/sessions/{id}", "metadata:map?", checkoutSessions.update),
			on("GET /v1/checkout/sessions/{id}/line_items", "limit:int starting_after ending_before", checkoutSessions.listLineItems),
			on("POST /v1/checkout/sessions/{id}/expire", "", checkoutSessions.expire),
		},
	}
}

func (h checkoutSessions) create(in *input) (any, error) {
	c, lines, err := h.validate(in)
	if err != nil {
		return nil, err
	}
	cs := &CheckoutSession{
		Mode: in.String("mode"), LineItems: lines, Metadata: in.Metadata(), Status: "open", PaymentStatus: "unpaid",
		ExpiresAt: in.IntOr("expires_at", h.now+checkoutSessionLifetime), PaymentMethodCollection: in.StringOr("payment_method_collection", "always"),
		MissingPaymentMethod: "create_invoice",
	}
	switch {
	case c != nil:
		cs.Customer = c.ID
	case cs.Mode == "payment":
		cs.CustomerCreation = "if_required"
	default: // recorded by onetimesecret
		cs.CustomerCreation = "always"
	}
	cs.setFields(in.Params)
	cs.Base = Base{ID: "cs_test_a1" + h.ids.token(56), Created: h.now}
	if in.String("ui_mode") == "embedded" {
		cs.ClientSecret, cs.RedirectOnCompletion = cs.ID+"_secret_"+h.ids.token(50), in.StringOr("redirect_on_completion", "always")
	}
	price, _ := h.store.Prices.get(lines[0].Price)
	cs.Currency = in.StringOr("currency", price.Currency)
	if cs.Mode == "subscription" && c != nil {
		if err := h.customers.checkCurrency(c.ID, cs.Currency); err != nil {
			return nil, err
		}
	}
	if err := h.setTaxRates(cs, in); err != nil {
		return nil, err
	}
	if err := h.setDiscount(cs, in); err != nil {
		return nil, err
	}
	if err := h.setShippingOptions(cs, in); err != nil {
		return nil, err
	}
	if err := h.checkTotal(cs); err != nil {
		return nil, err
	}
	h.store.CheckoutSessions.insert(cs)
	h.scheduleExpiry(cs)
	return h.render(cs), nil
}

func (cs *CheckoutSession) setFields(p wire.Params) {
	p.SetString("success_url", &cs.SuccessURL)
	p.SetString("cancel_url", &cs.CancelURL)
	p.SetString("return_url", &cs.ReturnURL)
	p.SetString("client_reference_id", &cs.ClientReferenceID)
	p.SetString("customer_email", &cs.CustomerEmail)
	p.SetString("customer_creation", &cs.CustomerCreation)
	p.SetString("locale", &cs.Locale)
	p.SetString("submit_type", &cs.SubmitType)
	p.SetString("billing_address_collection", &cs.BillingAddressCollection)
	p.SetBool("allow_promotion_codes", &cs.AllowPromotionCodes)
	p.At("automatic_tax").SetBool("enabled", &cs.AutomaticTax)
	p.At("tax_id_collection").SetBool("enabled", &cs.TaxIDCollection)
	cs.TaxIDRequired = p.At("tax_id_collection").StringOr("required", "never")
	p.At("phone_number_collection").SetBool("enabled", &cs.PhoneNumberCollection)
	if p.Has("payment_method_types") {
		cs.PaymentMethodTypes = p.Strings("payment_method_types")
	}
	p.At("consent_collection").SetString("terms_of_service", &cs.ConsentTerms)
	p.At("consent_collection").SetString("promotions", &cs.ConsentPromotions)
	p.At("custom_text").At("submit").SetString("message", &cs.SubmitText)
	p.At("custom_text").At("terms_of_service_acceptance").SetString("message", &cs.TermsText)
	p.At("saved_payment_method_options").SetStrings("allow_redisplay_filters", &cs.RedisplayFilters)
	p.At("saved_payment_method_options").SetString("payment_method_save", &cs.PaymentMethodSave)
	p.At("subscription_data").SetStrings("default_tax_rates", &cs.DefaultTaxRates)
	cs.UpdateName, cs.UpdateAddress = p.At("customer_update").String("name") == "auto", p.At("customer_update").String("address") == "auto"
	sub, intent := p.At("subscription_data"), p.At("payment_intent_data")
	cs.SubscriptionMetadata, cs.PaymentIntentMetadata = sub.Metadata(), intent.Metadata()
	sub.SetString("description", &cs.SubscriptionDescription)
	sub.SetInt("trial_period_days", &cs.TrialPeriodDays)
	sub.SetInt("trial_end", &cs.TrialEnd)
	sub.At("trial_settings").At("end_behavior").SetString("missing_payment_method", &cs.MissingPaymentMethod)
	intent.SetString("description", &cs.PaymentIntentDescription)
	intent.SetString("receipt_email", &cs.PaymentIntentReceiptEmail)
	setShipping(intent, &cs.PaymentIntentShipping)
	intent.SetString("setup_future_usage", &cs.SetupFutureUsage)
}

func (h checkoutSessions) find(in *input) (*CheckoutSession, error) {
	cs, ok := h.store.CheckoutSessions.get(in.pathValue("id"))
	if !ok {
		e := wire.NotFound("checkout.session", in.pathValue("id"), "")
		e.Message = "No such checkout.session: " + in.pathValue("id") // recorded by onetimesecret: without quotes and param
		return nil, e
	}
	return cs, nil
}

func (h checkoutSessions) get(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(cs), nil
}

func (h checkoutSessions) update(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.SetMetadata(&cs.Metadata)
	return h.render(cs), nil
}

func (h checkoutSessions) list(in *input) (any, error) {
	rows := h.store.CheckoutSessions.all
	for _, name := range []string{"customer", "subscription", "payment_intent", "payment_link"} {
		if in.Has(name) {
			rows = h.store.CheckoutSessions.by(name, in.String(name))
		}
	}
	email := in.At("customer_details").String("email")
	return listing[*CheckoutSession]{
		resource: "checkout.session", table: h.store.CheckoutSessions, rows: rows,
		filter: func(x *CheckoutSession) bool {
			return (!in.Has("status") || x.Status == in.String("status")) && (!in.Has("customer") || x.Customer == in.String("customer")) &&
				(email == "" || x.EnteredEmail == email)
		},
		render: h.render,
	}.page(in)
}

func (h checkoutSessions) listLineItems(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return pageOf(h.renderLineItems(cs), in)
}

func (h checkoutSessions) expire(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if cs.Status != "open" {
		return nil, wire.Invalid("", "", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `"+cs.Status+"`.")
	}
	h.expireSession(cs)
	return h.render(cs), nil
}

func (h checkoutSessions) scheduleExpiry(cs *CheckoutSession) {
	if cs.Status != "open" {
		return
	}
	h.schedule(accountClock, cs.ExpiresAt, func(r *request) {
		if cs.Status == "open" {
			r.checkoutSessions.expireSession(cs)
		}
	})
}

// expireSession expires a session. It also ends a subscription whose first payment was attempted
// through the session and is still incomplete.
func (h checkoutSessions) expireSession(cs *CheckoutSession) {
	h.keepInherited(cs)
	cs.Status, cs.ExpiresAt = "expired", min(cs.ExpiresAt, h.now)
	if sub, ok := h.store.Subscriptions.get(cs.Subscription); ok && sub.Status == "incomplete" {
		h.subscriptions.end(sub, "incomplete_expired", "cancellation_requested")
	}
	if cs.Mode == "payment" {
		h.paymentIntents.cancelByID(cs.PaymentIntent, "abandoned")
	}
	h.emit("checkout.session.expired", h.render(cs))
}

// embedded reports whether Stripe.js shows the session in a frame of the shop's page.
func (cs *CheckoutSession) embedded() bool { return cs.ClientSecret != "" }

func (cs *CheckoutSession) hasTrial() bool { return cs.TrialPeriodDays > 0 || cs.TrialEnd > 0 }

func (h checkoutSessions) render(cs *CheckoutSession) wire.Object {
	sums := h.totals(cs)
	o := wire.Object{
		"id": cs.ID, "object": "checkout.session", "after_expiration": nil, "allow_promotion_codes": nil,
		"amount_subtotal": sums.subtotal, "amount_total": sums.total(),
		"automatic_tax":              h.renderAutomaticTax(cs),
		"billing_address_collection": wire.StringOrNull(cs.BillingAddressCollection), "cancel_url": wire.StringOrNull(cs.CancelURL),
		"client_reference_id": wire.StringOrNull(cs.ClientReferenceID), "client_secret": nil, "consent": cs.renderConsent(),
		"consent_collection": cs.renderConsentCollection(), "created": cs.Created, "currency": cs.Currency, "currency_conversion": nil,
		"custom_fields": []any{}, "custom_text": cs.renderCustomText(),
		"customer": wire.Ref("customer", cs.Customer), "customer_creation": wire.StringOrNull(cs.CustomerCreation),
		"customer_details": h.renderCustomerDetails(cs), "customer_email": wire.StringOrNull(cs.CustomerEmail),
		"expires_at": cs.ExpiresAt, "invoice": wire.Ref("invoice", cs.Invoice), "invoice_creation": nil,
		"livemode": false, "locale": wire.StringOrNull(cs.Locale), "metadata": cs.Metadata, "mode": cs.Mode,
		"payment_intent": wire.Ref("payment_intent", ""), "payment_link": wire.Ref("payment_link", cs.PaymentLink),
		"payment_method_collection": cs.PaymentMethodCollection, "payment_method_configuration_details": nil,
		"payment_method_options": wire.Object{}, "payment_method_types": cs.paymentMethodTypes(), "payment_status": cs.PaymentStatus,
		"phone_number_collection": wire.Object{"enabled": cs.PhoneNumberCollection}, "recovered_from": nil,
		"saved_payment_method_options": cs.renderSavedOptions(), "setup_intent": nil, "shipping_address_collection": nil,
		"shipping_cost": h.renderShippingCost(cs), "shipping_details": nil, "shipping_options": h.renderShippingOptions(cs), "status": cs.Status,
		"submit_type": wire.StringOrNull(cs.SubmitType), "subscription": wire.Ref("subscription", cs.Subscription),
		"success_url":   wire.StringOrNull(cs.SuccessURL),
		"total_details": h.renderTotalDetails(cs),
		"ui_mode":       "hosted", "url": nil,
		"line_items": wire.Expandable(func() any { return h.renderLineItems(cs) }),
	}
	if cs.AllowPromotionCodes {
		o["allow_promotion_codes"] = true
	}
	if cs.TaxIDCollection {
		o["tax_id_collection"] = wire.Object{"enabled": true, "required": cs.TaxIDRequired}
	}
	h.renderMode(o, cs)
	return o
}

func (h checkoutSessions) renderMode(o wire.Object, cs *CheckoutSession) {
	switch {
	case cs.embedded():
		o["ui_mode"], o["redirect_on_completion"], o["return_url"] = "embedded", cs.RedirectOnCompletion, wire.StringOrNull(cs.ReturnURL)
		if cs.Status == "open" {
			o["client_secret"] = cs.ClientSecret
		}
	case cs.Status == "open":
		o["url"] = h.origin + "/c/pay/" + cs.ID
	}
	if cs.Mode == "payment" {
		o["payment_intent"] = wire.Ref("payment_intent", cs.PaymentIntent)
		o["payment_method_collection"] = "if_required"
		o["invoice_creation"] = wire.Object{"enabled": false, "invoice_data": wire.Object{
			"account_tax_ids": nil, "custom_fields": nil, "description": nil, "footer": nil, "issuer": nil,
			"metadata": wire.Object{}, "rendering_options": nil,
		}}
	}
}

// renderCustomerDetails renders the submitted details, or the details known before.
func (h checkoutSessions) renderCustomerDetails(cs *CheckoutSession) any {
	email, name := cs.EnteredEmail, cs.EnteredName
	if c, ok := h.store.Customers.get(cs.Customer); ok && email == "" {
		email = c.Email
	}
	if email == "" {
		email = cs.CustomerEmail
	}
	if email == "" {
		return nil
	}
	taxIDs := any(nil)
	if cs.Status == "complete" {
		taxIDs = []any{}
	}
	if cs.EnteredTaxID != "" && cs.Status == "complete" {
		taxIDs = []any{wire.Object{"type": taxIDType(cs.EnteredTaxID), "value": cs.EnteredTaxID}}
	}
	return wire.Object{
		"address": cs.EnteredAddress.render(), "email": email, "name": wire.StringOrNull(name), "phone": wire.StringOrNull(cs.EnteredPhone), "tax_exempt": "none", "tax_ids": taxIDs,
	}
}

func (h checkoutSessions) renderLineItems(cs *CheckoutSession) wire.Object {
	data := []any{}
	sums := h.totals(cs)
	for i, l := range cs.LineItems {
		data = append(data, h.renderLineItem(cs, l, sums.lines[i]))
	}
	return wire.List("/v1/checkout/sessions/"+cs.ID+"/line_items", data, false)
}

func (h checkoutSessions) renderLineItem(cs *CheckoutSession, l CheckoutLineItem, sums lineItemTotals) wire.Object {
	o := wire.Object{
		"id": l.ID, "object": "item", "amount_discount": 0, "amount_subtotal": 0, "amount_tax": 0, "amount_total": 0,
		"currency": cs.Currency, "description": "", "price": nil, "quantity": l.Quantity,
	}
	if p, ok := h.store.Prices.get(l.Price); ok {
		o["price"], o["description"] = h.prices.render(p), h.prices.productName(p)
		o["amount_subtotal"], o["amount_discount"], o["amount_total"] = sums.subtotal, sums.discount, sums.subtotal-sums.discount+sums.exclusive
		o["amount_tax"] = sums.tax
	}
	return o
}
