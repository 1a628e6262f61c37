package stripelocal

import (
	"net/http"
	"net/url"

	"usher/stripelocal/wire"
)

// authenticationPage is the page that stands in for the bank's 3-D Secure page.
type authenticationPage struct {
	pageBase
	Action string
	Amount string
}

// authentication is a payment or setup that requires 3-D Secure. complete is nil if it does not
// require it any more.
type authentication struct {
	amount   string
	complete func(passed bool) pageResponse
}

// authenticationPages serves the 3-D Secure page under /c/authenticate/.
type authenticationPages struct{ *request }

func (h authenticationPages) show(req *http.Request) pageResponse {
	q, known := h.find(req.PathValue("id"))
	switch {
	case !known:
		return noSuchPage()
	case q.complete == nil:
		return message(http.StatusOK, "Nothing to authenticate", "This payment does not wait for you.")
	}
	return showPage("authentication", authenticationPage{pageBase: pageBase{"3-D Secure"}, Action: req.URL.RequestURI(), Amount: q.amount})
}

func (h authenticationPages) submit(req *http.Request) pageResponse {
	q, known := h.find(req.PathValue("id"))
	if !known || q.complete == nil {
		return h.show(req)
	}
	next := q.complete(req.PostFormValue("complete") != "")
	if isFramed(req) {
		return message(http.StatusOK, "Thank you", "You can close this page.")
	}
	return next
}

// find returns the authentication of an intent or a Checkout session.
func (h authenticationPages) find(id string) (authentication, bool) {
	if cs, ok := h.store.CheckoutSessions.get(id); ok {
		return h.forSession(cs), true
	}
	if pi, ok := h.store.PaymentIntents.get(id); ok {
		return h.forPaymentIntent(pi), true
	}
	if si, ok := h.store.SetupIntents.get(id); ok {
		return h.forSetupIntent(si), true
	}
	return authentication{}, false
}

func (h authenticationPages) forSession(cs *CheckoutSession) authentication {
	if !h.checkoutPayments.requiresAction(cs) {
		return authentication{}
	}
	return authentication{amount: wire.FormatAmount(h.checkoutSessions.amountDue(cs), cs.Currency), complete: func(passed bool) pageResponse {
		if result, _ := h.checkoutPayments.completeAuthentication(cs, passed); result != outcomePaid {
			return redirectTo("/c/pay/" + cs.ID)
		}
		return redirectToSuccess(cs)
	}}
}

func (h authenticationPages) forPaymentIntent(pi *PaymentIntent) authentication {
	if cs, ok := h.store.CheckoutSessions.get(pi.CheckoutSession); ok && cs.Status == "open" {
		return h.forSession(cs)
	}
	if pm, ok := h.microdeposits.unverified(pi.Status, pi.PaymentMethod); ok {
		return authentication{amount: wire.FormatAmount(pi.Amount, pi.Currency), complete: func(passed bool) pageResponse {
			if passed {
				h.paymentIntents.finishVerification(pi, pm)
			}
			return message(http.StatusOK, "Thank you", "You can close this page.")
		}}
	}
	if pi.Status != "requires_action" || pi.BankTransfer != nil {
		return authentication{}
	}
	return authentication{amount: wire.FormatAmount(pi.Amount, pi.Currency), complete: func(passed bool) pageResponse {
		if result, _ := h.invoicing.completeAuthentication(pi, passed); result == outcomePaid {
			h.paymentMethods.saveAfterPayment(pi)
		}
		switch {
		case pi.ReturnURL != "":
			return redirectTo(returnAddress(pi.ReturnURL, "payment_intent", pi.ID, pi.ClientSecret, passed))
		case pi.Invoice != "":
			return redirectTo("/i/" + pi.Invoice)
		}
		return message(http.StatusOK, "Thank you", "You can close this page.")
	}}
}

func (h authenticationPages) forSetupIntent(si *SetupIntent) authentication {
	if cs, ok := h.store.CheckoutSessions.get(si.CreatedBySession); ok {
		return h.forSession(cs)
	}
	if pm, ok := h.microdeposits.unverified(si.Status, si.PaymentMethod); ok {
		return authentication{amount: "nothing yet", complete: func(passed bool) pageResponse {
			if passed {
				h.setupIntents.finishVerification(si, pm)
			}
			return message(http.StatusOK, "Thank you", "You can close this page.")
		}}
	}
	if si.Status != "requires_action" {
		return authentication{}
	}
	return authentication{amount: "nothing yet", complete: func(passed bool) pageResponse {
		result, _ := h.setupIntents.completeAuthentication(si, passed)
		x, ok := h.store.PortalSessions.get(si.CreatedBySession)
		switch {
		case !ok && si.ReturnURL != "":
			return redirectTo(returnAddress(si.ReturnURL, "setup_intent", si.ID, si.ClientSecret, passed))
		case !ok:
			return message(http.StatusOK, "Thank you", "You can close this page.")
		case result != outcomePaid:
			return redirectTo(x.path() + "/payment-method?failed=1")
		}
		h.portalPages.saveCard(x, si)
		return finishPortalStep(x, "card")
	}}
}

// returnAddress is the return_url of an intent with what Stripe adds to it (docs: accept a
// payment).
func returnAddress(returnURL, intent, id, secret string, passed bool) string {
	status := "failed"
	if passed {
		status = "succeeded"
	}
	return addQuery(returnURL, url.Values{intent: {id}, intent + "_client_secret": {secret}, "redirect_status": {status}})
}

// addQuery adds parameters to a URL.
func addQuery(address string, more url.Values) string {
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
