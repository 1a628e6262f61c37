package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// Sources are the legacy cards of customers. Here they are payment methods whose ids begin with
// card_.

func isSource(pm *PaymentMethod) bool { return strings.HasPrefix(pm.ID, "card_") }

// sources serves /v1/customers/{id}/sources.
type sources struct{ *request }

func (h sources) create(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err == nil && c.Deleted {
		err = wire.NotFound("customer", c.ID, "id")
	}
	if err != nil {
		return nil, err
	}
	card, err := h.paymentMethods.fromToken(in.String("source"), "source", "card_1")
	if err == nil {
		err = checkAttachable(card, c.ID)
	}
	if err != nil {
		return nil, err
	}
	card.Metadata = in.Metadata()
	h.paymentMethods.attachTo(card, c)
	if c.DefaultSource == "" {
		h.insertDefault(c, card)
	} else {
		h.emit("customer.source.created", renderCard(card))
	}
	return renderCard(card), nil
}

func (h sources) list(in *input) (any, error) {
	c, err := h.customers.find(in)
	if err != nil {
		return nil, err
	}
	return listing[*PaymentMethod]{
		resource: "source", table: h.store.PaymentMethods, rows: h.store.PaymentMethods.by("customer", c.ID),
		filter: func(p *PaymentMethod) bool { return isSource(p) && in.StringOr("object", "card") == "card" }, render: func(p *PaymentMethod) wire.Object { return renderCard(p) },
	}.page(in)
}

const cardUpdateParams = "exp_month exp_year metadata:map? name "

// find returns a card of the path's customer.
func (h sources) find(in *input) (*PaymentMethod, error) {
	card, ok := h.store.PaymentMethods.get(in.pathValue("source"))
	if !ok || !isSource(card) || card.Customer != in.pathValue("id") {
		return nil, wire.NotFound("source", in.pathValue("source"), "id")
	}
	return card, nil
}

func (h sources) get(in *input) (any, error) {
	card, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return renderCard(card), nil
}

func (h sources) update(in *input) (any, error) {
	card, err := h.find(in)
	if err == nil {
		err = validateExpiryParams(in.Params, h.now)
	}
	if err != nil {
		return nil, err
	}
	before := renderCard(card)
	in.SetInt("exp_month", &card.ExpMonth)
	in.SetInt("exp_year", &card.ExpYear)
	in.SetString("name", &card.Name)
	in.SetMetadata(&card.Metadata)
	h.emitUpdate("customer.source.updated", before, renderCard(card))
	return renderCard(card), nil
}

func (h sources) delete(in *input) (any, error) {
	card, err := h.find(in)
	if err != nil {
		return nil, err
	}
	rendered := renderCard(card)
	h.paymentMethods.clearDefaults(card)
	h.store.PaymentMethods.change(card, func() { card.Customer, card.Consumed = "", true })
	h.emit("customer.source.deleted", rendered)
	return wire.Object{"id": card.ID, "object": "card", "deleted": true}, nil
}

// insertDefault emits customer.source.created and makes the card the customer's default source.
func (h sources) insertDefault(c *Customer, card *PaymentMethod) {
	h.emit("customer.source.created", renderCard(card))
	h.customers.change(c, func() { c.DefaultSource = card.ID })
}

// renderList renders the expandable list of a customer's sources.
func (h sources) renderList(c *Customer) wire.Object {
	data := []any{}
	for _, pm := range h.store.PaymentMethods.by("customer", c.ID) {
		if isSource(pm) {
			data = append(data, renderCard(pm))
		}
	}
	return wire.List("/v1/customers/"+c.ID+"/sources", data, false)
}
