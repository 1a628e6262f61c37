package stripelocal

import (
	"cmp"
	"strings"

	"usher/stripelocal/wire"
)

// Charge is one attempt to take a payment, successful or not. Amounts are minor units. The order of
// the fields keeps it small: each subscription has one.
type Charge struct {
	Base
	Amount                    int64
	AmountRefunded            int64
	Currency                  string
	Customer                  string
	Description               string
	Dispute                   string
	Failure                   *Decline
	Invoice                   string
	Metadata                  map[string]string
	PaymentIntent             string
	PaymentMethod             string
	ReceiptEmail              string
	ReleasedAmount            int64     // the part of an authorization that was not captured
	Shipping                  *Shipping `json:",omitzero"`
	TransferGroup             string    `json:",omitzero"`
	UserReport                string    `json:",omitzero"` // fraud_details
	StatementDescriptor       string    `json:",omitzero"`
	StatementDescriptorSuffix string    `json:",omitzero"`
	Disputed                  bool
	DisputePending            bool // its test card opens a dispute right after the payment
	DisputeWon                bool
	Uncaptured                bool  // authorized, not captured
	WasUncaptured             bool  `json:",omitzero"` // authorized and captured later
	BalancePending            bool  `json:",omitzero"` // captured asynchronously, without a balance transaction yet
	Pending                   bool  `json:",omitzero"` // a bank debit that has not ended
	SettledAt                 int64 `json:",omitzero"` // the end of a bank debit
}

// captureWindow is how long an authorization can be captured, in seconds (docs: place a hold on a
// payment method, seven days).
const captureWindow = 7 * 24 * 60 * 60

// balanceTransactionDelay is how long a charge with asynchronous capture has no balance
// transaction, in seconds (docs: asynchronous capture; the time is inferred).
const balanceTransactionDelay = 3

// charges serves /v1/charges and stores payment attempts.
type charges struct{ *request }

func chargeResource() resource {
	return resource{
		objectType: "charge",
		render: renderFrom(func(s *store) *table[*Charge] { return s.Charges },
			bind(charges.render)),
		scheduleTimers: func(r *request) {
			for _, ch := range r.store.Charges.all {
				r.charges.scheduleBalance(ch)
			}
		},
		routes: chargeRoutes(),
	}
}

// create stores an attempt. A nil decline means success.
func (h charges) create(pi *PaymentIntent, pm *PaymentMethod, decline *Decline) *Charge {
	ch := &Charge{
		Base: Base{ID: h.ids.longID(pm.chargePrefix()), Created: h.now}, Amount: pi.Amount, Currency: pi.Currency,
		Customer: pi.Customer, Description: pi.Description, Failure: decline, Invoice: pi.Invoice,
		Metadata: pi.Metadata, PaymentIntent: pi.ID, PaymentMethod: pm.ID, ReceiptEmail: pi.ReceiptEmail,
		StatementDescriptor: pi.StatementDescriptor, StatementDescriptorSuffix: pi.StatementDescriptorSuffix,
		Shipping: pi.Shipping, TransferGroup: pi.TransferGroup, BalancePending: decline == nil && pm.isCard() && pi.captureMethod() == "automatic_async" && !h.seeding,
		Pending: decline == nil && pm.IsBankAccount,
	}
	h.store.Charges.insert(ch)
	h.scheduleBalance(ch)
	return ch
}

// chargePrefix begins the ids of charges: py_ for all but cards (recorded by spree_stripe).
func (p *PaymentMethod) chargePrefix() string {
	if p.isCard() {
		return "ch_3"
	}
	return "py_3"
}

// scheduleBalance schedules charge.updated with the balance transaction of an asynchronous capture
// (docs: asynchronous capture).
func (h charges) scheduleBalance(ch *Charge) {
	if !ch.BalancePending {
		return
	}
	h.schedule(accountClock, ch.Created+balanceTransactionDelay, func(r *request) {
		if ch.BalancePending {
			before := r.charges.render(ch)
			ch.BalancePending = false
			r.emitUpdate("charge.updated", before, r.charges.render(ch))
		}
	})
}

func (h charges) get(in *input) (any, error) {
	ch, err := h.find(in)
	if err != nil {
		return nil, err
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
		filter: func(c *Charge) bool {
			return (!in.Has("customer") || c.Customer == in.String("customer")) && (!in.Has("transfer_group") || c.TransferGroup == in.String("transfer_group"))
		},
		render: h.render,
	}.page(in)
}

func (c *Charge) fraudDetails() wire.Object {
	if c.UserReport == "" {
		return wire.Object{}
	}
	return wire.Object{"user_report": c.UserReport}
}

// receiptURL is the page of the charge's invoice. Charges without an invoice have no page here.
func (h charges) receiptURL(c *Charge) any {
	if c.Invoice == "" || c.Failure != nil || c.Pending {
		return nil
	}
	return h.origin + "/i/" + c.Invoice
}

func (c *Charge) status() string {
	if c.Failure != nil {
		return "failed"
	}
	if c.Pending {
		return "pending"
	}
	return "succeeded"
}

// calculatedDescriptor is null for bank debits (recorded by spree_stripe).
func (c *Charge) calculatedDescriptor() any {
	if strings.HasPrefix(c.ID, "py_") {
		return nil
	}
	return "LOCAL STRIPE"
}

func (h charges) render(c *Charge) wire.Object {
	captured, balance := c.Amount-c.ReleasedAmount, any(wire.Ref("balance_transaction", chargeTransactionID(c.ID)))
	if !c.moved() && !c.Pending {
		captured = 0
	}
	if !c.moved() || c.BalancePending {
		balance = nil
	}
	o := wire.Object{
		"id": c.ID, "object": "charge", "amount": c.Amount, "amount_captured": captured,
		"amount_refunded": c.AmountRefunded, "application": nil, "application_fee": nil,
		"application_fee_amount": nil, "balance_transaction": balance,
		"calculated_statement_descriptor": c.calculatedDescriptor(), "captured": c.Failure == nil && !c.Uncaptured, "created": c.Created,
		"currency": c.Currency, "customer": wire.Ref("customer", c.Customer), "description": wire.StringOrNull(c.Description),
		"destination": nil, "dispute": wire.Ref("dispute", c.Dispute), "disputed": c.Disputed, "failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil,
		"fraud_details": c.fraudDetails(), "invoice": wire.Ref("invoice", c.Invoice), "livemode": false, "metadata": c.Metadata,
		"on_behalf_of": nil, "order": nil, "outcome": c.renderOutcome(h.testCard(c)), "paid": c.Failure == nil && !c.Pending,
		"payment_intent": wire.Ref("payment_intent", c.PaymentIntent), "payment_method": c.PaymentMethod,
		"receipt_email": wire.StringOrNull(c.ReceiptEmail), "receipt_number": nil, "receipt_url": h.receiptURL(c),
		"refunded": c.AmountRefunded == c.Amount && c.Amount > 0,
		"refunds":  wire.Expandable(func() any { return h.refunds.renderForCharge(c) }),
		"review":   wire.Ref("review", h.reviews.ofCharge(c.ID)), "shipping": c.Shipping.render(), "source": nil, "source_transfer": nil, "statement_descriptor": wire.StringOrNull(c.StatementDescriptor),
		"statement_descriptor_suffix": wire.StringOrNull(c.StatementDescriptorSuffix), "status": c.status(), "transfer_data": nil, "transfer_group": wire.StringOrNull(c.TransferGroup),
	}
	if c.Failure != nil {
		o["failure_code"], o["failure_message"] = c.Failure.Code, c.Failure.Message
	}
	h.renderCard(o, c)
	return o
}

func (c *Charge) renderOutcome(card testCard) wire.Object {
	level, score := cmp.Or(card.riskLevel, "normal"), map[string]int{"": 21, "elevated": 70, "highest": 95}[card.riskLevel]
	switch {
	case c.Failure == nil:
		return wire.Object{
			"network_status": "approved_by_network", "reason": nil, "risk_level": level, "risk_score": score,
			"seller_message": "Payment complete.", "type": "authorized",
		}
	case level == "highest":
		return wire.Object{
			"network_status": "not_sent_to_network", "reason": "highest_risk_level", "risk_level": level, "risk_score": score,
			"seller_message": "Stripe blocked this payment as too risky.", "type": "blocked",
		}
	}
	return wire.Object{
		"network_status": "declined_by_network", "reason": wire.StringOrNull(c.Failure.DeclineCode), "risk_level": level,
		"risk_score": score, "seller_message": "The bank did not return any further details with this decline.",
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
	if isSource(pm) {
		o["source"] = renderCard(pm)
	}
	if !pm.isCard() {
		o["billing_details"], o["payment_method_details"] = pm.renderBillingDetails(), h.accountDetails(pm)
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
	card := wire.Object{
		"amount_authorized": c.Amount, "authorization_code": nil, "brand": pm.Brand, "checks": pm.checks(),
		"country": pm.testCard().country(), "exp_month": pm.ExpMonth, "exp_year": pm.ExpYear,
		"extended_authorization": wire.Object{"status": "disabled"}, "fingerprint": pm.fingerprint(), "funding": pm.testCard().fundingType(),
		"incremental_authorization": wire.Object{"status": "unavailable"}, "installments": nil, "last4": pm.last4(),
		"mandate": nil, "multicapture": wire.Object{"status": "unavailable"}, "network": pm.Brand,
		"network_token":  wire.Object{"used": false},
		"overcapture":    wire.Object{"maximum_amount_capturable": c.Amount, "status": "unavailable"},
		"three_d_secure": secure, "wallet": nil,
	}
	if c.Uncaptured || c.WasUncaptured {
		card["capture_before"] = c.Created + captureWindow
	}
	o["payment_method_details"] = wire.Object{"type": "card", "card": card}
}

// testCard returns the test card that paid a charge.
func (h charges) testCard(ch *Charge) testCard {
	pm, ok := h.store.PaymentMethods.get(ch.PaymentMethod)
	if !ok {
		return testCard{}
	}
	if !pm.isCard() {
		return pm.asTestCard()
	}
	card, _ := testCardByNumber(pm.Number)
	return card
}
