package stripelocal

import "usher/stripelocal/wire"

const (
	// payoutDays is the number of days until a standard payout arrives, at midnight UTC (docs:
	// payouts, the standard schedule of the United States).
	payoutDays = 2
	// instantPayout is how long an instant payout takes, in seconds (docs: usually 30 minutes).
	instantPayout = 30 * 60
)

// Payout takes money out of the balance. A negative amount is the reversal of another payout.
type Payout struct {
	Base
	Amount              int64
	ArrivalDate         int64
	CanceledAt          int64
	Currency            string
	Description         string
	Metadata            map[string]string
	Method              string // standard or instant
	OriginalPayout      string
	ReversedBy          string
	StatementDescriptor string
	Status              string // pending, paid or canceled
}

// payouts serves /v1/payouts.
type payouts struct{ *request }

func payoutResource() resource {
	return resource{
		objectType: "payout",
		render: renderFrom(func(s *store) *table[*Payout] { return s.Payouts },
			func(_ *request, p *Payout) wire.Object { return p.render() }),
		scheduleTimers: func(r *request) {
			for _, p := range r.store.Payouts.all {
				r.payouts.scheduleArrival(p)
			}
		},
		routes: []route{
			on("POST /v1/payouts", "amount:int! currency:currency! description metadata:map method:instant|standard source_type:bank_account|card|fpx statement_descriptor:22", payouts.create),
			on("GET /v1/payouts", listParams+"arrival_date:range status", payouts.list),
			on("GET /v1/payouts/{id}", "", payouts.get),
			on("POST /v1/payouts/{id}", "metadata:map?", payouts.update),
			on("POST /v1/payouts/{id}/cancel", "", payouts.cancel),
			on("POST /v1/payouts/{id}/reverse", "metadata:map", payouts.reverse),
		},
	}
}

func (h payouts) create(in *input) (any, error) {
	amount, currency := in.Int("amount"), in.String("currency")
	switch {
	case amount < 1:
		return nil, wire.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case in.StringOr("source_type", "card") != "card":
		return nil, wire.Invalid("balance_insufficient", "source_type", "The local Stripe has funds from cards only.")
	case amount > h.balanceTransactions.available(currency):
		return nil, wire.Invalid("balance_insufficient", "amount", "You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance by creating Charges using the 4000000000000077 test card. See: https://stripe.com/docs/testing#available-balance")
	}
	p := h.insert(&Payout{
		Amount: amount, Currency: currency, Description: in.String("description"), Metadata: in.Metadata(),
		Method: in.StringOr("method", "standard"), StatementDescriptor: in.String("statement_descriptor"),
	})
	return p.render(), nil
}

func (h payouts) insert(p *Payout) *Payout {
	const day = 24 * 60 * 60
	p.Base, p.Status = Base{ID: h.ids.longID("po_1"), Created: h.now}, "pending"
	p.ArrivalDate = (h.now/day + payoutDays) * day
	if p.Method == "instant" {
		p.ArrivalDate = h.now + instantPayout
	}
	h.store.Payouts.insert(p)
	h.emit("payout.created", p.render())
	h.scheduleArrival(p)
	return p
}

func (h payouts) scheduleArrival(p *Payout) {
	if p.Status != "pending" {
		return
	}
	h.schedule(accountClock, p.ArrivalDate, func(r *request) {
		if p.Status == "pending" {
			before := p.render()
			p.Status = "paid"
			r.emitUpdate("payout.updated", before, p.render())
			r.emit("payout.paid", p.render())
		}
	})
}

func (h payouts) find(in *input) (*Payout, error) {
	p, ok := h.store.Payouts.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payout", in.pathValue("id"), "payout")
	}
	return p, nil
}

func (h payouts) get(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return p.render(), nil
}

func (h payouts) update(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	before := p.render()
	in.SetMetadata(&p.Metadata)
	h.emitUpdate("payout.updated", before, p.render())
	return p.render(), nil
}

// cancel returns the money of a payout that has not arrived.
func (h payouts) cancel(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if p.Status != "pending" || p.OriginalPayout != "" {
		return nil, wire.Invalid("payouts_not_allowed", "", "Payouts can only be canceled while they are pending. The status of this payout is `"+p.Status+"`.")
	}
	p.Status, p.CanceledAt = "canceled", h.now
	h.emit("payout.canceled", p.render())
	return p.render(), nil
}

// reverse takes a paid payout back by another one, which adds its amount to the balance.
func (h payouts) reverse(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if p.Status != "paid" || p.ReversedBy != "" || p.OriginalPayout != "" {
		return nil, wire.Invalid("payouts_not_allowed", "", "Only a payout that is paid, and not reversed yet, can be reversed.")
	}
	back := h.insert(&Payout{Amount: -p.Amount, Currency: p.Currency, Metadata: in.Metadata(), Method: "standard", OriginalPayout: p.ID})
	before := p.render()
	p.ReversedBy = back.ID
	h.emitUpdate("payout.updated", before, p.render())
	return back.render(), nil
}

func (h payouts) list(in *input) (any, error) {
	return listing[*Payout]{
		resource: "payout", table: h.store.Payouts, rows: h.store.Payouts.all,
		filter: func(p *Payout) bool {
			return (!in.Has("status") || p.Status == in.String("status")) && in.InRange("arrival_date", p.ArrivalDate)
		},
		render: (*Payout).render,
	}.page(in)
}

func (p *Payout) render() wire.Object {
	return wire.Object{
		"id": p.ID, "object": "payout", "amount": p.Amount, "application_fee": nil, "application_fee_amount": nil, "arrival_date": p.ArrivalDate,
		"automatic": false, "balance_transaction": wire.Ref("balance_transaction", payoutTransactionID(p.ID)), "created": p.Created, "currency": p.Currency,
		"description": wire.StringOrNull(p.Description), "destination": nil, "failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil,
		"livemode": false, "metadata": p.Metadata, "method": p.Method, "original_payout": wire.Ref("payout", p.OriginalPayout),
		"reconciliation_status": "not_applicable", "reversed_by": wire.Ref("payout", p.ReversedBy), "source_type": "card",
		"statement_descriptor": wire.StringOrNull(p.StatementDescriptor), "status": p.Status, "type": "bank_account",
	}
}
