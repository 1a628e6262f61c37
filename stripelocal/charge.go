package stripelocal

import "usher/stripelocal/wire"

// Charge is one attempt to take a payment, successful or not. Amounts are minor units.
type Charge struct {
	Base
	Amount         int64
	AmountRefunded int64
	Currency       string
	Customer       string
	Description    string
	Disputed       bool
	Dispute        string
	DisputePending bool // its test card opens a dispute right after the payment
	DisputeWon     bool
	Failure        *Decline
	Invoice        string
	Metadata       map[string]string
	PaymentIntent  string
	PaymentMethod  string
	ReceiptEmail   string
	ReleasedAmount int64 // the part of an authorization that was not captured
	Uncaptured     bool  // authorized, not captured
}

// charges serves /v1/charges and stores payment attempts.
type charges struct{ *request }

func chargeResource() resource {
	return resource{
		objectType: "charge",
		render: renderFrom(func(s *store) *table[*Charge] { return s.Charges },
			bind(charges.render)),
		routes: []route{
			on("GET /v1/charges", listParams+"customer payment_intent", charges.list),
			on("GET /v1/charges/{id}", "", charges.get),
		},
	}
}

// create stores an attempt. A nil decline means success.
func (h charges) create(pi *PaymentIntent, pm *PaymentMethod, decline *Decline) *Charge {
	ch := &Charge{
		Base: Base{ID: h.ids.longID("ch_3"), Created: h.now}, Amount: pi.Amount, Currency: pi.Currency,
		Customer: pi.Customer, Description: pi.Description, Failure: decline, Invoice: pi.Invoice,
		Metadata: pi.Metadata, PaymentIntent: pi.ID, PaymentMethod: pm.ID, ReceiptEmail: pi.ReceiptEmail,
	}
	h.store.Charges.insert(ch)
	return ch
}

func (h charges) get(in *input) (any, error) {
	ch, ok := h.store.Charges.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("charge", in.pathValue("id"), "id")
	}
	return h.render(ch), nil
}

func (h charges) list(in *input) (any, error) {
	rows := h.store.Charges.all
	switch {
	case in.Has("payment_intent"):
		rows = h.store.Charges.by("payment_intent", in.String("payment_intent"))
	case in.Has("customer"):
		rows = h.store.Charges.by("customer", in.String("customer"))
	}
	return listing[*Charge]{
		resource: "charge", table: h.store.Charges, rows: rows,
		filter: func(c *Charge) bool { return !in.Has("customer") || c.Customer == in.String("customer") },
		render: h.render,
	}.page(in)
}

func (c *Charge) status() string {
	if c.Failure != nil {
		return "failed"
	}
	return "succeeded"
}

func (h charges) render(c *Charge) wire.Object {
	captured, balance := c.Amount-c.ReleasedAmount, any("txn_3"+c.ID[len("ch_3"):])
	if c.Failure != nil || c.Uncaptured {
		captured, balance = 0, nil
	}
	o := wire.Object{
		"id": c.ID, "object": "charge", "amount": c.Amount, "amount_captured": captured,
		"amount_refunded": c.AmountRefunded, "application": nil, "application_fee": nil,
		"application_fee_amount": nil, "balance_transaction": balance,
		"calculated_statement_descriptor": "LOCAL STRIPE", "captured": c.Failure == nil && !c.Uncaptured, "created": c.Created,
		"currency": c.Currency, "customer": wire.Ref("customer", c.Customer), "description": wire.StringOrNull(c.Description),
		"disputed": c.Disputed, "failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil,
		"fraud_details": wire.Object{}, "invoice": wire.Ref("invoice", c.Invoice), "livemode": false, "metadata": c.Metadata,
		"on_behalf_of": nil, "outcome": c.renderOutcome(), "paid": c.Failure == nil,
		"payment_intent": wire.Ref("payment_intent", c.PaymentIntent), "payment_method": c.PaymentMethod,
		"receipt_email": wire.StringOrNull(c.ReceiptEmail), "receipt_number": nil, "receipt_url": nil,
		"refunded": c.AmountRefunded == c.Amount && c.Amount > 0,
		"refunds":  wire.Expandable(func() any { return h.refunds.renderForCharge(c) }),
		"review":   nil, "shipping": nil, "source": nil, "source_transfer": nil, "statement_descriptor": nil,
		"statement_descriptor_suffix": nil, "status": c.status(), "transfer_data": nil, "transfer_group": nil,
	}
	if c.Failure != nil {
		o["failure_code"], o["failure_message"] = c.Failure.Code, c.Failure.Message
	}
	h.renderCard(o, c)
	return o
}

func (c *Charge) renderOutcome() wire.Object {
	if c.Failure == nil {
		return wire.Object{
			"network_status": "approved_by_network", "reason": nil, "risk_level": "normal", "risk_score": 21,
			"seller_message": "Payment complete.", "type": "authorized",
		}
	}
	return wire.Object{
		"network_status": "declined_by_network", "reason": wire.StringOrNull(c.Failure.DeclineCode), "risk_level": "normal",
		"risk_score": 21, "seller_message": "The bank did not return any further details with this decline.",
		"type": "issuer_declined",
	}
}

// renderCard renders the payment method as it is now. A charge's payment method is never deleted.
func (h charges) renderCard(o wire.Object, c *Charge) {
	pm, ok := h.store.PaymentMethods.get(c.PaymentMethod)
	if !ok {
		o["billing_details"], o["payment_method_details"] = (&PaymentMethod{}).renderBillingDetails(), nil
		return
	}
	if pm.IsBankAccount {
		o["billing_details"], o["payment_method_details"] = pm.renderBillingDetails(), pm.bankDebitDetails()
		return
	}
	var secure any
	if pm.Authenticated {
		secure = wire.Object{
			"authentication_flow": "challenge", "electronic_commerce_indicator": "05",
			"exemption_indicator": nil, "result": "authenticated",
			"result_reason": nil, "transaction_id": nil, "version": "2.2.0",
		}
	}
	o["billing_details"] = pm.renderBillingDetails()
	o["payment_method_details"] = wire.Object{"type": "card", "card": wire.Object{
		"amount_authorized": c.Amount, "authorization_code": nil, "brand": pm.Brand, "checks": cardChecks(),
		"country": "US", "exp_month": pm.ExpMonth, "exp_year": pm.ExpYear,
		"extended_authorization": wire.Object{"status": "disabled"}, "fingerprint": pm.fingerprint(), "funding": "credit",
		"incremental_authorization": wire.Object{"status": "unavailable"}, "installments": nil, "last4": pm.last4(),
		"mandate": nil, "multicapture": wire.Object{"status": "unavailable"}, "network": pm.Brand,
		"network_token":  wire.Object{"used": false},
		"overcapture":    wire.Object{"maximum_amount_capturable": c.Amount, "status": "unavailable"},
		"three_d_secure": secure, "wallet": nil,
	}}
}

// testCard returns the test card that paid a charge.
func (h charges) testCard(ch *Charge) testCard {
	pm, ok := h.store.PaymentMethods.get(ch.PaymentMethod)
	if !ok {
		return testCard{}
	}
	card, _ := testCardByNumber(pm.Number)
	return card
}
