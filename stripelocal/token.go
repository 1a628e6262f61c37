package stripelocal

import (
	"strings"
	"time"

	"usher/stripelocal/wire"
)

// Token is a card token for one use. Test tokens such as tok_visa always exist and can be used
// repeatedly.
type Token struct {
	Base
	Number   string
	Name     string
	ExpMonth int64
	ExpYear  int64
	Used     bool
}

// tokens serves /v1/tokens.
type tokens struct{ *request }

func tokenResource() resource {
	return resource{
		objectType: "token",
		routes: []route{
			on("POST /v1/tokens", "card{number! exp_month! exp_year! cvc name}!", tokens.create),
			on("GET /v1/tokens/{id}", "", tokens.get),
		},
	}
}

// cardResource renders a customer's default_source.
func cardResource() resource {
	return resource{objectType: "card", render: renderFrom(func(s *store) *table[*PaymentMethod] { return s.PaymentMethods },
		func(_ *request, p *PaymentMethod) wire.Object { return renderCard(p) })}
}

func (h tokens) create(in *input) (any, error) {
	card, err := testCardFromParams(in.At("card"), h.now)
	if err != nil {
		return nil, err
	}
	t := &Token{
		Base: Base{ID: h.ids.longID("tok_1"), Created: h.now}, Number: card.number, Name: in.At("card").String("name"),
		ExpMonth: in.At("card").Int("exp_month"), ExpYear: in.At("card").Int("exp_year"),
	}
	h.store.Tokens.insert(t)
	return h.render(t), nil
}

// testCardFromParams returns the test card with the number in the parameters.
func testCardFromParams(p wire.Params, now int64) (testCard, error) {
	card, known := testCardByNumber(digitsOf(p.String("number")))
	if !known {
		return card, cardParamError("incorrect_number", "number", "Your card number is incorrect.")
	}
	return card, validateExpiryParams(p, now)
}

func validateExpiryParams(p wire.Params, now int64) error {
	month, year := p.Int("exp_month"), p.Int("exp_year")
	today := time.Unix(now, 0).UTC()
	if year < 100 {
		year += 2000
	}
	switch {
	case p.Has("exp_month") && (month < 1 || month > 12):
		return cardParamError("invalid_expiry_month", p.Name("exp_month"), "Your card's expiration month is invalid.")
	case p.Has("exp_year") && (year < int64(today.Year()) || year > int64(today.Year())+50):
		return cardParamError("invalid_expiry_year", p.Name("exp_year"), "Your card's expiration year is invalid.")
	}
	return nil
}

func cardParamError(code, param, message string) *wire.Error {
	return &wire.Error{Status: 402, Type: "card_error", Code: code, Param: param, Message: message}
}

// fromToken creates a payment method from a token, with an id prefix. A created token can be used
// once.
func (h paymentMethods) fromToken(id, param, prefix string) (*PaymentMethod, error) {
	if name, ok := strings.CutPrefix(id, "tok_"); ok {
		if card, known := testCardByToken("pm_card_" + name); known {
			return h.insertTestCard(prefix, card), nil
		}
	}
	t, ok := h.store.Tokens.get(id)
	switch {
	case !ok:
		return nil, wire.NoSuch("token", id, param)
	case t.Used:
		return nil, wire.Invalid("token_already_used", param, "You cannot use a Stripe token more than once: "+id+".")
	}
	t.Used = true
	card, _ := testCardByNumber(t.Number)
	pm := h.insertCardWithPrefix(prefix, card, t.ExpMonth, t.ExpYear)
	pm.Name = t.Name
	return pm, nil
}

func (h tokens) get(in *input) (any, error) {
	t, ok := h.store.Tokens.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("token", in.pathValue("id"), "token")
	}
	return h.render(t), nil
}

func (h tokens) render(t *Token) wire.Object {
	card, _ := testCardByNumber(t.Number)
	asMethod := &PaymentMethod{Base: Base{ID: "card_1" + t.ID[len("tok_1"):]}, Number: t.Number, Brand: card.brand, ExpMonth: t.ExpMonth, ExpYear: t.ExpYear, Name: t.Name}
	return wire.Object{
		"id": t.ID, "object": "token", "card": renderCard(asMethod), "client_ip": nil, "created": t.Created,
		"livemode": false, "type": "card", "used": t.Used,
	}
}

// renderCard renders a card in the legacy shape of tokens and sources.
func renderCard(p *PaymentMethod) wire.Object {
	return wire.Object{
		"id": p.ID, "object": "card", "address_city": nil, "address_country": nil, "address_line1": nil,
		"address_line1_check": nil, "address_line2": nil, "address_state": nil, "address_zip": nil,
		"address_zip_check": nil, "brand": legacyBrandName(p.Brand), "country": p.testCard().country(), "customer": wire.Ref("customer", p.Customer),
		"cvc_check": p.checks()["cvc_check"], "dynamic_last4": nil, "exp_month": p.ExpMonth, "exp_year": p.ExpYear,
		"fingerprint": p.fingerprint(), "funding": p.testCard().fundingType(), "last4": p.last4(), "metadata": p.Metadata,
		"name": wire.StringOrNull(p.Name), "tokenization_method": nil,
	}
}

// legacyBrandName is the brand in the legacy shape.
func legacyBrandName(brand string) string {
	switch brand {
	case "amex":
		return "American Express"
	case "mastercard":
		return "MasterCard"
	case "discover":
		return "Discover"
	case "diners":
		return "Diners Club"
	case "jcb":
		return "JCB"
	case "unionpay":
		return "UnionPay"
	}
	return "Visa"
}
