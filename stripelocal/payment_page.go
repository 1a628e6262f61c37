package stripelocal

// The hosted page of Stripe has calls of its own, which no documentation names. The official CLI uses two of them, to complete a
// Checkout session without a browser; their parameters are what it sends, their answers the session.

func paymentPageResource() resource {
	return resource{
		kind: "payment_page",
		routes: []route{
			{"GET /v1/payment_pages/{id}", "key eid", (*act).getPaymentPage},
			{"POST /v1/payment_pages/{id}/confirm", "payment_method! expected_amount:int key eid", (*act).confirmPaymentPage},
		},
	}
}

func (a *act) pageSessionAt(in *input) (*CheckoutSession, error) {
	cs, ok := a.state.Sessions.get(in.path("id"))
	if !ok {
		return nil, notFound("payment_page", in.path("id"), "session")
	}
	return cs, nil
}

func (a *act) getPaymentPage(in *input) (any, error) {
	cs, err := a.pageSessionAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderSession(cs), nil
}

func (a *act) confirmPaymentPage(in *input) (any, error) {
	cs, err := a.pageSessionAt(in)
	if err != nil {
		return nil, err
	}
	if cs.Status != "open" {
		return nil, invalid("payment_intent_unexpected_state", "", "This Checkout Session is "+cs.Status+".")
	}
	pm, err := a.usableMethod(in.str("payment_method"), "payment_method")
	if err != nil {
		return nil, err
	}
	if total := a.sessionAmount(cs); in.has("expected_amount") && in.num("expected_amount") != total {
		return nil, invalid("", "expected_amount", "The amount of the session has changed.")
	}
	cs.EnteredEmail, cs.EnteredName = pm.Email, pm.Name
	if result, decline := a.payCheckout(cs, pm); result == refused {
		return nil, declined(decline)
	}
	return a.renderSession(cs), nil
}
