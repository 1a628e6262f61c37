package stripelocal

import "usher/stripelocal/wire"

// topupDelay is how long a top-up is pending, in seconds (inferred: days at a bank).
const topupDelay = 24 * 60 * 60

// Topup adds money from the account's bank to the balance.
type Topup struct {
	Base
	Amount              int64
	Currency            string
	Description         string
	Metadata            map[string]string
	StatementDescriptor string
	Status              string // pending, succeeded or canceled
	SucceededAt         int64
	TransferGroup       string
}

// topups serves /v1/topups.
type topups struct{ *request }

func topupResource() resource {
	return resource{
		objectType: "topup",
		render: renderFrom(func(s *store) *table[*Topup] { return s.Topups },
			func(_ *request, t *Topup) wire.Object { return t.render() }),
		scheduleTimers: func(r *request) {
			for _, t := range r.store.Topups.all {
				r.topups.scheduleSuccess(t)
			}
		},
		routes: []route{
			on("POST /v1/topups", "amount:int! currency:currency! description metadata:map? statement_descriptor:15 transfer_group", topups.create),
			on("GET /v1/topups", listParams+"amount:range status:canceled|failed|pending|succeeded", topups.list),
			on("GET /v1/topups/{id}", "", topups.get),
			on("POST /v1/topups/{id}", "description metadata:map?", topups.update),
			on("POST /v1/topups/{id}/cancel", "", topups.cancel),
		},
	}
}

func (h topups) create(in *input) (any, error) {
	if in.Int("amount") < 1 {
		return nil, wire.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	}
	t := &Topup{
		Base: Base{ID: h.ids.longID("tu_1"), Created: h.now}, Amount: in.Int("amount"), Currency: in.String("currency"), Description: in.String("description"),
		Metadata: in.Metadata(), StatementDescriptor: in.String("statement_descriptor"), Status: "pending", TransferGroup: in.String("transfer_group"),
	}
	h.store.Topups.insert(t)
	h.emit("topup.created", t.render())
	h.scheduleSuccess(t)
	return t.render(), nil
}

func (h topups) scheduleSuccess(t *Topup) {
	if t.Status != "pending" {
		return
	}
	h.schedule(accountClock, t.Created+topupDelay, func(r *request) {
		if t.Status == "pending" {
			t.Status, t.SucceededAt = "succeeded", r.now
			r.emit("topup.succeeded", t.render())
		}
	})
}

func (h topups) find(in *input) (*Topup, error) {
	t, ok := h.store.Topups.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("topup", in.pathValue("id"), "topup")
	}
	return t, nil
}

func (h topups) get(in *input) (any, error) {
	t, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return t.render(), nil
}

func (h topups) update(in *input) (any, error) {
	t, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.SetString("description", &t.Description)
	in.SetMetadata(&t.Metadata)
	return t.render(), nil
}

func (h topups) cancel(in *input) (any, error) {
	t, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if t.Status != "pending" {
		return nil, wire.Invalid("", "", "Only a pending top-up can be canceled. The status of this one is `"+t.Status+"`.")
	}
	t.Status = "canceled"
	h.emit("topup.canceled", t.render())
	return t.render(), nil
}

func (h topups) list(in *input) (any, error) {
	return listing[*Topup]{
		resource: "topup", table: h.store.Topups, rows: h.store.Topups.all,
		filter: func(t *Topup) bool {
			return (!in.Has("status") || t.Status == in.String("status")) && in.InRange("amount", t.Amount)
		},
		render: (*Topup).render,
	}.page(in)
}

func (t *Topup) render() wire.Object {
	o := wire.Object{
		"id": t.ID, "object": "topup", "amount": t.Amount, "balance_transaction": nil, "created": t.Created, "currency": t.Currency,
		"description": wire.StringOrNull(t.Description), "expected_availability_date": t.Created + topupDelay, "failure_code": nil, "failure_message": nil,
		"livemode": false, "metadata": t.Metadata, "source": nil, "statement_descriptor": wire.StringOrNull(t.StatementDescriptor),
		"status": t.Status, "transfer_group": wire.StringOrNull(t.TransferGroup),
	}
	if t.SucceededAt != 0 {
		o["balance_transaction"] = wire.Ref("balance_transaction", topupTransactionID(t.ID))
	}
	return o
}
