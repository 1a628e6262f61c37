package stripelocal

import "usher/stripelocal/wire"

// Mandate is a customer's permission to debit their bank account. Checkout obtains it with each
// bank debit. Cards have none.
type Mandate struct {
	Base
	PaymentMethod string
	Amount        int64 // of the only debit, in minor units; 0 permits any number
	Currency      string
}

// mandates serves /v1/mandates.
type mandates struct{ *request }

func mandateResource() resource {
	return resource{
		objectType: "mandate",
		render: renderFrom(func(s *store) *table[*Mandate] { return s.Mandates },
			func(_ *request, m *Mandate) wire.Object { return m.render() }),
		routes: []route{on("GET /v1/mandates/{id}", "", mandates.get)},
	}
}

// insert stores the mandate of a debit, which permits more if the bank account is saved.
func (h mandates) insert(pm *PaymentMethod, pi *PaymentIntent) {
	m := &Mandate{Base: Base{ID: h.ids.longID("mandate_1"), Created: h.now}, PaymentMethod: pm.ID}
	if pi.SetupFutureUsage == "" {
		m.Amount, m.Currency = pi.Amount, pi.Currency
	}
	h.store.Mandates.insert(m)
}

func (h mandates) get(in *input) (any, error) {
	m, ok := h.store.Mandates.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("mandate", in.pathValue("id"), "mandate")
	}
	return m.render(), nil
}

// addTo adds the mandate of a bank account to a charge's payment_method_details.
func (h mandates) addTo(details wire.Object, pm *PaymentMethod) wire.Object {
	account, _ := details["us_bank_account"].(wire.Object)
	for _, m := range h.store.Mandates.by("payment_method", pm.ID) {
		account["mandate"] = wire.Ref("mandate", m.ID)
	}
	return details
}

func (m *Mandate) render() wire.Object {
	o := wire.Object{
		"id": m.ID, "object": "mandate", "livemode": false, "payment_method": wire.Ref("payment_method", m.PaymentMethod),
		"customer_acceptance": wire.Object{
			"accepted_at": m.Created, "online": wire.Object{"ip_address": nil, "user_agent": nil}, "type": "online",
		},
		"payment_method_details": wire.Object{"type": "us_bank_account", "us_bank_account": wire.Object{}},
		"status":                 "active", "type": "multi_use", "multi_use": wire.Object{},
	}
	if m.Amount != 0 {
		o["type"], o["single_use"] = "single_use", wire.Object{"amount": m.Amount, "currency": m.Currency}
		delete(o, "multi_use")
	}
	return o
}
