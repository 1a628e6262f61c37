package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// Refund is a refund of a charge. Amounts are minor units.
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
	SettlesAt     int64  // account time; 0 if the status is final
	Status        string // pending, succeeded, failed or canceled
}

// refundDelay is the delay of test cards with delayed refunds, in seconds (assumed).
const refundDelay = 5

// refunds serves /v1/refunds.
type refunds struct{ *request }

func refundResource() resource {
	return resource{
		objectType: "refund",
		render: renderFrom(func(s *store) *table[*Refund] { return s.Refunds },
			bind(refunds.render)),
		scheduleTimers: func(r *request) {
			for _, refund := range r.store.Refunds.all {
				r.refunds.scheduleSettlement(refund)
			}
		},
		routes: []route{
			on("POST /v1/refunds", "charge payment_intent amount:int reason:duplicate|fraudulent|requested_by_customer metadata:map?", refunds.create),
			on("GET /v1/refunds", listParams+"charge payment_intent", refunds.list),
			on("GET /v1/refunds/{id}", "", refunds.get),
			on("POST /v1/refunds/{id}", "metadata:map?", refunds.update),
			on("POST /v1/refunds/{id}/cancel", "", refunds.cancel),
		},
	}
}

func (h refunds) create(in *input) (any, error) {
	ch, err := h.findCharge(in)
	if err != nil {
		return nil, err
	}
	amount := in.IntOr("amount", ch.Amount-ch.AmountRefunded)
	if err := checkRefund(ch, amount); err != nil {
		return nil, err
	}
	return h.render(h.refundCharge(ch, amount, in.String("reason"), in.Metadata())), nil
}

func (h refunds) findCharge(in *input) (*Charge, error) {
	id := in.String("charge")
	if id == "" && !in.Has("payment_intent") {
		return nil, wire.Invalid("parameter_missing", "", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	if in.Has("payment_intent") {
		pi, ok := h.store.PaymentIntents.get(in.String("payment_intent"))
		switch {
		case !ok:
			return nil, wire.NoSuch("payment_intent", in.String("payment_intent"), "payment_intent")
		case id != "" && pi.LatestCharge != id:
			return nil, wire.Invalid("", "charge", "The charge does not belong to the payment_intent.")
		case pi.Status != "succeeded":
			return nil, wire.Invalid("", "payment_intent", "This PaymentIntent ("+pi.ID+") does not have a successful charge to refund.")
		}
		id = pi.LatestCharge
	}
	ch, ok := h.store.Charges.get(id)
	if !ok {
		return nil, wire.NoSuch("charge", id, "charge")
	}
	return ch, nil
}

// checkRefund checks an amount against the unrefunded amount of a charge.
func checkRefund(ch *Charge, amount int64) error {
	left := ch.Amount - ch.AmountRefunded
	switch {
	case ch.Failure != nil:
		return wire.Invalid("", "charge", "Charge "+ch.ID+" failed, so it cannot be refunded.")
	case ch.Pending: // the wording is inferred
		return wire.Invalid("", "charge", "Charge "+ch.ID+" is pending, so it cannot be refunded.")
	case ch.Disputed && !ch.DisputeWon:
		return wire.Invalid("charge_disputed", "", "Charge "+ch.ID+" has been charged back; cannot issue a refund.")
	case left == 0:
		return wire.Invalid("charge_already_refunded", "", "Charge "+ch.ID+" has already been refunded.")
	case amount < 1:
		return wire.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount > left && ch.AmountRefunded == 0:
		return wire.Invalid("", "amount", fmt.Sprintf("Refund amount (%s) is greater than charge amount (%s)", wire.FormatAmount(amount, ch.Currency), wire.FormatAmount(ch.Amount, ch.Currency)))
	case amount > left:
		return wire.Invalid("", "amount", fmt.Sprintf("Refund amount (%s) is greater than unrefunded amount on charge (%s)", wire.FormatAmount(amount, ch.Currency), wire.FormatAmount(left, ch.Currency)))
	}
	return nil
}

// refundCharge refunds a checked amount. Some test cards make it pending, or make it fail later.
func (h refunds) refundCharge(ch *Charge, amount int64, reason string, metadata map[string]string) *Refund {
	r := &Refund{
		Base: Base{ID: h.ids.longID("re_3"), Created: h.now}, Amount: amount, Charge: ch.ID, Currency: ch.Currency,
		Metadata: metadata, PaymentIntent: ch.PaymentIntent, Reason: reason, Status: "succeeded",
	}
	switch h.charges.testCard(ch).refundOutcome {
	case "pending":
		r.Status, r.SettlesAt = "pending", h.now+refundDelay
	case "fail":
		r.SettlesAt = h.now + refundDelay
	}
	h.store.Refunds.insert(r)
	h.emit("refund.created", h.render(r))
	before := h.charges.render(ch)
	ch.AmountRefunded += amount
	h.emitUpdate("charge.refunded", before, h.charges.render(ch))
	h.closeReview(ch, reason)
	h.scheduleSettlement(r)
	return r
}

// closeReview closes the review of a charge that is refunded as a whole. That a partial refund does
// not close it is inferred.
func (h refunds) closeReview(ch *Charge, reason string) {
	switch {
	case ch.AmountRefunded < ch.Amount:
	case reason == "fraudulent":
		h.reviews.closeFor(ch.ID, "refunded_as_fraud")
	default:
		h.reviews.closeFor(ch.ID, "refunded")
	}
}

func (h refunds) scheduleSettlement(refund *Refund) {
	if refund.SettlesAt == 0 {
		return
	}
	h.schedule(accountClock, refund.SettlesAt, func(r *request) {
		if refund.SettlesAt != 0 {
			r.refunds.settle(refund)
		}
	})
}

// settle applies the final status. A failed refund is subtracted from amount_refunded.
func (h refunds) settle(r *Refund) {
	before := h.render(r)
	r.SettlesAt = 0
	if r.Status == "pending" {
		r.Status = "succeeded"
	} else {
		h.end(r, "failed", "lost_or_stolen_card")
		h.emitUpdate("refund.failed", before, h.render(r))
	}
	h.emitChange(before, r)
}

// emitChange emits the event for changed refunds of charges, and the one for all changed refunds,
// which versions since 2024-10-28.acacia have
// (https://docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update).
func (h refunds) emitChange(before wire.Object, r *Refund) {
	h.emitUpdate("charge.refund.updated", before, h.render(r))
	h.emitUpdate("refund.updated", before, h.render(r))
}

func (h refunds) end(r *Refund, status, why string) {
	r.Status, r.FailureReason, r.SettlesAt = status, why, 0
	if ch, ok := h.store.Charges.get(r.Charge); ok {
		ch.AmountRefunded -= r.Amount
	}
}

func (h refunds) find(in *input) (*Refund, error) {
	r, ok := h.store.Refunds.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("refund", in.pathValue("id"), "refund")
	}
	return r, nil
}

func (h refunds) get(in *input) (any, error) {
	r, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(r), nil
}

func (h refunds) update(in *input) (any, error) {
	r, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.change(r, in), nil
}

func (h refunds) change(r *Refund, in *input) wire.Object {
	before := h.render(r)
	in.SetMetadata(&r.Metadata)
	h.emitChange(before, r)
	return h.render(r)
}

// cancel cancels a pending refund.
func (h refunds) cancel(in *input) (any, error) {
	r, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if r.Status != "pending" {
		return nil, wire.Invalid("", "", "The refund is `"+r.Status+"` and cannot be canceled.")
	}
	before := h.render(r)
	h.end(r, "canceled", "merchant_request")
	h.emitChange(before, r)
	return h.render(r), nil
}

func (h refunds) list(in *input) (any, error) {
	rows := h.store.Refunds.all
	if in.Has("charge") {
		rows = h.store.Refunds.by("charge", in.String("charge"))
	}
	return listing[*Refund]{
		resource: "refund", table: h.store.Refunds, rows: rows,
		filter: func(r *Refund) bool {
			return !in.Has("payment_intent") || r.PaymentIntent == in.String("payment_intent")
		},
		render: h.render,
	}.page(in)
}

// renderForCharge renders the expandable refunds of a charge.
func (h refunds) renderForCharge(c *Charge) wire.Object {
	data := []any{}
	rows := h.store.Refunds.by("charge", c.ID)
	for i := len(rows) - 1; i >= 0 && len(data) < 10; i-- {
		data = append(data, h.render(rows[i]))
	}
	list := wire.List("/v1/charges/"+c.ID+"/refunds", data, len(rows) > 10)
	list["total_count"] = len(rows)
	return list
}

func (h refunds) render(r *Refund) wire.Object {
	o := wire.Object{
		"id": r.ID, "object": "refund", "amount": r.Amount, "balance_transaction": wire.Ref("balance_transaction", refundTransactionID(r.ID)),
		"charge": wire.Ref("charge", r.Charge), "created": r.Created, "currency": r.Currency,
		"destination_details": wire.Object{"type": "card", "card": wire.Object{
			"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund",
		}},
		"metadata": r.Metadata, "payment_intent": wire.Ref("payment_intent", r.PaymentIntent), "reason": wire.StringOrNull(r.Reason),
		"receipt_number": nil, "source_transfer_reversal": nil, "status": r.Status, "transfer_reversal": nil,
	}
	if r.FailureReason != "" {
		o["failure_reason"] = r.FailureReason
	}
	return o
}
