package stripelocal

import "usher/stripelocal/wire"

// Stripe's hosted page uses undocumented API calls. The official CLI uses two of them to complete a
// Checkout session without a browser. Their parameters are those that the CLI sends; their response
// is the session.

// paymentPages serves /v1/payment_pages.
type paymentPages struct{ *request }

func paymentPageResource() resource {
	return resource{
		objectType: "payment_page",
		routes: []route{
			on("GET /v1/payment_pages/{id}", "key eid", paymentPages.get),
			on("POST /v1/payment_pages/{id}/confirm", "payment_method! expected_amount:int key eid", paymentPages.confirm),
		},
	}
}

func (h paymentPages) find(in *input) (*CheckoutSession, error) {
	cs, ok := h.store.CheckoutSessions.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payment_page", in.pathValue("id"), "session")
	}
	return cs, nil
}

func (h paymentPages) get(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.checkoutSessions.render(cs), nil
}

func (h paymentPages) confirm(in *input) (any, error) {
	cs, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if cs.Status != "open" {
		return nil, wire.Invalid("payment_intent_unexpected_state", "", "This Checkout Session is "+cs.Status+".")
	}
	pm, err := h.paymentMethods.findUsable(in.String("payment_method"), "payment_method")
	if err != nil {
		return nil, err
	}
	if err := h.checkoutPayments.checkMethod(cs, pm); err != nil {
		return nil, err
	}
	if total := h.checkoutSessions.amountDue(cs); in.Has("expected_amount") && in.Int("expected_amount") != total {
		return nil, wire.Invalid("", "expected_amount", "The amount of the session has changed.")
	}
	cs.EnteredEmail, cs.EnteredName = pm.Email, pm.Name
	if result, decline := h.checkoutPayments.pay(cs, pm); result == outcomeDeclined {
		return nil, cardError(decline)
	}
	return h.checkoutSessions.render(cs), nil
}
