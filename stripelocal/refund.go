package stripelocal

import "fmt"

// Refund is money given back of a charge. Amounts are minor units.
type Refund struct {
	Base
	Amount        int64
	Charge        string
	CreditNote    string
	Currency      string
	FailureReason string
	Metadata      map[string]string
	PaymentIntent string
	Reason        string
	SettlesAt     int64  // account time; 0 once it has its last status
	Status        string // pending, succeeded, failed
}

// refundDelay is how long the refunds of the test cards take that do not end
// at once (assumed).
const refundDelay = 5

func refundResource() resource {
	return resource{
		kind: "refund",
		render: finder(func(s *state) *table[*Refund] { return s.Refunds },
			func(a *act, r *Refund) object { return a.renderRefund(r) }),
		arm: func(a *act) {
			for _, r := range a.state.Refunds.all {
				a.armRefund(r)
			}
		},
		routes: []route{
			{"POST /v1/refunds", "charge payment_intent amount:int reason:duplicate|fraudulent|requested_by_customer metadata:map?", (*act).createRefund},
			{"GET /v1/refunds", listParams + "charge payment_intent", (*act).listRefunds},
			{"GET /v1/refunds/{id}", "", (*act).getRefund},
			{"POST /v1/refunds/{id}", "metadata:map?", (*act).updateRefund},
			{"POST /v1/refunds/{id}/cancel", "", (*act).cancelRefund},
		},
	}
}

func (a *act) createRefund(in *input) (any, error) {
	ch, err := a.chargeToRefund(in)
	if err != nil {
		return nil, err
	}
	amount := in.numOr("amount", ch.Amount-ch.AmountRefunded)
	if err := checkRefund(ch, amount); err != nil {
		return nil, err
	}
	r := a.refund(ch, amount, in.str("reason"))
	r.Metadata = in.metadata()
	return a.renderRefund(r), nil
}

func (a *act) chargeToRefund(in *input) (*Charge, error) {
	id := in.str("charge")
	if id == "" && !in.has("payment_intent") {
		return nil, invalid("parameter_missing", "", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	if in.has("payment_intent") {
		pi, ok := a.state.PaymentIntents.get(in.str("payment_intent"))
		switch {
		case !ok:
			return nil, noSuch("payment_intent", in.str("payment_intent"), "payment_intent")
		case id != "" && pi.LastCharge != id:
			return nil, invalid("", "charge", "The charge does not belong to the payment_intent.")
		case pi.Status != "succeeded":
			return nil, invalid("", "payment_intent", "This PaymentIntent ("+pi.ID+") does not have a successful charge to refund.")
		}
		id = pi.LastCharge
	}
	ch, ok := a.state.Charges.get(id)
	if !ok {
		return nil, noSuch("charge", id, "charge")
	}
	return ch, nil
}

// checkRefund holds an amount against what is left of a charge.
func checkRefund(ch *Charge, amount int64) error {
	left := ch.Amount - ch.AmountRefunded
	switch {
	case ch.Failure != nil:
		return invalid("", "charge", "Charge "+ch.ID+" failed, so it cannot be refunded.")
	case ch.Disputed && !ch.DisputeWon:
		return invalid("charge_disputed", "", "Charge "+ch.ID+" has been charged back; cannot issue a refund.")
	case left == 0:
		return invalid("charge_already_refunded", "", "Charge "+ch.ID+" has already been refunded.")
	case amount < 1:
		return invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount > left && ch.AmountRefunded == 0:
		return invalid("", "amount", fmt.Sprintf("Refund amount (%s) is greater than charge amount (%s)", formatAmount(amount, ch.Currency), formatAmount(ch.Amount, ch.Currency)))
	case amount > left:
		return invalid("", "amount", fmt.Sprintf("Refund amount (%s) is greater than unrefunded amount on charge (%s)", formatAmount(amount, ch.Currency), formatAmount(left, ch.Currency)))
	}
	return nil
}

// refund gives back a checked amount. Some test cards keep it pending, or let
// it fail later.
func (a *act) refund(ch *Charge, amount int64, reason string) *Refund {
	r := &Refund{
		Base: Base{ID: a.ids.long("re_3"), Created: a.at}, Amount: amount, Charge: ch.ID, Currency: ch.Currency,
		Metadata: map[string]string{}, PaymentIntent: ch.PaymentIntent, Reason: reason, Status: "succeeded",
	}
	switch a.cardOf(ch).refund {
	case "pending":
		r.Status, r.SettlesAt = "pending", a.at+refundDelay
	case "fail":
		r.SettlesAt = a.at + refundDelay
	}
	a.state.Refunds.insert(r)
	before := a.renderCharge(ch)
	ch.AmountRefunded += amount
	a.emitUpdate("charge.refunded", before, a.renderCharge(ch))
	a.armRefund(r)
	return r
}

// cardOf is the test card behind a charge.
func (a *act) cardOf(ch *Charge) testCard {
	pm, ok := a.state.PaymentMethods.get(ch.PaymentMethod)
	if !ok {
		return testCard{}
	}
	card, _ := cardByNumber(pm.Number)
	return card
}

func (a *act) armRefund(r *Refund) {
	if r.SettlesAt == 0 {
		return
	}
	a.schedule(accountClock, r.SettlesAt, func(b *act) {
		if r.SettlesAt != 0 {
			b.settleRefund(r)
		}
	})
}

// settleRefund is the bank's late answer. What failed is not refunded any more.
func (a *act) settleRefund(r *Refund) {
	before := a.renderRefund(r)
	r.SettlesAt = 0
	if r.Status == "pending" {
		r.Status = "succeeded"
	} else {
		a.endRefund(r, "failed", "lost_or_stolen_card")
	}
	a.emitUpdate("charge.refund.updated", before, a.renderRefund(r))
}

func (a *act) endRefund(r *Refund, status, why string) {
	r.Status, r.FailureReason, r.SettlesAt = status, why, 0
	if ch, ok := a.state.Charges.get(r.Charge); ok {
		ch.AmountRefunded -= r.Amount
	}
}

func (a *act) refundAt(in *input) (*Refund, error) {
	r, ok := a.state.Refunds.get(in.path("id"))
	if !ok {
		return nil, notFound("refund", in.path("id"), "refund")
	}
	return r, nil
}

func (a *act) getRefund(in *input) (any, error) {
	r, err := a.refundAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderRefund(r), nil
}

func (a *act) updateRefund(in *input) (any, error) {
	r, err := a.refundAt(in)
	if err != nil {
		return nil, err
	}
	before := a.renderRefund(r)
	in.setMetadata(&r.Metadata)
	a.emitUpdate("charge.refund.updated", before, a.renderRefund(r))
	return a.renderRefund(r), nil
}

// cancelRefund takes back a refund that the bank has not done yet.
func (a *act) cancelRefund(in *input) (any, error) {
	r, err := a.refundAt(in)
	if err != nil {
		return nil, err
	}
	if r.Status != "pending" {
		return nil, invalid("", "", "The refund is `"+r.Status+"` and cannot be canceled.")
	}
	before := a.renderRefund(r)
	a.endRefund(r, "canceled", "merchant_request")
	a.emitUpdate("charge.refund.updated", before, a.renderRefund(r))
	return a.renderRefund(r), nil
}

func (a *act) listRefunds(in *input) (any, error) {
	rows := a.state.Refunds.all
	if in.has("charge") {
		rows = a.state.Refunds.by("charge", in.str("charge"))
	}
	return listing[*Refund]{
		what: "refund", table: a.state.Refunds, rows: rows,
		keep:   func(r *Refund) bool { return !in.has("payment_intent") || r.PaymentIntent == in.str("payment_intent") },
		render: func(r *Refund) object { return a.renderRefund(r) },
	}.page(in)
}

// refundsOf is the expandable list inside a charge.
func (a *act) refundsOf(c *Charge) object {
	data := []any{}
	rows := a.state.Refunds.by("charge", c.ID)
	for i := len(rows) - 1; i >= 0 && len(data) < 10; i-- {
		data = append(data, a.renderRefund(rows[i]))
	}
	return listObject("/v1/charges/"+c.ID+"/refunds", data, len(rows) > 10)
}

func (a *act) renderRefund(r *Refund) object {
	o := object{
		"id": r.ID, "object": "refund", "amount": r.Amount, "balance_transaction": "txn_3" + r.ID[len("re_3"):],
		"charge": ref{"charge", r.Charge}, "created": r.Created, "currency": r.Currency,
		"destination_details": object{"type": "card", "card": object{
			"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund",
		}},
		"metadata": r.Metadata, "payment_intent": ref{"payment_intent", r.PaymentIntent}, "reason": orNull(r.Reason),
		"receipt_number": nil, "source_transfer_reversal": nil, "status": r.Status, "transfer_reversal": nil,
	}
	if r.FailureReason != "" {
		o["failure_reason"] = r.FailureReason
	}
	return o
}
