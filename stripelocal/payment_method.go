package stripelocal

import (
	"cmp"
	"slices"
	"time"

	"usher/stripelocal/wire"
)

// PaymentMethod is a card, a bank account or a bank transfer. A card's number is one of Stripe's
// test cards.
type PaymentMethod struct {
	Base
	Number         string
	Brand          string
	ExpMonth       int64
	ExpYear        int64
	Customer       string
	Email          string
	Name           string
	Phone          string
	Address        *Address
	AllowRedisplay string // empty is unspecified
	Authenticated  bool   // has passed 3-D Secure
	IsBankAccount  bool   // debited: us_bank_account unless Type is set
	Type           string `json:",omitzero"` // sepa_debit or customer_balance; else IsBankAccount decides
	HolderType     string `json:",omitzero"` // of a US bank account; empty is individual
	AccountType    string `json:",omitzero"` // of a US bank account; empty is checking
	Unverified     bool   `json:",omitzero"` // a US bank account whose microdeposits are not verified
	FailedProofs   int64  `json:",omitzero"` // failed verifications of microdeposits
	BlockedBy      string `json:",omitzero"` // the failure code that blocks a bank account
	Verified       bool   // attached or charged, so that its checks were made
	WithoutCVC     bool   // entered without a security code
	Consumed       bool   // used once without a customer, or detached; not usable again
	Metadata       map[string]string
}

const (
	billingDetailsParams = "billing_details{address" + addressParams + "email? name? phone?} "
	paymentMethodParams  = "type! card{number exp_month:int exp_year:int cvc token} " + bankAccountParams + billingDetailsParams
)

// paymentMethods serves /v1/payment_methods and chooses the payment method to charge.
type paymentMethods struct{ *request }

func paymentMethodResource() resource {
	return resource{
		objectType: "payment_method",
		render: renderFrom(func(s *store) *table[*PaymentMethod] { return s.PaymentMethods },
			bind(paymentMethods.render)),
		routes: []route{
			on("POST /v1/payment_methods", paymentMethodParams+"allow_redisplay:always|limited|unspecified metadata:map ", paymentMethods.create),
			on("GET /v1/payment_methods", pageParams+"customer type", paymentMethods.list),
			on("GET /v1/customers/{id}/payment_methods", pageParams+"type", paymentMethods.listForCustomer),
			on("GET /v1/payment_methods/{id}", "", paymentMethods.get),
			on("POST /v1/payment_methods/{id}", "metadata:map? card{exp_month:int exp_year:int} allow_redisplay:always|limited|unspecified "+billingDetailsParams, paymentMethods.update),
			on("POST /v1/payment_methods/{id}/attach", "customer!", paymentMethods.attach),
			on("POST /v1/payment_methods/{id}/detach", "", paymentMethods.detach),
		},
	}
}

func (h paymentMethods) create(in *input) (any, error) {
	pm, err := h.fromParams(in.Params)
	if err != nil {
		return nil, err
	}
	pm.Metadata = in.Metadata()
	in.SetString("allow_redisplay", &pm.AllowRedisplay)
	return h.render(pm), nil
}

// fromParams creates a payment method from the parameters of POST /v1/payment_methods or
// payment_method_data.
func (h paymentMethods) fromParams(p wire.Params) (*PaymentMethod, error) {
	var pm *PaymentMethod
	var err error
	if p.String("type") == "card" { // not in payment_method_data, which has no card (API reference)
		pm, err = h.fromCardParams(p.At("card"))
	} else {
		pm, err = h.fromAccountParams(p)
	}
	if err != nil {
		return nil, err
	}
	pm.setBillingDetails(p.At("billing_details"))
	return pm, nil
}

// fromCardParams creates a payment method from a token or from card details.
func (h paymentMethods) fromCardParams(card wire.Params) (*PaymentMethod, error) {
	if token := card.String("token"); token != "" {
		if len(card.Names()) > 1 {
			return nil, wire.Invalid("", card.Name("token"), "You may only specify one of these parameters: card[token], "+card.Name(card.Names()[0])+".")
		}
		return h.fromToken(token, card.Name("token"), "pm_1")
	}
	for _, name := range []string{"number", "exp_month", "exp_year"} {
		if !card.Has(name) {
			return nil, wire.MissingParam(card.NameIn("card", name))
		}
	}
	known, err := testCardFromParams(card, h.now)
	if err != nil {
		return nil, err
	}
	pm := h.insertCard(known, card.Int("exp_month"), card.Int("exp_year"))
	pm.WithoutCVC = !card.Has("cvc")
	return pm, nil
}

// insertCard stores a card without a customer.
func (h paymentMethods) insertCard(card testCard, month, year int64) *PaymentMethod {
	return h.insertCardWithPrefix("pm_1", card, month, year)
}

// insertCardWithPrefix is insertCard with an id prefix: card_1 for legacy card sources.
func (h paymentMethods) insertCardWithPrefix(prefix string, card testCard, month, year int64) *PaymentMethod {
	pm := &PaymentMethod{
		Base: Base{ID: h.ids.longID(prefix), Created: h.now}, Number: card.number, Brand: card.brand,
		ExpMonth: month, ExpYear: year, Metadata: map[string]string{},
	}
	h.store.PaymentMethods.insert(pm)
	return pm
}

// insertTestCard stores the card of a test id or token, which is valid for a year (recorded by
// pay-rails/pay).
func (h paymentMethods) insertTestCard(prefix string, card testCard) *PaymentMethod {
	today := time.Unix(h.now, 0).UTC()
	return h.insertCardWithPrefix(prefix, card, int64(today.Month()), int64(today.Year()+1))
}

// insertTestMethod stores the card or bank account of a test id such as pm_card_visa.
func (h paymentMethods) insertTestMethod(id string) (*PaymentMethod, bool) {
	if card, ok := testCardByToken(id); ok {
		return h.insertTestCard("pm_1", card), true
	}
	return h.testAccountByToken(id)
}

func (p *PaymentMethod) setBillingDetails(from wire.Params) {
	from.SetString("email", &p.Email)
	from.SetString("name", &p.Name)
	from.SetString("phone", &p.Phone)
	setAddress(from, "address", &p.Address)
}

// findUsable returns a usable payment method. It creates one for a test id such as pm_card_visa.
func (h paymentMethods) findUsable(id, param string) (*PaymentMethod, error) {
	if pm, ok := h.store.PaymentMethods.get(id); ok {
		return pm, checkNotConsumed(pm)
	}
	if pm, ok := h.insertTestMethod(id); ok {
		return pm, nil
	}
	return nil, noSuchMethod(id, param)
}

// noSuchMethod is the error for an unknown payment method (recorded by pay-rails/pay).
func noSuchMethod(id, param string) *wire.Error {
	e := wire.NoSuch("PaymentMethod", id, param)
	e.Message += "; It's possible this PaymentMethod exists on one of your connected accounts, in which case you should retry this request on that connected account. Learn more at https://stripe.com/docs/connect/authentication"
	return e
}

// applyInline creates the payment method of payment_method_data, and adds what a confirmation token
// carries. The token is nil if the call has none.
func (h paymentMethods) applyInline(in *input) (*ConfirmationToken, error) {
	if in.Has("payment_method_data") {
		if in.Has("payment_method") {
			return nil, wire.Invalid("", "payment_method", "You may only specify one of these parameters: payment_method, payment_method_data.")
		}
		pm, err := h.fromParams(in.At("payment_method_data"))
		if err != nil {
			return nil, err
		}
		in.Params = in.With("payment_method", pm.ID)
	}
	return h.confirmationTokens.apply(in)
}

func checkNotConsumed(pm *PaymentMethod) error {
	if pm.Consumed {
		return wire.Invalid("", "payment_method", "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.")
	}
	return nil
}

func (h paymentMethods) attach(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	pm, err := h.findUsable(in.pathValue("id"), "payment_method")
	if err != nil {
		return nil, wire.AsNotFound(err)
	}
	if err := checkAttachable(pm, c.ID); err != nil {
		return nil, err
	}
	h.attachTo(pm, c)
	return h.render(pm), nil
}

func (h paymentMethods) attachTo(pm *PaymentMethod, c *Customer) {
	if pm.Customer == c.ID {
		return
	}
	h.store.PaymentMethods.change(pm, func() { pm.Customer, pm.Verified = c.ID, true })
	h.emit("payment_method.attached", h.render(pm))
}

func (h paymentMethods) detach(in *input) (any, error) {
	pm, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if pm.Customer == "" {
		return nil, wire.Invalid("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	before := h.render(pm)
	h.clearDefaults(pm)
	h.store.PaymentMethods.change(pm, func() { pm.Customer, pm.Consumed = "", true })
	h.emitUpdate("payment_method.detached", before, h.render(pm))
	return h.render(pm), nil
}

func (h paymentMethods) find(in *input) (*PaymentMethod, error) {
	pm, ok := h.store.PaymentMethods.get(in.pathValue("id"))
	if !ok {
		return nil, wire.AsNotFound(noSuchMethod(in.pathValue("id"), "payment_method"))
	}
	return pm, nil
}

func (h paymentMethods) get(in *input) (any, error) {
	if pm, ok := h.insertTestMethod(in.pathValue("id")); ok { // recorded by spree_stripe
		return h.render(pm), nil
	}
	pm, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(pm), nil
}

func (h paymentMethods) update(in *input) (any, error) {
	pm, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if pm.Customer == "" {
		return nil, wire.Invalid("", "", "You must save this PaymentMethod to a customer before you can update it.")
	}
	if err := validateExpiryParams(in.At("card"), h.now); err != nil {
		return nil, err
	}
	before := h.render(pm)
	in.SetString("allow_redisplay", &pm.AllowRedisplay)
	pm.setBillingDetails(in.At("billing_details"))
	in.SetMetadata(&pm.Metadata)
	in.At("card").SetInt("exp_month", &pm.ExpMonth)
	in.At("card").SetInt("exp_year", &pm.ExpYear)
	h.emitUpdate("payment_method.updated", before, h.render(pm))
	return h.render(pm), nil
}

// getOfCustomer returns a payment method if it is the customer's.
func (h paymentMethods) getOfCustomer(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	pm, ok := h.store.PaymentMethods.get(in.pathValue("payment_method"))
	if !ok || pm.Customer != c.ID {
		e := noSuchMethod(in.pathValue("payment_method"), "payment_method")
		e.Status = 404
		return nil, e
	}
	return h.render(pm), nil
}

func (h paymentMethods) list(in *input) (any, error) {
	return h.listPage(in, in.String("customer"))
}

func (h paymentMethods) listForCustomer(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	return h.listPage(in, c.ID)
}

// listPage lists a customer's payment methods. Without a customer the list is empty, as at Stripe.
func (h paymentMethods) listPage(in *input, customer string) (any, error) {
	return listing[*PaymentMethod]{
		resource: "payment_method", table: h.store.PaymentMethods, rows: h.store.PaymentMethods.by("customer", customer),
		filter: func(pm *PaymentMethod) bool { return !in.Has("type") || in.String("type") == pm.methodKind() },
		render: h.render,
	}.page(in)
}

func (p *PaymentMethod) last4() string { return p.Number[max(len(p.Number)-4, 0):] }

func (p *PaymentMethod) renderBillingDetails() wire.Object {
	address := p.Address
	if address == nil {
		address = &Address{}
	}
	return wire.Object{"address": address.render(), "email": wire.StringOrNull(p.Email), "name": wire.StringOrNull(p.Name), "phone": wire.StringOrNull(p.Phone)}
}

func (h paymentMethods) render(p *PaymentMethod) wire.Object {
	return p.withAccount(wire.Object{
		"id": p.ID, "object": "payment_method", "created": p.Created, "livemode": false, "type": "card",
		"allow_redisplay": p.allowRedisplay(), "billing_details": p.renderBillingDetails(),
		"customer": wire.Ref("customer", p.Customer), "metadata": p.Metadata,
		"card": wire.Object{
			"brand": p.Brand, "checks": p.checks(), "country": p.testCard().country(), "display_brand": displayBrand(p.Brand),
			"exp_month": p.ExpMonth, "exp_year": p.ExpYear, "fingerprint": p.fingerprint(), "funding": p.testCard().fundingType(),
			"generated_from": nil, "last4": p.last4(),
			"networks":             wire.Object{"available": []any{p.Brand}, "preferred": nil},
			"three_d_secure_usage": wire.Object{"supported": true}, "wallet": nil,
		},
	})
}

func (p *PaymentMethod) testCard() testCard {
	card, _ := testCardByNumber(p.Number)
	return card
}

// checks are the results of the bank's checks. Before a card is attached or charged, they are
// unchecked (recorded by spree_stripe).
func (p *PaymentMethod) checks() wire.Object {
	card := p.testCard()
	address := p.Address
	if address == nil {
		address = &Address{}
	}
	return wire.Object{
		"address_line1_check":       p.check(address.Line1 != "", card.line1Check),
		"address_postal_code_check": p.check(address.PostalCode != "", card.postalCheck),
		"cvc_check":                 p.check(!p.WithoutCVC, card.cvcCheck),
	}
}

// check is null for what was not entered.
func (p *PaymentMethod) check(entered bool, result string) any {
	switch {
	case !entered:
		return nil
	case !p.Verified:
		return "unchecked"
	}
	return cmp.Or(result, "pass")
}

// fingerprint is equal for equal card numbers.
func (p *PaymentMethod) fingerprint() string { return fingerprint(p.Number)[:16] }

// checkAttachable checks that a card can be attached to a customer.
func checkAttachable(pm *PaymentMethod, customer string) error {
	if pm.Customer != "" && pm.Customer != customer {
		return wire.Invalid("", "", "The payment method you provided has already been attached to a customer.")
	}
	if pm.methodKind() == "customer_balance" { // the wording is inferred
		return wire.Invalid("", "payment_method", "Payment methods of type `customer_balance` cannot be attached to a customer.")
	}
	if result, decline := pm.setupOutcome(); result == outcomeDeclined {
		refusal := cardError(decline)
		refusal.EmptyParam = refusal.Param == ""
		return refusal
	}
	return nil
}

// releaseAll detaches a deleted customer's payment methods, which cannot be used again.
func (h paymentMethods) releaseAll(c *Customer) {
	for _, pm := range slices.Clone(h.store.PaymentMethods.by("customer", c.ID)) {
		h.store.PaymentMethods.change(pm, func() { pm.Customer, pm.Consumed = "", true })
	}
}

// initialFromParams returns the payment method of a new customer, from payment_method or source;
// nil if there is none.
func (h paymentMethods) initialFromParams(p wire.Params) (*PaymentMethod, error) {
	var method *PaymentMethod
	var err error
	switch preferred := p.At("invoice_settings").String("default_payment_method"); {
	case preferred != "" && preferred != p.String("payment_method"):
		return nil, notAttachedError(preferred)
	case p.Has("payment_method"):
		method, err = h.findUsable(p.String("payment_method"), "payment_method")
	case p.Has("source"):
		method, err = h.fromToken(p.String("source"), "source", "card_1")
	}
	if err != nil || method == nil {
		return nil, err
	}
	return method, checkAttachable(method, "")
}

// fromCardForm stores an entered card.
func (h paymentMethods) fromCardForm(entered cardForm, email string) *PaymentMethod {
	card, _ := testCardByNumber(digitsOf(entered.Number))
	month, year, _ := parseExpiry(entered.Expiry)
	pm := h.insertCard(card, int64(month), int64(year))
	pm.Email, pm.Name = email, entered.Name
	return pm
}

// saveAfterPayment attaches the payment method of a paid intent if setup_future_usage is set,
// whether or not 3-D Secure was required.
func (h paymentMethods) saveAfterPayment(pi *PaymentIntent) {
	pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod)
	c, exists := h.store.Customers.get(pi.Customer)
	if ok && exists && pi.futureUsage(pm) != "" && !c.Deleted && pm.Customer == "" {
		h.attachTo(pm, c)
	}
}

func notAttachedError(id string) *wire.Error {
	return wire.Invalid("resource_missing", "invoice_settings[default_payment_method]", "The customer does not have a payment method with the ID "+id+". The payment method must be attached to the customer.")
}

func (p *PaymentMethod) allowRedisplay() string { return cmp.Or(p.AllowRedisplay, "unspecified") }
