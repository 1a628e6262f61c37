package stripelocal

import (
	"cmp"

	"usher/stripelocal/wire"
)

// Review is a payment that someone should look at. Here a payment with an elevated risk opens one,
// as by the default rule of Radar for Fraud Teams (docs: Radar reviews).
type Review struct {
	Base
	Charge       string
	ClosedReason string // empty while the review is open
}

// reviews serves /v1/reviews.
type reviews struct{ *request }

func reviewResource() resource {
	return resource{
		objectType: "review",
		render:     renderFrom(func(s *store) *table[*Review] { return s.Reviews }, bind(reviews.render)),
		routes: []route{
			on("GET /v1/reviews", listParams, reviews.list),
			on("GET /v1/reviews/{id}", "", reviews.get),
			on("POST /v1/reviews/{id}/approve", "", reviews.approve),
		},
	}
}

// openForTestCard opens the review of a payment whose test card has an elevated risk.
func (h reviews) openForTestCard(ch *Charge) {
	if h.charges.testCard(ch).riskLevel != "elevated" {
		return
	}
	x := &Review{Base: Base{ID: h.ids.longID("prv_1"), Created: h.now}, Charge: ch.ID}
	h.store.Reviews.insert(x)
	h.emit("review.opened", h.render(x))
}

// ofCharge is the id of a charge's review, if it has one.
func (h reviews) ofCharge(charge string) string {
	for _, x := range h.store.Reviews.by("charge", charge) {
		return x.ID
	}
	return ""
}

// closeFor closes the open review of a charge that is refunded or disputed.
func (h reviews) closeFor(charge, reason string) {
	for _, x := range h.store.Reviews.by("charge", charge) {
		if x.ClosedReason == "" {
			h.close(x, reason)
		}
	}
}

func (h reviews) close(x *Review, reason string) {
	x.ClosedReason = reason
	h.emit("review.closed", h.render(x))
}

func (h reviews) find(in *input) (*Review, error) {
	x, ok := h.store.Reviews.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("review", in.pathValue("id"), "review")
	}
	return x, nil
}

func (h reviews) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

// approve closes a review (the wording for one that is closed is inferred).
func (h reviews) approve(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if x.ClosedReason != "" {
		return nil, wire.Invalid("", "", "This review is already closed: `"+x.ClosedReason+"`.")
	}
	h.close(x, "approved")
	return h.render(x), nil
}

// list lists the open reviews (API reference: list all open reviews).
func (h reviews) list(in *input) (any, error) {
	return listing[*Review]{
		resource: "review", table: h.store.Reviews, rows: h.store.Reviews.all,
		filter: func(x *Review) bool { return x.ClosedReason == "" },
		render: h.render,
	}.page(in)
}

func (h reviews) render(x *Review) wire.Object {
	o := wire.Object{
		"id": x.ID, "object": "review", "billing_zip": nil, "charge": wire.Ref("charge", x.Charge), "closed_reason": wire.StringOrNull(x.ClosedReason),
		"created": x.Created, "ip_address": nil, "ip_address_location": nil, "livemode": false, "open": x.ClosedReason == "", "opened_reason": "rule",
		"reason": cmp.Or(x.ClosedReason, "rule"), "session": nil,
	}
	ch, ok := h.store.Charges.get(x.Charge)
	if !ok {
		return o
	}
	if ch.PaymentIntent != "" {
		o["payment_intent"] = wire.Ref("payment_intent", ch.PaymentIntent)
	}
	if pm, ok := h.store.PaymentMethods.get(ch.PaymentMethod); ok && pm.Address != nil {
		o["billing_zip"] = wire.StringOrNull(pm.Address.PostalCode)
	}
	return o
}
