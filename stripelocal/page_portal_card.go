package stripelocal

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// portalCardPage asks for a card to be kept.
type portalCardPage struct {
	portalFrame
	Fields []pageField
}

func (a *act) portalCards(x *PortalSession, config *PortalConfiguration) []portalCard {
	c, _ := a.state.Customers.get(x.Customer)
	var out []portalCard
	for _, pm := range a.state.PaymentMethods.by("customer", x.Customer) {
		out = append(out, portalCard{
			ID: pm.ID, Name: fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4()),
			Expires: fmt.Sprintf("%02d/%d", pm.ExpMonth, pm.ExpYear), Default: c != nil && c.DefaultPaymentMethod == pm.ID,
			CanBeChanged: config.Features.UpdateMethod,
		})
	}
	return out
}

func (a *act) showPortalCard(x *PortalSession, config *PortalConfiguration, req *http.Request) reply {
	if !config.Features.UpdateMethod {
		return a.notInPortal()
	}
	page := a.portalCardPage(x, cardEntry{})
	if req.FormValue("failed") != "" {
		page.Alert = "Your bank did not confirm that it was you. Please try another card."
	}
	return show("portal-card", page)
}

func (a *act) portalCardPage(x *PortalSession, entered cardEntry) portalCardPage {
	return portalCardPage{portalFrame: a.portalFrame(x, "Your card", x.path()+"/payment-method"), Fields: cardFields(entered)}
}

func enteredCard(req *http.Request) cardEntry {
	return cardEntry{
		Number: req.PostFormValue("cardNumber"), Expiry: req.PostFormValue("cardExpiry"),
		CVC: strings.TrimSpace(req.PostFormValue("cardCvc")), Name: strings.TrimSpace(req.PostFormValue("billingName")),
	}
}

func (a *act) takePortalCard(x *PortalSession, config *PortalConfiguration, req *http.Request) reply {
	if !config.Features.UpdateMethod {
		return a.notInPortal()
	}
	entered := enteredCard(req)
	page := a.portalCardPage(x, entered)
	if mark(page.Fields, entered.checkWhole(a.at)) {
		page.Alert = "Some fields need another look."
		return mend("portal-card", page)
	}
	si := a.addSetupIntent(x.Customer, x.ID)
	result, decline := a.confirmSetup(si, a.methodFrom(entered, ""))
	switch result {
	case needsAction:
		return seeOther("/c/authenticate/" + si.ID)
	case refused:
		page.Alert = decline.Message
		return mend("portal-card", page)
	}
	a.keepPortalCard(x, si)
	return a.portalDone(x, "card")
}

// methodFrom stores the card that was typed in.
func (a *act) methodFrom(entered cardEntry, email string) *PaymentMethod {
	card, _ := cardByNumber(digitsOf(entered.Number))
	month, year, _ := parseExpiry(entered.Expiry)
	pm := a.newMethod(card, int64(month), int64(year))
	pm.Email, pm.Name = email, entered.Name
	return pm
}

// checkWhole is check with the name, which a page asks for too.
func (c cardEntry) checkWhole(now int64) map[string]string {
	problems := c.check(now)
	if c.Name == "" {
		problems["billingName"] = "Enter the name on the card."
	}
	return problems
}

// keepPortalCard makes a saved card the one that is charged: the customer's
// default, and that of every subscription that has a card of its own.
func (a *act) keepPortalCard(x *PortalSession, si *SetupIntent) {
	c, ok := a.state.Customers.get(x.Customer)
	pm, saved := a.state.PaymentMethods.get(si.PaymentMethod)
	if ok && saved {
		a.attach(pm, c)
		a.makeDefault(c, pm)
	}
}

func (a *act) makeDefault(c *Customer, pm *PaymentMethod) {
	a.changeCustomer(c, func() { c.DefaultPaymentMethod = pm.ID })
	for _, sub := range a.state.Subscriptions.by("customer", c.ID) {
		if !sub.ended() && sub.DefaultPaymentMethod != "" {
			a.changeSubscription(sub, func() { sub.DefaultPaymentMethod = pm.ID })
		}
	}
}

// changePortalCard makes a kept card the default, or removes it. The only card
// of a living subscription stays.
func (a *act) changePortalCard(x *PortalSession, config *PortalConfiguration, req *http.Request) reply {
	pm, ok := a.state.PaymentMethods.get(req.PostFormValue("method"))
	c, there := a.state.Customers.get(x.Customer)
	if !ok || !there || pm.Customer != c.ID || !config.Features.UpdateMethod {
		return a.notInPortal()
	}
	if req.PostFormValue("action") == "default" {
		a.makeDefault(c, pm)
		return a.portalDone(x, "card")
	}
	if c.DefaultPaymentMethod == pm.ID || a.chargesSubscription(pm) {
		return a.message(http.StatusUnprocessableEntity, "Not possible", "This card pays for a plan. Make another card the default first.")
	}
	if _, err := a.invoke("POST /v1/payment_methods/{id}/detach", pm.ID, url.Values{}); err != nil {
		return a.message(http.StatusUnprocessableEntity, "Not possible", err.Error())
	}
	return a.portalDone(x, "removed")
}

func (a *act) chargesSubscription(pm *PaymentMethod) bool {
	for _, sub := range a.state.Subscriptions.by("customer", pm.Customer) {
		if !sub.ended() && sub.DefaultPaymentMethod == pm.ID {
			return true
		}
	}
	return false
}
