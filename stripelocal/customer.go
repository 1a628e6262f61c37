package stripelocal

import (
	"slices"
	"strings"
)

// Customer is who pays.
type Customer struct {
	Base
	Address              *Address
	Balance              int64 // minor units; negative is credit
	Currency             string
	Delinquent           bool
	Deleted              bool
	Description          string
	Email                string
	InvoicePrefix        string
	DefaultPaymentMethod string
	DefaultSource        string // a card of the older kind, made of a token
	Footer               string
	Metadata             map[string]string
	Name                 string
	NextInvoice          int64
	Phone                string
	Locales              []string
	Shipping             *Shipping
	TaxExempt            string
	TestClock            string
}

// Address is a postal address; empty lines are null.
type Address struct{ City, Country, Line1, Line2, PostalCode, State string }

const (
	addressLines   = "{city? country? line1? line2? postal_code? state?}"
	addressParams  = addressLines + "? "
	customerParams = "address" + addressParams + "balance:int description? email:512? invoice_prefix metadata:map? name:256? next_invoice_sequence:int phone:20? " +
		"preferred_locales[] shipping{address" + addressLines + "! name! phone}? source tax_exempt:exempt|none|reverse? invoice_settings{default_payment_method? footer?} "
)

func customerResource() resource {
	return resource{
		kind: "customer",
		render: finder(func(s *state) *table[*Customer] { return s.Customers },
			func(a *act, c *Customer) object { return a.renderCustomer(c) }),
		routes: []route{
			{"POST /v1/customers", customerParams + "payment_method test_clock", (*act).createCustomer},
			{"GET /v1/customers", listParams + "email:512 test_clock", (*act).listCustomers},
			{"GET /v1/customers/{id}", "", (*act).getCustomer},
			{"POST /v1/customers/{id}", customerParams, (*act).updateCustomer},
			{"DELETE /v1/customers/{id}", "", (*act).deleteCustomer},
			{"POST /v1/customers/{id}/sources", "source! metadata:map", (*act).createSource},
			{"GET /v1/customers/{id}/sources", "object limit:int starting_after ending_before", (*act).listSources},
			{"DELETE /v1/customers/{id}/sources/{source}", "", (*act).deleteSource},
		},
	}
}

func (a *act) createCustomer(in *input) (any, error) {
	if err := checkEmail(in.params); err != nil {
		return nil, err
	}
	if err := a.checkClock(in.params); err != nil {
		return nil, err
	}
	method, err := a.firstMethod(in.params)
	if err != nil {
		return nil, err
	}
	c := &Customer{TestClock: in.str("test_clock"), TaxExempt: "none", NextInvoice: 1, Metadata: in.metadata()}
	c.take(in.params)
	if in.at("invoice_settings").str("default_payment_method") != "" {
		c.DefaultPaymentMethod = method.ID
	}
	a.addCustomer(c)
	if method != nil {
		a.attach(method, c)
	}
	if method != nil && isSource(method) {
		a.addSource(c, method)
	}
	return a.renderCustomer(c), nil
}

// firstMethod is the card that a customer is to begin with.
func (a *act) firstMethod(p params) (*PaymentMethod, error) {
	var method *PaymentMethod
	var err error
	switch preferred := p.at("invoice_settings").str("default_payment_method"); {
	case preferred != "" && preferred != p.str("payment_method"):
		return nil, notTheirs(preferred)
	case p.has("payment_method"):
		method, err = a.usableMethod(p.str("payment_method"), "payment_method")
	case p.has("source"):
		method, err = a.methodOfToken(p.str("source"), "source", "card_1")
	}
	if err != nil || method == nil {
		return nil, err
	}
	return method, a.checkAttachable(method, "")
}

// checkAttachable says whether a customer may have a card.
func (a *act) checkAttachable(pm *PaymentMethod, customer string) error {
	if pm.Customer != "" && pm.Customer != customer {
		return invalid("", "", "The payment method you provided has already been attached to a customer.")
	}
	if result, decline := pm.setupOutcome(); result == refused {
		return declined(decline)
	}
	return nil
}

func notTheirs(id string) *Error {
	return invalid("resource_missing", "invoice_settings[default_payment_method]", "The customer does not have a payment method with the ID "+id+". The payment method must be attached to the customer.")
}

// addCustomer stores a customer and tells of it.
func (a *act) addCustomer(c *Customer) {
	c.Base = Base{ID: a.ids.short("cus_"), Created: a.nowFor(c)}
	if c.InvoicePrefix == "" {
		c.InvoicePrefix = strings.ToUpper(a.ids.token(8))
	}
	a.state.Customers.insert(c)
	a.emit("customer.created", a.renderCustomer(c))
}

func checkEmail(p params) *Error {
	email := p.str("email")
	if email == "" || looksLikeEmail(email) {
		return nil
	}
	return invalid("email_invalid", "email", "Invalid email address: "+email)
}

func looksLikeEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t\r\n") && len(s) <= 512
}

// take carries parameters over; what an index is made of is changed by the
// caller inside table.change.
func (c *Customer) take(p params) {
	p.setAddress("address", &c.Address)
	p.setNum("balance", &c.Balance)
	p.setStr("description", &c.Description)
	p.setStr("email", &c.Email)
	p.setStr("invoice_prefix", &c.InvoicePrefix)
	p.setStr("name", &c.Name)
	p.setNum("next_invoice_sequence", &c.NextInvoice)
	p.setStr("phone", &c.Phone)
	p.setMetadata(&c.Metadata)
	p.setShipping(&c.Shipping)
	if p.has("preferred_locales") {
		c.Locales = p.strs("preferred_locales")
	}
	if p.has("tax_exempt") {
		c.TaxExempt = p.strOr("tax_exempt", "none")
	}
	p.at("invoice_settings").setStr("default_payment_method", &c.DefaultPaymentMethod)
	p.at("invoice_settings").setStr("footer", &c.Footer)
}

func (p params) setAddress(name string, into **Address) {
	if !p.has(name) {
		return
	}
	sent := p.at(name)
	if sent.n.isScalar {
		*into = nil
		return
	}
	changed := Address{}
	if *into != nil {
		changed = **into
	}
	sent.setStr("city", &changed.City)
	sent.setStr("country", &changed.Country)
	sent.setStr("line1", &changed.Line1)
	sent.setStr("line2", &changed.Line2)
	sent.setStr("postal_code", &changed.PostalCode)
	sent.setStr("state", &changed.State)
	*into = &changed
}

// customerAt finds the customer of a path. A deleted one is still there.
func (a *act) customerAt(in *input) (*Customer, error) {
	c, ok := a.state.Customers.get(in.path("id"))
	if !ok {
		return nil, notFound("customer", in.path("id"), "id")
	}
	return c, nil
}

// customerOf finds a living customer that a parameter names.
func (a *act) customerOf(p params, param string) (*Customer, error) {
	c, ok := a.state.Customers.get(p.str(param))
	if !ok || c.Deleted {
		return nil, noSuch("customer", p.str(param), p.name(param))
	}
	return c, nil
}

func (a *act) getCustomer(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderCustomer(c), nil
}

func (a *act) updateCustomer(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err == nil && c.Deleted {
		err = notFound("customer", c.ID, "id")
	}
	if err == nil {
		err = a.checkCustomerUpdate(c, in.params)
	}
	if err != nil {
		return nil, err
	}
	var source *PaymentMethod
	if in.has("source") {
		if source, err = a.methodOfToken(in.str("source"), "source", "card_1"); err == nil {
			err = a.checkAttachable(source, c.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	a.changeCustomer(c, func() { c.take(in.params) })
	if source != nil {
		a.attach(source, c)
		a.addSource(c, source)
	}
	return a.renderCustomer(c), nil
}

func (a *act) checkCustomerUpdate(c *Customer, p params) error {
	if err := checkEmail(p); err != nil {
		return err
	}
	id := p.at("invoice_settings").str("default_payment_method")
	if pm, ok := a.state.PaymentMethods.get(id); id != "" && (!ok || pm.Customer != c.ID) {
		return notTheirs(id)
	}
	return nil
}

// changeCustomer runs f and tells of what it changed.
func (a *act) changeCustomer(c *Customer, f func()) {
	before := a.renderCustomer(c)
	a.state.Customers.change(c, f)
	a.emitUpdate("customer.updated", before, a.renderCustomer(c))
}

func (a *act) deleteCustomer(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err == nil && c.Deleted {
		err = notFound("customer", c.ID, "id")
	}
	if err != nil {
		return nil, err
	}
	a.removeCustomer(c)
	return a.renderCustomer(c), nil
}

// releaseMethods takes a deleted customer's cards from it; nobody can use them again.
func (a *act) releaseMethods(c *Customer) {
	for _, pm := range slices.Clone(a.state.PaymentMethods.by("customer", c.ID)) {
		a.state.PaymentMethods.change(pm, func() { pm.Customer, pm.Spent = "", true })
	}
}

func (a *act) listCustomers(in *input) (any, error) {
	rows := a.state.Customers.all
	if in.has("email") {
		rows = a.state.Customers.by("email", in.str("email"))
	}
	return listing[*Customer]{
		what: "customer", table: a.state.Customers, rows: rows,
		keep:   func(c *Customer) bool { return !c.Deleted && c.TestClock == in.str("test_clock") },
		render: func(c *Customer) object { return a.renderCustomer(c) },
	}.page(in)
}

func (a *act) renderCustomer(c *Customer) object {
	if c.Deleted {
		return object{"id": c.ID, "object": "customer", "deleted": true}
	}
	return object{
		"id": c.ID, "object": "customer", "created": c.Created, "livemode": false,
		"address": c.Address.render(), "balance": c.Balance, "currency": orNull(c.Currency),
		"default_source": ref{"card", c.DefaultSource}, "delinquent": c.Delinquent, "description": orNull(c.Description),
		"discount": nil, "email": orNull(c.Email), "invoice_prefix": c.InvoicePrefix,
		"invoice_settings": object{
			"custom_fields": nil, "default_payment_method": ref{"payment_method", c.DefaultPaymentMethod},
			"footer": orNull(c.Footer), "rendering_options": nil,
		},
		"metadata": c.Metadata, "name": orNull(c.Name), "next_invoice_sequence": c.NextInvoice,
		"phone": orNull(c.Phone), "preferred_locales": c.Locales, "shipping": c.Shipping.render(),
		"tax_exempt": c.TaxExempt, "test_clock": ref{"test_clock", c.TestClock},
		"subscriptions": hidden(func() any { return a.subscriptionsOf(c) }),
		"sources":       hidden(func() any { return a.sourcesOf(c) }),
		"tax_ids":       hidden(func() any { return listObject("/v1/customers/"+c.ID+"/tax_ids", []any{}, false) }),
	}
}

// subscriptionsOf is the expandable list inside a customer: its living ones,
// at most ten, newest first.
func (a *act) subscriptionsOf(c *Customer) object {
	data, more := []any{}, false
	rows := a.state.Subscriptions.by("customer", c.ID)
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].Status == "canceled" {
			continue
		}
		if len(data) == 10 {
			more = true
			break
		}
		data = append(data, a.renderSubscription(rows[i]))
	}
	return listObject("/v1/customers/"+c.ID+"/subscriptions", data, more)
}

func (x *Address) render() any {
	if x == nil {
		return nil
	}
	return object{
		"city": orNull(x.City), "country": orNull(x.Country), "line1": orNull(x.Line1),
		"line2": orNull(x.Line2), "postal_code": orNull(x.PostalCode), "state": orNull(x.State),
	}
}
