package stripelocal

import "strings"

// Sources are the cards that customers had before payment methods. Here they are payment methods whose ids begin with card_.

func isSource(pm *PaymentMethod) bool { return strings.HasPrefix(pm.ID, "card_") }

func (a *act) createSource(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err == nil && c.Deleted {
		err = notFound("customer", c.ID, "id")
	}
	if err != nil {
		return nil, err
	}
	card, err := a.methodOfToken(in.str("source"), "source", "card_1")
	if err == nil {
		err = a.checkAttachable(card, c.ID)
	}
	if err != nil {
		return nil, err
	}
	card.Metadata = in.metadata()
	a.attach(card, c)
	if c.DefaultSource == "" {
		a.addSource(c, card)
	} else {
		a.emit("customer.source.created", renderCard(card))
	}
	return renderCard(card), nil
}

func (a *act) listSources(in *input) (any, error) {
	c, err := a.customerAt(in)
	if err != nil {
		return nil, err
	}
	return listing[*PaymentMethod]{
		what: "source", table: a.state.PaymentMethods, rows: a.state.PaymentMethods.by("customer", c.ID),
		keep: func(p *PaymentMethod) bool { return isSource(p) && in.strOr("object", "card") == "card" }, render: func(p *PaymentMethod) object { return renderCard(p) },
	}.page(in)
}

func (a *act) deleteSource(in *input) (any, error) {
	card, ok := a.state.PaymentMethods.get(in.path("source"))
	if !ok || !isSource(card) || card.Customer != in.path("id") {
		return nil, notFound("source", in.path("source"), "id")
	}
	whole := renderCard(card)
	a.forgetMethod(card)
	a.state.PaymentMethods.change(card, func() { card.Customer, card.Spent = "", true })
	a.emit("customer.source.deleted", whole)
	return object{"id": card.ID, "object": "card", "deleted": true}, nil
}

// addSource makes a card of the older kind the one that the customer pays with where nothing else is said.
func (a *act) addSource(c *Customer, card *PaymentMethod) {
	a.emit("customer.source.created", renderCard(card))
	a.changeCustomer(c, func() { c.DefaultSource = card.ID })
}

// defaultMethod is the card that a customer pays with.
func (a *act) defaultMethod(c *Customer) (*PaymentMethod, bool) {
	if pm, ok := a.state.PaymentMethods.get(c.DefaultPaymentMethod); ok {
		return pm, true
	}
	return a.state.PaymentMethods.get(c.DefaultSource)
}

// sourcesOf is the expandable list of a customer's cards of the older kind.
func (a *act) sourcesOf(c *Customer) object {
	data := []any{}
	for _, pm := range a.state.PaymentMethods.by("customer", c.ID) {
		if isSource(pm) {
			data = append(data, renderCard(pm))
		}
	}
	return listObject("/v1/customers/"+c.ID+"/sources", data, false)
}
