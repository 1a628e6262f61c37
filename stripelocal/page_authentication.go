package stripelocal

import (
	"net/http"
	"net/url"

	"usher/stripelocal/wire"
)

// challengePage stands for the bank's 3-D Secure page.
type challengePage struct {
	pageBase
	Action string
	Amount string
}

// question is a payment or setup that waits for 3-D Secure, and what is to be
// done with the answer.
type question struct {
	amount string
	answer func(passed bool) reply
}

// authenticationPages stand for the bank's 3-D Secure page under /c/authenticate/.
type authenticationPages struct{ *request }

func (h authenticationPages) show(req *http.Request) reply {
	q, known := h.find(req.PathValue("id"))
	switch {
	case !known:
		return h.noSuchPage()
	case q.answer == nil:
		return h.message(http.StatusOK, "Nothing to authenticate", "This payment does not wait for you.")
	}
	return show("challenge", challengePage{pageBase: h.base("3-D Secure"), Action: req.URL.Path, Amount: q.amount})
}

func (h authenticationPages) submit(req *http.Request) reply {
	q, known := h.find(req.PathValue("id"))
	if !known || q.answer == nil {
		return h.show(req)
	}
	return q.answer(req.PostFormValue("complete") != "")
}

// find finds what an intent or a Checkout session asks; its answer is nil
// where it asks nothing.
func (h authenticationPages) find(id string) (question, bool) {
	if cs, ok := h.state.Sessions.get(id); ok {
		return h.forSession(cs), true
	}
	if pi, ok := h.state.PaymentIntents.get(id); ok {
		return h.forPaymentIntent(pi), true
	}
	if si, ok := h.state.SetupIntents.get(id); ok {
		return h.forSetupIntent(si), true
	}
	return question{}, false
}

func (h authenticationPages) forSession(cs *CheckoutSession) question {
	if !h.checkoutPayments.requiresAction(cs) {
		return question{}
	}
	return question{amount: wire.FormatAmount(h.checkoutSessions.amountDue(cs), cs.Currency), answer: func(passed bool) reply {
		if result, _ := h.checkoutPayments.completeAuthentication(cs, passed); result != paid {
			return seeOther("/c/pay/" + cs.ID)
		}
		return h.checkoutPages.redirectToSuccess(cs)
	}}
}

func (h authenticationPages) forPaymentIntent(pi *PaymentIntent) question {
	if cs, ok := h.state.Sessions.get(pi.Session); ok && cs.Status == "open" {
		return h.forSession(cs)
	}
	if pi.Status != "requires_action" {
		return question{}
	}
	return question{amount: wire.FormatAmount(pi.Amount, pi.Currency), answer: func(passed bool) reply {
		if result, _ := h.invoicing.completeAuthentication(pi, passed); result == paid {
			h.paymentMethods.saveAfterPayment(pi)
		}
		switch {
		case pi.ReturnURL != "":
			return seeOther(withQuery(pi.ReturnURL, url.Values{"payment_intent": {pi.ID}, "payment_intent_client_secret": {pi.Secret}, "redirect_status": {redirectStatus(passed)}}))
		case pi.Invoice != "":
			return seeOther("/i/" + pi.Invoice)
		}
		return h.message(http.StatusOK, "Thank you", "You can close this page.")
	}}
}

func (h authenticationPages) forSetupIntent(si *SetupIntent) question {
	if cs, ok := h.state.Sessions.get(si.Session); ok {
		return h.forSession(cs)
	}
	if si.Status != "requires_action" {
		return question{}
	}
	return question{amount: "nothing yet", answer: func(passed bool) reply {
		result, _ := h.setupIntents.completeAuthentication(si, passed)
		x, ok := h.state.PortalSessions.get(si.Session)
		switch {
		case !ok:
			return h.message(http.StatusOK, "Thank you", "You can close this page.")
		case result != paid:
			return seeOther(x.path() + "/payment-method?failed=1")
		}
		h.portalPages.saveCard(x, si)
		return h.portalPages.finish(x, "card")
	}}
}

func redirectStatus(passed bool) string {
	if passed {
		return "succeeded"
	}
	return "failed"
}

// withQuery adds parameters to an address.
func withQuery(address string, more url.Values) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	for name, values := range more {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	return u.String()
}
