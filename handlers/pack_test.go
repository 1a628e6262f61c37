package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/apperr"
)

// TestPackJourney: a visitor selects a pack, signs up, pays and has the credits.
func TestPackJourney(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	pricing := b.get("/pricing").wantText("Credit packs", "Small pack", "500 credits", "Buy for $10")
	b.follow(b.submit(pricing, `form:has(input[value="credits_500"])`, nil).wantRedirect("/signup")).wantText("Small pack")
	signedUp := b.post("/signup", url.Values{
		"name": {"Nora"}, "email": {"nora@example.com"}, "password": {testPassword}, "organization": {"Balcony Books"},
	}).wantStatus(http.StatusSeeOther)
	hosted := b.get(signedUp.header.Get("Location")).wantStatus(http.StatusOK)
	b.follow(b.submit(hosted, "form", goodCard).wantStatus(http.StatusSeeOther)).wantText("Thank you. Your payment is confirmed: 500 credits are yours.")
	b.get("/billing/credits").wantText("Credits left", "Small pack was bought", "+500", "Buy 500 for $10")
	b.get("/api/v1/entitlements").wantStatus(http.StatusOK)
	b.get("/dev/mail").wantText("Receipt: 500 credits for Balcony Books", "$10.00 USD")
}

func TestPackCheckoutByJSON(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	pack, _ := h.service.Prices.Catalog().Pack("credits_2500")
	body := func(price, mode string) string {
		return `{"organizationId":"` + h.organization.ID + `","priceId":"` + price + `","mode":"` + mode + `"}`
	}
	opened := b.postJSON("/billing/createSubscriptionCheckout", body(pack.Price.ID, "payment")).wantStatus(http.StatusOK)
	if !strings.Contains(opened.body, `"sessionId":"cs_`) {
		t.Errorf("response %s", opened.body)
	}
	for _, refused := range []string{body(pack.Price.ID, "subscription"), body(h.priceID(), "payment")} {
		b.postJSON("/billing/createSubscriptionCheckout", refused).wantError(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageInvalidPrice)
	}
	b.post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "pack": {"none"}}).wantStatus(http.StatusBadRequest).wantText(apperr.MessageInvalidPrice)
	h.signIn("member").post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "pack": {"credits_500"}}).wantStatus(http.StatusForbidden)
}
