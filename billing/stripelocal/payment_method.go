package stripelocal

// PaymentMethod is a card. Its number is always one of Stripe's test cards.
type PaymentMethod struct {
	Base
	Number        string
	Brand         string
	ExpMonth      int64
	ExpYear       int64
	Customer      string
	Email         string
	Name          string
	Address       *Address
	Authenticated bool // passed 3-D Secure once
	Metadata      map[string]string
}

const billingDetailsParams = "billing_details{address" + addressParams + "email? name? phone?} "

func paymentMethodResource() resource {
	return resource{
		kind: "payment_method",
		render: finder(func(s *state) *table[*PaymentMethod] { return s.PaymentMethods },
			func(a *act, p *PaymentMethod) object { return a.renderPaymentMethod(p) }),
		routes: []route{
			{"POST /v1/payment_methods", "type:card|link! card{number exp_month:int exp_year:int cvc token} metadata:map? " + billingDetailsParams, (*act).createPaymentMethod},
			{"GET /v1/payment_methods", listParams + "customer type", (*act).listPaymentMethods},
			{"GET /v1/customers/{id}/payment_methods", listParams + "type", (*act).listCustomerMethods},
			{"GET /v1/payment_methods/{id}", "", (*act).getPaymentMethod},
			{"POST /v1/payment_methods/{id}", "metadata:map? card{exp_month:int exp_year:int} " + billingDetailsParams, (*act).updatePaymentMethod},
			{"POST /v1/payment_methods/{id}/attach", "customer!", (*act).attachPaymentMethod},
			{"POST /v1/payment_methods/{id}/detach", "", (*act).detachPaymentMethod},
		},
	}
}

func (a *act) createPaymentMethod(in *input) (any, error) {
	card, known := cardByNumber(digitsOf(in.at("card").str("number")))
	if !known {
		return nil, &Error{Status: 402, Type: "card_error", Code: "incorrect_number", Param: "card[number]", Message: "Your card number is incorrect."}
	}
	pm := a.newMethod(card, in.at("card").num("exp_month"), in.at("card").num("exp_year"))
	pm.Metadata = in.metadata()
	pm.takeBilling(in.at("billing_details"))
	return a.renderPaymentMethod(pm), nil
}

// newMethod stores a card that belongs to nobody yet.
func (a *act) newMethod(card testCard, month, year int64) *PaymentMethod {
	pm := &PaymentMethod{
		Base: Base{ID: a.ids.long("pm_1"), Created: a.at}, Number: card.number, Brand: card.brand,
		ExpMonth: month, ExpYear: year, Metadata: map[string]string{},
	}
	a.state.PaymentMethods.insert(pm)
	return pm
}

func (p *PaymentMethod) takeBilling(from params) {
	from.setStr("email", &p.Email)
	from.setStr("name", &p.Name)
	from.setAddress("address", &p.Address)
}

// usableMethod finds a payment method to be used, making one of a pm_card_…
// token.
func (a *act) usableMethod(id, param string) (*PaymentMethod, error) {
	if pm, ok := a.state.PaymentMethods.get(id); ok {
		return pm, nil
	}
	if card, ok := cardByToken(id); ok {
		return a.newMethod(card, 12, 2040), nil
	}
	return nil, noSuch("PaymentMethod", id, param)
}

func (a *act) attachPaymentMethod(in *input) (any, error) {
	pm, err := a.usableMethod(in.path("id"), "payment_method")
	if err != nil {
		return nil, err
	}
	c, err := a.customerOf(in.params, "customer")
	if err != nil {
		return nil, err
	}
	if pm.Customer != "" && pm.Customer != c.ID {
		return nil, invalid("", "", "The payment method you provided has already been attached to a customer.")
	}
	if result, decline := pm.setupOutcome(); result == refused {
		return nil, declined(decline)
	}
	a.attach(pm, c)
	return a.renderPaymentMethod(pm), nil
}

func (a *act) attach(pm *PaymentMethod, c *Customer) {
	if pm.Customer == c.ID {
		return
	}
	a.state.PaymentMethods.change(pm, func() { pm.Customer = c.ID })
	a.emit("payment_method.attached", a.renderPaymentMethod(pm))
}

func (a *act) detachPaymentMethod(in *input) (any, error) {
	pm, err := a.methodAt(in)
	if err != nil {
		return nil, err
	}
	if pm.Customer == "" {
		return nil, invalid("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	before := a.renderPaymentMethod(pm)
	a.forgetMethod(pm)
	a.state.PaymentMethods.change(pm, func() { pm.Customer = "" })
	a.emitUpdate("payment_method.detached", before, a.renderPaymentMethod(pm))
	return a.renderPaymentMethod(pm), nil
}

// forgetMethod takes a card out of where it was the default.
func (a *act) forgetMethod(pm *PaymentMethod) {
	c, ok := a.state.Customers.get(pm.Customer)
	if ok && c.DefaultPaymentMethod == pm.ID {
		a.changeCustomer(c, func() { c.DefaultPaymentMethod = "" })
	}
	for _, sub := range a.state.Subscriptions.by("customer", pm.Customer) {
		if sub.DefaultPaymentMethod == pm.ID && !sub.ended() {
			a.changeSubscription(sub, func() { sub.DefaultPaymentMethod = "" })
		}
	}
}

func (a *act) methodAt(in *input) (*PaymentMethod, error) {
	pm, ok := a.state.PaymentMethods.get(in.path("id"))
	if !ok {
		return nil, notFound("PaymentMethod", in.path("id"), "payment_method")
	}
	return pm, nil
}

func (a *act) getPaymentMethod(in *input) (any, error) {
	pm, err := a.methodAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderPaymentMethod(pm), nil
}

func (a *act) updatePaymentMethod(in *input) (any, error) {
	pm, err := a.methodAt(in)
	if err != nil {
		return nil, err
	}
	before := a.renderPaymentMethod(pm)
	pm.takeBilling(in.at("billing_details"))
	in.setMetadata(&pm.Metadata)
	in.at("card").setNum("exp_month", &pm.ExpMonth)
	in.at("card").setNum("exp_year", &pm.ExpYear)
	a.emitUpdate("payment_method.updated", before, a.renderPaymentMethod(pm))
	return a.renderPaymentMethod(pm), nil
}

func (a *act) listPaymentMethods(in *input) (any, error) {
	return a.pageMethods(in, in.str("customer"))
}

func (a *act) listCustomerMethods(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err != nil {
		return nil, err
	}
	return a.pageMethods(in, c.ID)
}

// pageMethods lists a customer's cards; without a customer Stripe lists none.
func (a *act) pageMethods(in *input, customer string) (any, error) {
	return listing[*PaymentMethod]{
		what: "payment_method", table: a.state.PaymentMethods, rows: a.state.PaymentMethods.by("customer", customer),
		keep:   func(*PaymentMethod) bool { return in.strOr("type", "card") == "card" },
		render: func(p *PaymentMethod) object { return a.renderPaymentMethod(p) },
	}.page(in)
}

func (p *PaymentMethod) last4() string { return p.Number[len(p.Number)-4:] }

func (p *PaymentMethod) renderBilling() object {
	address := p.Address
	if address == nil {
		address = &Address{}
	}
	return object{"address": address.render(), "email": orNull(p.Email), "name": orNull(p.Name), "phone": nil}
}

func (a *act) renderPaymentMethod(p *PaymentMethod) object {
	return object{
		"id": p.ID, "object": "payment_method", "created": p.Created, "livemode": false, "type": "card",
		"allow_redisplay": "unspecified", "billing_details": p.renderBilling(),
		"customer": ref{"customer", p.Customer}, "metadata": p.Metadata,
		"card": object{
			"brand": p.Brand, "checks": cardChecks(), "country": "US", "display_brand": p.Brand,
			"exp_month": p.ExpMonth, "exp_year": p.ExpYear, "fingerprint": p.fingerprint(), "funding": "credit",
			"generated_from": nil, "last4": p.last4(),
			"networks":             object{"available": []any{p.Brand}, "preferred": nil},
			"three_d_secure_usage": object{"supported": true}, "wallet": nil,
		},
	}
}

func cardChecks() object {
	return object{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": "pass"}
}

// fingerprint is the same for the same card number.
func (p *PaymentMethod) fingerprint() string { return fingerprint(p.Number)[:16] }
