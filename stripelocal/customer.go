package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// Customer is a customer of the account.
type Customer struct {
	Base
	Address              *Address
	Balance              int64 // minor units; negative is a credit
	Currency             string
	Delinquent           bool
	Deleted              bool
	Description          string
	Email                string
	InvoicePrefix        string
	DefaultPaymentMethod string
	DefaultSource        string // a legacy card source
	Discount             *Discount
	InvoiceFooter        string
	Metadata             map[string]string
	Name                 string
	NextInvoiceSequence  int64
	Phone                string
	PreferredLocales     []string
	Shipping             *Shipping
	TaxExempt            string
	TestClock            string
}

const customerParams = "address" + addressParams + "balance:int description? email:512? invoice_prefix metadata:map? name:256? next_invoice_sequence:int phone:20? " +
	"preferred_locales[] shipping{address" + addressLines + "! name! phone}? source tax_exempt:exempt|none|reverse? invoice_settings{default_payment_method? footer?} " + customerDiscountParams

// customers serves /v1/customers.
type customers struct{ *request }

func customerResource() resource {
	return resource{
		objectType: "customer",
		render: renderFrom(func(s *store) *table[*Customer] { return s.Customers },
			bind(customers.render)),
		scheduleTimers: func(r *request) {
			for _, c := range r.store.Customers.all {
				r.discounts.scheduleEnd(c)
			}
		},
		routes: append([]route{
			on("POST /v1/customers", customerParams+"payment_method test_clock tax_id_data[]{"+taxIDTypes+"}", customers.create),
			on("GET /v1/customers", listParams+"email:512 test_clock", customers.list),
			on("GET /v1/customers/{id}", "", customers.get),
			on("POST /v1/customers/{id}", customerParams, customers.update),
			on("DELETE /v1/customers/{id}", "", customers.delete),
			on("POST /v1/customers/{id}/sources", "source! metadata:map", sources.create),
			on("GET /v1/customers/{id}/sources", "object limit:int starting_after ending_before", sources.list),
			on("GET /v1/customers/{id}/sources/{source}", "", sources.get),
			on("POST /v1/customers/{id}/sources/{source}", cardUpdateParams, sources.update),
			on("DELETE /v1/customers/{id}/sources/{source}", "", sources.delete),
			on("POST /v1/customers/{id}/cards", "source! metadata:map", sources.create),
			on("GET /v1/customers/{id}/cards", pageParams, sources.list),
			on("GET /v1/customers/{id}/cards/{source}", "", sources.get),
			on("POST /v1/customers/{id}/cards/{source}", cardUpdateParams, sources.update),
			on("DELETE /v1/customers/{id}/cards/{source}", "", sources.delete),
			on("GET /v1/customers/{id}/payment_methods/{payment_method}", "", paymentMethods.getOfCustomer),
		}, customerSubscriptionRoutes()...),
	}
}

func (h customers) create(in *input) (any, error) {
	if err := checkEmail(in.Params); err != nil {
		return nil, err
	}
	if err := h.testClocks.checkAssignable(in.Params); err != nil {
		return nil, err
	}
	for _, p := range in.List("tax_id_data") {
		if err := checkTaxID(p); err != nil {
			return nil, err
		}
	}
	method, err := h.paymentMethods.initialFromParams(in.Params)
	if err != nil {
		return nil, err
	}
	c := &Customer{TestClock: in.String("test_clock"), TaxExempt: "none", NextInvoiceSequence: 1, Metadata: in.Metadata()}
	c.setFields(in.Params)
	if in.At("invoice_settings").String("default_payment_method") != "" {
		c.DefaultPaymentMethod = method.ID
	}
	discount, _, err := h.discounts.forCustomer(c, in.Params)
	if err != nil {
		return nil, err
	}
	if discount != nil {
		c.Discount = discount
		h.discounts.redeem(*discount)
	}
	h.insert(c)
	h.discounts.emitCreatedFor(c)
	if c.Balance != 0 {
		h.customerBalances.record(c, CustomerBalanceTransaction{Amount: c.Balance, Type: "initial"})
	}
	for _, p := range in.List("tax_id_data") {
		h.taxIDs.insert(c, p.String("type"), p.String("value"))
	}
	if method != nil {
		h.paymentMethods.attachTo(method, c)
	}
	if method != nil && isSource(method) {
		h.sources.insertDefault(c, method)
	}
	return h.render(c), nil
}

// insert stores a customer and emits customer.created.
func (h customers) insert(c *Customer) {
	c.Base = Base{ID: h.ids.shortID("cus_"), Created: h.timeFor(c)}
	if c.InvoicePrefix == "" {
		c.InvoicePrefix = strings.ToUpper(h.ids.token(8))
	}
	h.store.Customers.insert(c)
	h.emit("customer.created", h.render(c))
}

func checkEmail(p wire.Params) *wire.Error {
	email := p.String("email")
	if email == "" || looksLikeEmail(email) {
		return nil
	}
	return wire.Invalid("email_invalid", "email", "Invalid email address: "+email)
}

func looksLikeEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t\r\n") && len(s) <= 512
}

// setFields copies parameters to the customer. The caller runs it inside table.change, because
// indexes depend on its fields.
func (c *Customer) setFields(p wire.Params) {
	setAddress(p, "address", &c.Address)
	p.SetInt("balance", &c.Balance)
	p.SetString("description", &c.Description)
	p.SetString("email", &c.Email)
	p.SetString("invoice_prefix", &c.InvoicePrefix)
	p.SetString("name", &c.Name)
	p.SetInt("next_invoice_sequence", &c.NextInvoiceSequence)
	p.SetString("phone", &c.Phone)
	p.SetMetadata(&c.Metadata)
	setShipping(p, &c.Shipping)
	if p.Has("preferred_locales") {
		c.PreferredLocales = p.Strings("preferred_locales")
	}
	if p.Has("tax_exempt") {
		c.TaxExempt = p.StringOr("tax_exempt", "none")
	}
	p.At("invoice_settings").SetString("default_payment_method", &c.DefaultPaymentMethod)
	p.At("invoice_settings").SetString("footer", &c.InvoiceFooter)
}

// find returns the customer of the path. It returns deleted customers too.
func (h customers) find(in *input) (*Customer, error) {
	c, ok := h.store.Customers.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("customer", in.pathValue("id"), "id")
	}
	return c, nil
}

// fromParam returns the existing customer that a parameter names.
func (h customers) fromParam(p wire.Params, param string) (*Customer, error) {
	c, ok := h.store.Customers.get(p.String(param))
	if !ok || c.Deleted {
		return nil, wire.NoSuch("customer", p.String(param), p.Name(param))
	}
	return c, nil
}

func (h customers) get(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(c), nil
}

func (h customers) update(in *input) (any, error) {
	c, err := h.find(in)
	if err == nil && c.Deleted {
		err = wire.NotFound("customer", c.ID, "id")
	}
	if err == nil {
		err = h.validateUpdate(c, in.Params)
	}
	if err != nil {
		return nil, err
	}
	discount, given, err := h.discounts.forCustomer(c, in.Params)
	if err != nil {
		return nil, err
	}
	var source *PaymentMethod
	if in.Has("source") {
		if source, err = h.paymentMethods.fromToken(in.String("source"), "source", "card_1"); err == nil {
			err = checkAttachable(source, c.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	balance := c.Balance
	h.change(c, func() {
		c.setFields(in.Params)
		if given {
			h.discounts.setOnCustomer(c, discount)
		}
	})
	if c.Balance != balance {
		h.customerBalances.record(c, CustomerBalanceTransaction{Amount: c.Balance - balance, Type: "adjustment"})
	}
	if source != nil {
		h.paymentMethods.attachTo(source, c)
		h.sources.insertDefault(c, source)
		h.dunning.retryAfterSource(c)
	}
	return h.render(c), nil
}

func (h customers) validateUpdate(c *Customer, p wire.Params) error {
	if err := checkEmail(p); err != nil {
		return err
	}
	id := p.At("invoice_settings").String("default_payment_method")
	if pm, ok := h.store.PaymentMethods.get(id); id != "" && (!ok || pm.Customer != c.ID) {
		return notAttachedError(id)
	}
	return nil
}

// change runs f and emits customer.updated if a rendered field changed.
func (h customers) change(c *Customer, f func()) {
	before := h.render(c)
	h.store.Customers.change(c, f)
	h.emitUpdate("customer.updated", before, h.render(c))
}

func (h customers) delete(in *input) (any, error) {
	c, err := h.find(in)
	if err == nil && c.Deleted {
		err = wire.NotFound("customer", c.ID, "id")
	}
	if err == nil {
		err = h.cashBalances.checkDeletable(c.ID)
	}
	if err != nil {
		return nil, err
	}
	h.remove(c)
	return h.render(c), nil
}

func (h customers) list(in *input) (any, error) {
	rows := h.store.Customers.all
	if in.Has("email") {
		rows = h.store.Customers.by("email", in.String("email"))
	}
	return listing[*Customer]{
		resource: "customer", table: h.store.Customers, rows: rows,
		filter: func(c *Customer) bool { return !c.Deleted && c.TestClock == in.String("test_clock") },
		render: h.render,
	}.page(in)
}

func (h customers) render(c *Customer) wire.Object {
	if c.Deleted {
		return wire.Object{"id": c.ID, "object": "customer", "deleted": true}
	}
	o := wire.Object{
		"id": c.ID, "object": "customer", "created": c.Created, "livemode": false,
		"address": c.Address.render(), "balance": c.Balance, "currency": wire.StringOrNull(c.Currency),
		"default_source": wire.Ref("card", c.DefaultSource), "delinquent": c.Delinquent, "description": wire.StringOrNull(c.Description),
		"discount": nil, "email": wire.StringOrNull(c.Email), "invoice_prefix": c.InvoicePrefix,
		"invoice_settings": wire.Object{
			"custom_fields": nil, "default_payment_method": wire.Ref("payment_method", c.DefaultPaymentMethod),
			"footer": wire.StringOrNull(c.InvoiceFooter), "rendering_options": nil,
		},
		"metadata": c.Metadata, "name": wire.StringOrNull(c.Name), "next_invoice_sequence": c.NextInvoiceSequence,
		"phone": wire.StringOrNull(c.Phone), "preferred_locales": c.PreferredLocales, "shipping": c.Shipping.render(),
		"tax_exempt": c.TaxExempt, "test_clock": wire.Ref("test_clock", c.TestClock),
		"subscriptions":          wire.Expandable(func() any { return h.renderSubscriptions(c) }),
		"sources":                wire.Expandable(func() any { return h.sources.renderList(c) }),
		"tax":                    wire.Expandable(func() any { return c.renderTax() }),
		"invoice_credit_balance": wire.Expandable(func() any { return c.invoiceCreditBalance() }),
		"cash_balance":           wire.Expandable(func() any { return h.cashBalances.ofCustomer(c.ID).render() }),
		"tax_ids":                wire.Expandable(func() any { return h.taxIDs.renderForCustomer(c) }),
	}
	if c.Discount != nil {
		o["discount"] = h.discounts.renderOfCustomer(c)
	}
	return o
}

// renderTax is what Stripe Tax knows of the customer's place.
func (c *Customer) renderTax() wire.Object {
	o := wire.Object{"automatic_tax": "unrecognized_location", "ip_address": nil, "location": nil}
	if c.Address != nil && len(c.Address.Country) == 2 {
		o["automatic_tax"] = "supported"
		o["location"] = wire.Object{"country": c.Address.Country, "source": "billing_address", "state": wire.StringOrNull(c.Address.State)}
	}
	return o
}

// invoiceCreditBalance is the customer's balance by currency.
func (c *Customer) invoiceCreditBalance() wire.Object {
	if c.Currency == "" {
		return wire.Object{}
	}
	return wire.Object{c.Currency: c.Balance}
}

// renderSubscriptions renders the expandable list of a customer's subscriptions: at most ten,
// newest first, canceled ones excluded.
func (h customers) renderSubscriptions(c *Customer) wire.Object {
	data, more := []any{}, false
	rows := h.store.Subscriptions.by("customer", c.ID)
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].Status == "canceled" {
			continue
		}
		if len(data) == 10 {
			more = true
			break
		}
		data = append(data, h.subscriptions.render(rows[i]))
	}
	return wire.List("/v1/customers/"+c.ID+"/subscriptions", data, more)
}

// remove cancels a customer's subscriptions and deletes the customer. It can still be read by id.
func (h customers) remove(c *Customer) {
	if c.Deleted {
		return
	}
	for _, sub := range h.store.Subscriptions.by("customer", c.ID) {
		if !sub.hasEnded() {
			h.subscriptions.end(sub, "canceled", "cancellation_requested")
		}
	}
	h.schedules.cancelNotStarted(c)
	rendered := h.render(c)
	h.paymentMethods.releaseAll(c)
	h.store.Customers.change(c, func() { c.Deleted, c.Discount = true, nil })
	h.emit("customer.deleted", rendered)
}

// setDelinquent sets whether the customer's latest invoice payment failed.
func (h customers) setDelinquent(customer string, delinquent bool) {
	c, ok := h.store.Customers.get(customer)
	if ok && !c.Deleted && c.Delinquent != delinquent {
		h.change(c, func() { c.Delinquent = delinquent })
	}
}

// onTestClock reports whether a customer is on a test clock. Lists exclude such customers' objects
// by default.
func (h customers) onTestClock(customer string) bool {
	c, ok := h.store.Customers.get(customer)
	return ok && c.TestClock != ""
}
