package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// The older calls that charge a card without a payment intent (API reference: charges).

func chargeRoutes() []route {
	return []route{
		on("GET /v1/charges", listParams+"customer payment_intent transfer_group", charges.list),
		on("POST /v1/charges", "amount:int currency:currency source customer:500 capture:bool statement_descriptor:22 statement_descriptor_suffix:22 "+chargeChanges+"metadata:map? "+shippingFields, charges.createFromParams),
		on("GET /v1/charges/{id}", "", charges.get),
		on("POST /v1/charges/{id}", chargeChanges+"customer metadata:map? fraud_details{user_report:fraudulent|safe!?} "+shippingFields, charges.update),
		on("POST /v1/charges/{id}/capture", "amount:int receipt_email statement_descriptor:22 statement_descriptor_suffix:22 transfer_group", charges.capture),
		on("POST /v1/charges/{id}/refund", "amount:int reason:duplicate|fraudulent|requested_by_customer metadata:map?", charges.refund),
		on("GET /v1/charges/{id}/refunds", pageParams, charges.listRefunds),
		on("POST /v1/charges/{id}/refunds", "amount:int reason:duplicate|fraudulent|requested_by_customer metadata:map?", charges.createRefund),
		on("GET /v1/charges/{id}/refunds/{refund}", "", charges.getRefund),
		on("POST /v1/charges/{id}/refunds/{refund}", "metadata:map?", charges.updateRefund),
	}
}

const chargeChanges = "description:40000 receipt_email transfer_group "

func (h charges) createFromParams(in *input) (any, error) {
	for _, name := range []string{"amount", "currency"} {
		if !in.Has(name) {
			return nil, wire.MissingParam(name)
		}
	}
	if err := checkIntentAmount(in.Params); err != nil {
		return nil, err
	}
	pm, err := h.cardToCharge(in.Params)
	if err != nil {
		return nil, err
	}
	pi := &PaymentIntent{Amount: in.Int("amount"), Currency: in.String("currency"), Customer: pm.Customer, CaptureMethod: "automatic", Metadata: in.Metadata()}
	pi.setFields(in.Params)
	pm.Verified = true
	result, decline := pm.chargeOutcome()
	if result == outcomeRequiresAction { // a charge cannot be authenticated
		decline = authenticationRequired()
	}
	ch := h.create(pi, pm, decline)
	if decline != nil {
		h.emit("charge.failed", h.render(ch))
		refusal := cardError(decline)
		refusal.Charge = ch.ID
		return nil, refusal
	}
	ch.Uncaptured = !in.BoolOr("capture", true)
	ch.WasUncaptured = ch.Uncaptured
	h.emit("charge.succeeded", h.render(ch))
	h.fraudWarnings.openForTestCard(ch)
	h.reviews.openForTestCard(ch)
	h.disputes.openForTestCard(ch)
	return h.render(ch), nil
}

// cardToCharge returns the card of a charge: a new one of a token, or a customer's.
func (h charges) cardToCharge(p wire.Params) (*PaymentMethod, error) {
	if !p.Has("customer") {
		if !p.Has("source") {
			return nil, wire.Invalid("parameter_missing", "", "Must provide source or customer.")
		}
		return h.paymentMethods.fromToken(p.String("source"), "source", "card_1")
	}
	c, err := h.customers.fromParam(p, "customer")
	if err != nil {
		return nil, err
	}
	id := p.StringOr("source", c.DefaultSource)
	if id == "" {
		return nil, cardParamError("missing", "card", "Cannot charge a customer that has no active card")
	}
	card, ok := h.store.PaymentMethods.get(id)
	if !ok || card.Customer != c.ID { // recorded by onetimesecret
		e := wire.NotFound("", "", "card")
		e.Message = fmt.Sprintf("Customer %s does not have card with ID %s", c.ID, id)
		return nil, e
	}
	return card, nil
}

func (h charges) find(in *input) (*Charge, error) {
	ch, ok := h.store.Charges.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("charge", in.pathValue("id"), "id")
	}
	return ch, nil
}

func (h charges) update(in *input) (any, error) {
	ch, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if in.Has("customer") {
		c, err := h.customers.fromParam(in.Params, "customer")
		switch {
		case err != nil:
			return nil, err
		case ch.Customer != "" && ch.Customer != c.ID:
			return nil, wire.Invalid("", "customer", "The customer of a charge cannot be changed once it is set.")
		}
		h.store.Charges.change(ch, func() { ch.Customer = c.ID })
	}
	before := h.render(ch)
	in.SetString("description", &ch.Description)
	in.SetString("receipt_email", &ch.ReceiptEmail)
	in.SetString("transfer_group", &ch.TransferGroup)
	in.At("fraud_details").SetString("user_report", &ch.UserReport)
	in.SetMetadata(&ch.Metadata)
	setShipping(in.Params, &ch.Shipping)
	h.emitUpdate("charge.updated", before, h.render(ch))
	return h.render(ch), nil
}

// capture captures an authorized charge. The charge of a payment intent is captured through it.
func (h charges) capture(in *input) (any, error) {
	ch, err := h.find(in)
	switch {
	case err != nil:
		return nil, err
	case !ch.Uncaptured:
		return nil, wire.Invalid("charge_already_captured", "", "Charge "+ch.ID+" has already been captured.")
	case ch.PaymentIntent != "":
		return nil, wire.Invalid("charge_not_refundable", "", "This charge belongs to a PaymentIntent. Capture "+ch.PaymentIntent+" instead.")
	}
	amount := in.IntOr("amount", ch.Amount)
	if amount < 1 || amount > ch.Amount {
		return nil, wire.Invalid("amount_too_large", "amount", fmt.Sprintf("The amount to capture is not between 1 and the amount that can be captured, %d.", ch.Amount))
	}
	before := h.render(ch)
	in.SetString("receipt_email", &ch.ReceiptEmail)
	in.SetString("transfer_group", &ch.TransferGroup)
	in.SetString("statement_descriptor", &ch.StatementDescriptor)
	in.SetString("statement_descriptor_suffix", &ch.StatementDescriptorSuffix)
	ch.Uncaptured, ch.ReleasedAmount, ch.AmountRefunded = false, ch.Amount-amount, ch.Amount-amount
	h.emitUpdate("charge.captured", before, h.render(ch))
	return h.render(ch), nil
}

// refund is the older form of createRefund, which returns the charge.
func (h charges) refund(in *input) (any, error) {
	if _, err := h.createRefund(in); err != nil {
		return nil, err
	}
	return h.get(in)
}

func (h charges) createRefund(in *input) (any, error) {
	ch, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.Params = in.With("charge", ch.ID)
	return h.refunds.create(in)
}

func (h charges) listRefunds(in *input) (any, error) {
	ch, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.Params = in.With("charge", ch.ID)
	return h.refunds.list(in)
}

func (h charges) getRefund(in *input) (any, error) {
	re, err := h.refundOfPath(in)
	if err != nil {
		return nil, err
	}
	return h.refunds.render(re), nil
}

func (h charges) refundOfPath(in *input) (*Refund, error) {
	re, ok := h.store.Refunds.get(in.pathValue("refund"))
	if !ok || re.Charge != in.pathValue("id") {
		return nil, wire.NotFound("refund", in.pathValue("refund"), "id")
	}
	return re, nil
}

func (h charges) updateRefund(in *input) (any, error) {
	re, err := h.refundOfPath(in)
	if err != nil {
		return nil, err
	}
	return h.refunds.change(re, in), nil
}
