package stripelocal

import (
	"net/http"
	"net/url"
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

func (a *act) showChallenge(req *http.Request) reply {
	q, known := a.questionOf(req.PathValue("id"))
	switch {
	case !known:
		return a.noSuchPage()
	case q.answer == nil:
		return a.message(http.StatusOK, "Nothing to authenticate", "This payment does not wait for you.")
	}
	return show("challenge", challengePage{pageBase: a.base("3-D Secure"), Action: req.URL.Path, Amount: q.amount})
}

func (a *act) answerChallengePage(req *http.Request) reply {
	q, known := a.questionOf(req.PathValue("id"))
	if !known || q.answer == nil {
		return a.showChallenge(req)
	}
	return q.answer(req.PostFormValue("complete") != "")
}

// questionOf finds what an intent or a Checkout session asks; its answer is nil
// where it asks nothing.
func (a *act) questionOf(id string) (question, bool) {
	if cs, ok := a.state.Sessions.get(id); ok {
		return a.sessionQuestion(cs), true
	}
	if pi, ok := a.state.PaymentIntents.get(id); ok {
		return a.paymentQuestion(pi), true
	}
	if si, ok := a.state.SetupIntents.get(id); ok {
		return a.setupQuestion(si), true
	}
	return question{}, false
}

func (a *act) sessionQuestion(cs *CheckoutSession) question {
	if !a.challenged(cs) {
		return question{}
	}
	return question{amount: formatAmount(a.sessionAmount(cs), cs.Currency), answer: func(passed bool) reply {
		if result, _ := a.answerChallenge(cs, passed); result != paid {
			return seeOther("/c/pay/" + cs.ID)
		}
		return a.leaveCheckout(cs)
	}}
}

func (a *act) paymentQuestion(pi *PaymentIntent) question {
	if cs, ok := a.state.Sessions.get(pi.Session); ok && cs.Status == "open" {
		return a.sessionQuestion(cs)
	}
	if pi.Status != "requires_action" {
		return question{}
	}
	return question{amount: formatAmount(pi.Amount, pi.Currency), answer: func(passed bool) reply {
		if result, _ := a.finishAuthentication(pi, passed); result == paid {
			a.keepCard(pi)
		}
		switch {
		case pi.ReturnURL != "":
			return seeOther(withQuery(pi.ReturnURL, url.Values{"payment_intent": {pi.ID}, "payment_intent_client_secret": {pi.Secret}, "redirect_status": {redirectStatus(passed)}}))
		case pi.Invoice != "":
			return seeOther("/i/" + pi.Invoice)
		}
		return a.message(http.StatusOK, "Thank you", "You can close this page.")
	}}
}

func (a *act) setupQuestion(si *SetupIntent) question {
	if cs, ok := a.state.Sessions.get(si.Session); ok {
		return a.sessionQuestion(cs)
	}
	if si.Status != "requires_action" {
		return question{}
	}
	return question{amount: "nothing yet", answer: func(passed bool) reply {
		result, _ := a.authenticateSetup(si, passed)
		x, ok := a.state.PortalSessions.get(si.Session)
		switch {
		case !ok:
			return a.message(http.StatusOK, "Thank you", "You can close this page.")
		case result != paid:
			return seeOther(x.path() + "/payment-method?failed=1")
		}
		a.keepPortalCard(x, si)
		return a.portalDone(x, "card")
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
