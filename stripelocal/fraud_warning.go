package stripelocal

import (
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// fraudWarnings serves /v1/radar/early_fraud_warnings. Nothing is stored: a charge of the test card
// for it has one (docs: https://docs.stripe.com/testing, "early fraud warning").
type fraudWarnings struct{ *request }

func fraudWarningResource() resource {
	return resource{
		objectType: "radar.early_fraud_warning",
		render:     func(r *request, id string) (wire.Object, bool) { return r.fraudWarnings.byID(id) },
		routes: []route{
			on("GET /v1/radar/early_fraud_warnings", listParams+"charge payment_intent", fraudWarnings.list),
			on("GET /v1/radar/early_fraud_warnings/{id}", "", fraudWarnings.get),
		},
	}
}

// openForTestCard emits the warning of a payment.
func (h fraudWarnings) openForTestCard(ch *Charge) {
	if h.charges.testCard(ch).fraudWarning {
		h.emit("radar.early_fraud_warning.created", h.render(ch))
	}
}

func (h fraudWarnings) byID(id string) (wire.Object, bool) {
	rest, ok := strings.CutPrefix(id, "issfr_")
	ch, found := h.store.Charges.get("ch_" + rest)
	if !ok || !found || !ch.moved() || !h.charges.testCard(ch).fraudWarning {
		return nil, false
	}
	return h.render(ch), true
}

func (h fraudWarnings) get(in *input) (any, error) {
	o, ok := h.byID(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("early_fraud_warning", in.pathValue("id"), "id")
	}
	return o, nil
}

func (h fraudWarnings) list(in *input) (any, error) {
	data := []any{}
	for _, ch := range slices.Backward(h.store.Charges.all) {
		if ch.moved() && h.charges.testCard(ch).fraudWarning && in.InRange("created", ch.Created) &&
			(!in.Has("charge") || ch.ID == in.String("charge")) && (!in.Has("payment_intent") || ch.PaymentIntent == in.String("payment_intent")) {
			data = append(data, h.render(ch))
		}
	}
	return pageOf(wire.List(in.url, data, false), in)
}

// render renders the warning of a charge. It is actionable until the charge is refunded or disputed
// (API reference: early fraud warnings).
func (h fraudWarnings) render(ch *Charge) wire.Object {
	o := wire.Object{
		"id": "issfr_" + strings.TrimPrefix(ch.ID, "ch_"), "object": "radar.early_fraud_warning", "actionable": ch.AmountRefunded < ch.Amount && !ch.Disputed,
		"charge": wire.Ref("charge", ch.ID), "created": ch.Created, "fraud_type": "misc", "livemode": false,
	}
	if ch.PaymentIntent != "" {
		o["payment_intent"] = wire.Ref("payment_intent", ch.PaymentIntent)
	}
	return o
}
