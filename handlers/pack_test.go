package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/apperr"
)

// TestPackJourney: a visitor chooses a pack, signs up, pays, and finds the credits.
func TestPackJourney(t *testing.T) {
	h := openHouse(t)
	b := h.visitor()
	pricing := b.get("/pricing").shows("Credit packs", "Small pack", "500 credits", "Buy for $10")
	b.follow(b.submit(pricing, `form:has(input[value="credits_500"])`, nil).leadsTo("/signup")).shows("Small pack")
	signedUp := b.post("/signup", url.Values{
		"name": {"Nora"}, "email": {"nora@example.com"}, "password": {testPassword}, "organization": {"Balcony Books"},
	}).is(http.StatusSeeOther)
	hosted := b.get(signedUp.header.Get("Location")).is(http.StatusOK)
	b.follow(b.submit(hosted, "form", goodCard).is(http.StatusSeeOther)).shows("Thank you. The payment is confirmed: 500 credits are yours.")
	b.get("/billing/credits").shows("500 left", "Small pack was bought", "+500", "Buy more credits")
	b.get("/api/v1/entitlements").is(http.StatusOK)
	b.get("/dev/mail").shows("Receipt: 500 credits for Balcony Books", "$10.00 USD")
}

func TestPackByJSON(t *testing.T) {
	h := openHouse(t)
	b := h.signedIn("admin")
	pack, _ := h.service.Prices.Catalog().Pack("credits_2500")
	body := func(price, mode string) string {
		return `{"organizationId":"` + h.organization.ID + `","priceId":"` + price + `","mode":"` + mode + `"}`
	}
	opened := b.postJSON("/billing/createSubscriptionCheckout", body(pack.Price.ID, "payment")).is(http.StatusOK)
	if !strings.Contains(opened.body, `"sessionId":"cs_`) {
		t.Errorf("answered %s", opened.body)
	}
	for _, refused := range []string{body(pack.Price.ID, "subscription"), body(h.priceID(), "payment")} {
		b.postJSON("/billing/createSubscriptionCheckout", refused).problem(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageInvalidPrice)
	}
	b.post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "pack": {"none"}}).is(http.StatusBadRequest).shows(apperr.MessageInvalidPrice)
	h.signedIn("member").post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "pack": {"credits_500"}}).is(http.StatusForbidden)
}
