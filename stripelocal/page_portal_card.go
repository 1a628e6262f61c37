package stripelocal

import (
	"fmt"
	"net/http"
	"net/url"
)

// portalCardPage is the form for a new card.
type portalCardPage struct {
	portalFrame
	Fields []pageField
}

func (h portalPages) cards(x *PortalSession, config *PortalConfiguration) []portalCard {
	c, _ := h.store.Customers.get(x.Customer)
	var out []portalCard
	for _, pm := range h.store.PaymentMethods.by("customer", x.Customer) {
		if !pm.isCard() {
			continue
		}
		out = append(out, portalCard{
			ID: pm.ID, Name: fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4()),
			Expires: fmt.Sprintf("%02d/%d", pm.ExpMonth, pm.ExpYear), Default: c != nil && c.DefaultPaymentMethod == pm.ID,
			CanBeChanged: config.Features.PaymentMethodUpdate,
		})
	}
	return out
}

func (h portalPages) showCard(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	if !config.Features.PaymentMethodUpdate {
		return portalNotAllowed()
	}
	page := newPortalCardPage(x, cardForm{})
	if req.FormValue("failed") != "" {
		page.Alert = "Your bank did not confirm that it was you. Please try another card."
	}
	return showPage("portal-card", page)
}

func newPortalCardPage(x *PortalSession, entered cardForm) portalCardPage {
	return portalCardPage{portalFrame: newPortalFrame(x, "Your card", x.path()+"/payment-method"), Fields: cardFields(entered)}
}

func (h portalPages) submitCard(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	if !config.Features.PaymentMethodUpdate {
		return portalNotAllowed()
	}
	entered := readCardForm(req)
	page := newPortalCardPage(x, entered)
	if setFieldErrors(page.Fields, entered.validateWithName(h.now)) {
		page.Alert = "Some fields need another look."
		return showInvalidForm("portal-card", page)
	}
	si := h.setupIntents.createFor(x.Customer, x.ID)
	result, decline := h.setupIntents.confirmWith(si, h.paymentMethods.fromCardForm(entered, ""))
	switch result {
	case outcomeRequiresAction:
		return redirectTo("/c/authenticate/" + si.ID)
	case outcomeDeclined:
		page.Alert = decline.Message
		return showInvalidForm("portal-card", page)
	}
	h.saveCard(x, si)
	return finishPortalStep(x, "card")
}

// saveCard makes a set-up card the default of the customer and of every subscription with a payment
// method of its own.
func (h portalPages) saveCard(x *PortalSession, si *SetupIntent) {
	c, ok := h.store.Customers.get(x.Customer)
	pm, saved := h.store.PaymentMethods.get(si.PaymentMethod)
	if ok && saved {
		h.paymentMethods.attachTo(pm, c)
		h.paymentMethods.makeDefault(c, pm)
	}
}

// changeCard makes a saved card the default, or removes it. A card that a subscription is charged
// to cannot be removed.
func (h portalPages) changeCard(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	pm, ok := h.store.PaymentMethods.get(req.PostFormValue("method"))
	c, exists := h.store.Customers.get(x.Customer)
	if !ok || !exists || pm.Customer != c.ID || !config.Features.PaymentMethodUpdate {
		return portalNotAllowed()
	}
	if req.PostFormValue("action") == "default" {
		h.paymentMethods.makeDefault(c, pm)
		return finishPortalStep(x, "card")
	}
	if c.DefaultPaymentMethod == pm.ID || h.paymentMethods.paysSubscription(pm) {
		return message(http.StatusUnprocessableEntity, "Not possible", "This card pays for a plan. Make another card the default first.")
	}
	if _, err := h.callAPI("POST /v1/payment_methods/{id}/detach", pm.ID, url.Values{}); err != nil {
		return message(http.StatusUnprocessableEntity, "Not possible", err.Error())
	}
	return finishPortalStep(x, "removed")
}
