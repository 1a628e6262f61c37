package stripelocal

import (
	"cmp"
	"strings"

	"usher/stripelocal/wire"
)

// Mandate is a customer's permission to debit their bank account. Checkout obtains it with each
// bank debit, a call of the API with mandate_data. Cards have none.
type Mandate struct {
	Base
	PaymentMethod string
	Amount        int64 // of the only debit, in minor units; 0 permits any number
	Currency      string
	Status        string `json:",omitzero"` // pending or inactive; empty is active
	AcceptedAt    int64  `json:",omitzero"` // 0 is Created
	Offline       bool   `json:",omitzero"` // accepted on paper
	IPAddress     string `json:",omitzero"`
	UserAgent     string `json:",omitzero"`
}

const mandateParams = "mandate_data{customer_acceptance{accepted_at:time online{ip_address! user_agent!} type:offline|online!}!}? "

// mandates serves /v1/mandates.
type mandates struct{ *request }

func mandateResource() resource {
	return resource{
		objectType: "mandate",
		render:     renderFrom(func(s *store) *table[*Mandate] { return s.Mandates }, bind(mandates.render)),
		routes:     []route{on("GET /v1/mandates/{id}", "", mandates.get)},
	}
}

// insert stores a mandate. An amount of 0 permits any number of debits. The mandate of an account
// that is not verified is pending.
func (h mandates) insert(pm *PaymentMethod, acceptance wire.Params, amount int64, currency string) *Mandate {
	m := &Mandate{
		Base: Base{ID: h.ids.longID("mandate_1"), Created: h.now}, PaymentMethod: pm.ID, AcceptedAt: acceptance.Int("accepted_at"),
		Offline: acceptance.String("type") == "offline", IPAddress: acceptance.At("online").String("ip_address"), UserAgent: acceptance.At("online").String("user_agent"),
	}
	if amount != 0 {
		m.Amount, m.Currency = amount, currency
	}
	if pm.Unverified {
		m.Status = "pending"
	}
	h.store.Mandates.insert(m)
	return m
}

// insertForIntent stores the mandate of a payment, which permits more if the bank account is saved
// (inferred).
func (h mandates) insertForIntent(pm *PaymentMethod, pi *PaymentIntent, acceptance wire.Params) *Mandate {
	if pi.futureUsage(pm) != "" {
		return h.insert(pm, acceptance, 0, "")
	}
	return h.insert(pm, acceptance, pi.Amount, pi.Currency)
}

// latest is the last mandate of a payment method.
func (h mandates) latest(pm *PaymentMethod) (*Mandate, bool) {
	all := h.store.Mandates.by("payment_method", pm.ID)
	if len(all) == 0 {
		return nil, false
	}
	return all[len(all)-1], true
}

func (h mandates) idOf(pm *PaymentMethod) string {
	if m, ok := h.latest(pm); ok {
		return m.ID
	}
	return ""
}

// permits reports whether a payment method has a mandate for a further debit.
func (h mandates) permits(pm *PaymentMethod) bool {
	m, ok := h.latest(pm)
	return ok && m.Amount == 0 && m.Status != "inactive"
}

// setStatus changes the status of the last mandate of a payment method.
func (h mandates) setStatus(pm *PaymentMethod, status string) {
	m, ok := h.latest(pm)
	if !ok || m.Status == status {
		return
	}
	before := h.render(m)
	m.Status = status
	h.emitUpdate("mandate.updated", before, h.render(m))
}

func (h mandates) get(in *input) (any, error) {
	m, ok := h.store.Mandates.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("mandate", in.pathValue("id"), "mandate")
	}
	return h.render(m), nil
}

func (h mandates) render(m *Mandate) wire.Object {
	o := wire.Object{
		"id": m.ID, "object": "mandate", "livemode": false, "payment_method": wire.Ref("payment_method", m.PaymentMethod),
		"customer_acceptance": m.acceptance(), "payment_method_details": h.details(m),
		"status": cmp.Or(m.Status, "active"), "type": "multi_use", "multi_use": wire.Object{},
	}
	if m.Amount != 0 {
		o["type"], o["single_use"] = "single_use", wire.Object{"amount": m.Amount, "currency": m.Currency}
		delete(o, "multi_use")
	}
	return o
}

func (m *Mandate) acceptance() wire.Object {
	o := wire.Object{"accepted_at": cmp.Or(m.AcceptedAt, m.Created), "type": "online"}
	if m.Offline {
		o["type"], o["offline"] = "offline", wire.Object{}
		return o
	}
	o["online"] = wire.Object{"ip_address": wire.StringOrNull(m.IPAddress), "user_agent": wire.StringOrNull(m.UserAgent)}
	return o
}

// details are the payment_method_details. That of SEPA has the reference that the customer sees
// (its form is inferred).
func (h mandates) details(m *Mandate) wire.Object {
	kind, details := "us_bank_account", wire.Object{}
	if pm, ok := h.store.PaymentMethods.get(m.PaymentMethod); ok && pm.Type == "sepa_debit" {
		reference := strings.ToUpper(fingerprint(m.ID)[:16])
		kind, details = pm.Type, wire.Object{"reference": reference, "url": h.origin + "/mandates/" + reference}
	}
	return wire.Object{"type": kind, kind: details}
}
