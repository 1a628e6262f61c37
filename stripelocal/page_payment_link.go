package stripelocal

import "net/http"

// open begins a Checkout session for a visit. The address may have client_reference_id and
// prefilled_email (docs: payment links, URL parameters).
func (h paymentLinks) open(req *http.Request) pageResponse {
	x, ok := h.store.PaymentLinks.get(req.PathValue("id"))
	if !ok {
		return noSuchPage()
	}
	if x.Inactive {
		text := x.InactiveMessage
		if text == "" {
			text = "This link is no longer active."
		}
		return showPage("message", messagePage{pageBase: pageBase{"Payment link"}, Message: text})
	}
	return redirectTo("/c/pay/" + h.begin(x, req).ID)
}

// begin creates a session of a link.
func (h paymentLinks) begin(x *PaymentLink, req *http.Request) *CheckoutSession {
	h.changed = true
	cs := x.Template
	cs.Base = Base{ID: "cs_test_a1" + h.ids.token(56), Created: h.now}
	cs.PaymentLink, cs.ExpiresAt = x.ID, h.now+checkoutSessionLifetime
	cs.SuccessURL = x.RedirectURL
	if cs.SuccessURL == "" {
		cs.SuccessURL = h.origin + "/b/" + x.ID + "/thanks"
	}
	if len(req.FormValue("client_reference_id")) <= 200 {
		cs.ClientReferenceID = req.FormValue("client_reference_id")
	}
	if email := req.FormValue("prefilled_email"); looksLikeEmail(email) {
		cs.CustomerEmail = email
	}
	cs.LineItems = nil
	for _, l := range x.Template.LineItems {
		l.ID = h.ids.longID("li_1")
		cs.LineItems = append(cs.LineItems, l)
	}
	h.store.CheckoutSessions.insert(&cs)
	h.checkoutSessions.scheduleExpiry(&cs)
	return &cs
}

// thanks is the confirmation page after a completed session.
func (h paymentLinks) thanks(req *http.Request) pageResponse {
	x, ok := h.store.PaymentLinks.get(req.PathValue("id"))
	if !ok {
		return noSuchPage()
	}
	text := x.Message
	if text == "" {
		text = "Thanks for your payment."
	}
	return showPage("message", messagePage{pageBase: pageBase{"Payment link"}, Message: text})
}

// completed is the number of completed sessions of a link.
func (h paymentLinks) completed(x *PaymentLink) int64 {
	var n int64
	for _, cs := range h.store.CheckoutSessions.by("payment_link", x.ID) {
		if cs.Status == "complete" {
			n++
		}
	}
	return n
}

// sessionCompleted deactivates a link that has reached its limit (docs: limit the number of
// payments; that the link becomes inactive by itself is inferred).
func (h paymentLinks) sessionCompleted(cs *CheckoutSession) {
	x, ok := h.store.PaymentLinks.get(cs.PaymentLink)
	if !ok || x.CompletedLimit == 0 || x.Inactive || h.completed(x) < x.CompletedLimit {
		return
	}
	before := h.render(x)
	x.Inactive = true
	h.emitUpdate("payment_link.updated", before, h.render(x))
}
