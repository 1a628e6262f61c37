package stripelocal

import "cmp"

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
	Phone         string
	Address       *Address
	Redisplay     string // empty: unspecified
	Authenticated bool   // passed 3-D Secure once
	Bank          bool   // a bank account, not a card
	Spent         bool   // paid for nobody in particular, or was detached: not to be used again
	Metadata      map[string]string
}

const billingDetailsParams = "billing_details{address" + addressParams + "email? name? phone?} "

func paymentMethodResource() resource {
	return resource{
		kind: "payment_method",
		render: finder(func(s *state) *table[*PaymentMethod] { return s.PaymentMethods },
			func(a *act, p *PaymentMethod) object { return a.renderPaymentMethod(p) }),
		routes: []route{
			{"POST /v1/payment_methods", "type! card{number exp_month:int exp_year:int cvc token} allow_redisplay:always|limited|unspecified metadata:map " + billingDetailsParams, (*act).createPaymentMethod},
			{"GET /v1/payment_methods", pageParams + "customer type", (*act).listPaymentMethods},
			{"GET /v1/customers/{id}/payment_methods", pageParams + "type", (*act).listCustomerMethods},
			{"GET /v1/payment_methods/{id}", "", (*act).getPaymentMethod},
			{"POST /v1/payment_methods/{id}", "metadata:map? card{exp_month:int exp_year:int} allow_redisplay:always|limited|unspecified " + billingDetailsParams, (*act).updatePaymentMethod},
			{"POST /v1/payment_methods/{id}/attach", "customer!", (*act).attachPaymentMethod},
			{"POST /v1/payment_methods/{id}/detach", "", (*act).detachPaymentMethod},
		},
	}
}

func (a *act) createPaymentMethod(in *input) (any, error) {
	if in.str("type") != "card" {
		return nil, invalid("", "type", "Invalid type: the local Stripe has no other payment methods than card.")
	}
	pm, err := a.enteredMethod(in.at("card"))
	if err != nil {
		return nil, err
	}
	pm.Metadata = in.metadata()
	in.setStr("allow_redisplay", &pm.Redisplay)
	pm.takeBilling(in.at("billing_details"))
	return a.renderPaymentMethod(pm), nil
}

// enteredMethod makes a payment method of a token or of a card's digits.
func (a *act) enteredMethod(card params) (*PaymentMethod, error) {
	if token := card.str("token"); token != "" {
		if len(card.n.keys) > 1 {
			return nil, invalid("", card.name("token"), "You may only specify one of these parameters: card[token], "+card.name(card.n.keys[0])+".")
		}
		return a.methodOfToken(token, card.name("token"), "pm_1")
	}
	for _, name := range []string{"number", "exp_month", "exp_year"} {
		if !card.has(name) {
			return nil, missing(card.nameIn("card", name))
		}
	}
	known, err := cardOf(card, a.at)
	if err != nil {
		return nil, err
	}
	return a.newMethod(known, card.num("exp_month"), card.num("exp_year")), nil
}

// newMethod stores a card that belongs to nobody yet.
func (a *act) newMethod(card testCard, month, year int64) *PaymentMethod {
	return a.newCard("pm_1", card, month, year)
}

// newCard is newMethod for the older cards too, whose ids begin with card_.
func (a *act) newCard(prefix string, card testCard, month, year int64) *PaymentMethod {
	pm := &PaymentMethod{
		Base: Base{ID: a.ids.long(prefix), Created: a.at}, Number: card.number, Brand: card.brand,
		ExpMonth: month, ExpYear: year, Metadata: map[string]string{},
	}
	a.state.PaymentMethods.insert(pm)
	return pm
}

func (p *PaymentMethod) takeBilling(from params) {
	from.setStr("email", &p.Email)
	from.setStr("name", &p.Name)
	from.setStr("phone", &p.Phone)
	from.setAddress("address", &p.Address)
}

// usableMethod finds a payment method to be used, making one of a pm_card_…
// token.
func (a *act) usableMethod(id, param string) (*PaymentMethod, error) {
	if pm, ok := a.state.PaymentMethods.get(id); ok {
		return pm, checkUnspent(pm)
	}
	if card, ok := cardByToken(id); ok {
		return a.newMethod(card, 12, 2040), nil
	}
	return nil, noSuch("PaymentMethod", id, param)
}

func checkUnspent(pm *PaymentMethod) error {
	if pm.Spent {
		return invalid("", "payment_method", "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.")
	}
	return nil
}

func (a *act) attachPaymentMethod(in *input) (any, error) {
	c, err := a.customerOf(in.params, "customer")
	if err != nil {
		return nil, err
	}
	pm, err := a.usableMethod(in.path("id"), "payment_method")
	if err != nil {
		return nil, inPath(err)
	}
	if err := a.checkAttachable(pm, c.ID); err != nil {
		return nil, err
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
	a.state.PaymentMethods.change(pm, func() { pm.Customer, pm.Spent = "", true })
	a.emitUpdate("payment_method.detached", before, a.renderPaymentMethod(pm))
	return a.renderPaymentMethod(pm), nil
}

// forgetMethod takes a card out of where it was the default.
func (a *act) forgetMethod(pm *PaymentMethod) {
	c, ok := a.state.Customers.get(pm.Customer)
	if ok && (c.DefaultPaymentMethod == pm.ID || c.DefaultSource == pm.ID) {
		a.changeCustomer(c, func() { c.forget(pm.ID) })
	}
	for _, sub := range a.state.Subscriptions.by("customer", pm.Customer) {
		if sub.DefaultPaymentMethod == pm.ID && !sub.ended() {
			a.changeSubscription(sub, func() { sub.DefaultPaymentMethod = "" })
		}
	}
}

func (c *Customer) forget(method string) {
	if c.DefaultPaymentMethod == method {
		c.DefaultPaymentMethod = ""
	}
	if c.DefaultSource == method {
		c.DefaultSource = ""
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
	if pm.Customer == "" {
		return nil, invalid("", "", "You must save this PaymentMethod to a customer before you can update it.")
	}
	if err := checkExpiryOf(in.at("card"), a.at); err != nil {
		return nil, err
	}
	before := a.renderPaymentMethod(pm)
	in.setStr("allow_redisplay", &pm.Redisplay)
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
	return object{"address": address.render(), "email": orNull(p.Email), "name": orNull(p.Name), "phone": orNull(p.Phone)}
}

func (a *act) renderPaymentMethod(p *PaymentMethod) object {
	return p.asBank(object{
		"id": p.ID, "object": "payment_method", "created": p.Created, "livemode": false, "type": "card",
		"allow_redisplay": cmp.Or(p.Redisplay, "unspecified"), "billing_details": p.renderBilling(),
		"customer": ref{"customer", p.Customer}, "metadata": p.Metadata,
		"card": object{
			"brand": p.Brand, "checks": cardChecks(), "country": "US", "display_brand": p.Brand,
			"exp_month": p.ExpMonth, "exp_year": p.ExpYear, "fingerprint": p.fingerprint(), "funding": "credit",
			"generated_from": nil, "last4": p.last4(),
			"networks":             object{"available": []any{p.Brand}, "preferred": nil},
			"three_d_secure_usage": object{"supported": true}, "wallet": nil,
		},
	})
}

func cardChecks() object {
	return object{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": "pass"}
}

// fingerprint is the same for the same card number.
func (p *PaymentMethod) fingerprint() string { return fingerprint(p.Number)[:16] }
