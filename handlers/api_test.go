package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// priceID returns the price id of the monthly Pro plan.
func (h *testEnv) priceID() string {
	h.t.Helper()
	plan, _ := h.service.Prices.Catalog().Plan("pro")
	price, _ := plan.Price(catalog.Monthly)
	if price.ID == "" {
		h.t.Fatal("the price id is unknown")
	}
	return price.ID
}

func TestSummaryWithoutCustomer(t *testing.T) {
	h := newTestEnv(t)
	got := h.signIn("member").get("/billing/getSummary").wantStatus(http.StatusOK)
	want := `{"organizationId":"` + h.organization.ID + `","customer":null,"subscription":null,` +
		`"seats":{"billableMembers":3,"desiredSeats":3,"lastAppliedSeats":null},"sync":{"status":"ok","lastSyncAt":null,"error":null}}` + "\n"
	if got.body != want || got.header.Get("Content-Type") != "application/json; charset=utf-8" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s\n%v", got.body, got.header)
	}
}

func TestCreateSubscriptionCheckout(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("billing")
	send := func(fields string) response {
		t.Helper()
		return b.postJSON("/billing/createSubscriptionCheckout", `{"organizationId":"`+h.organization.ID+`"`+fields+`}`)
	}
	price := `,"priceId":"` + h.priceID() + `"`
	invalid := func(fields, message string) {
		t.Helper()
		send(fields).wantError(http.StatusBadRequest, apperr.CodeInvalid, message)
	}
	invalid(``, "Invalid price ID")
	invalid(`,"priceId":"price_made_up"`, "Invalid price ID")
	invalid(`,"priceId":"pro"`, "Invalid price ID")
	invalid(price+`,"mode":"payment"`, "Invalid price ID")
	invalid(price+`,"mode":"setup"`, "The mode has to be subscription or payment.")
	invalid(price+`,"successUrl":"https://evil.example/"`, "successUrl must be a URL of this application.")
	invalid(price+`,"cancelUrl":"javascript:alert(1)"`, "cancelUrl must be a URL of this application.")
	invalid(price+`,"quantity":"1"`, `Unknown field "quantity". Known are organizationId, priceId, mode, successUrl, cancelUrl, sessionId.`)
	b.postJSON("/billing/createSubscriptionCheckout", `{"priceId":"`+h.priceID()+`"}`).
		wantError(http.StatusBadRequest, apperr.CodeInvalid, "organizationId is missing.")

	got := send(price + `,"mode":"subscription","sessionId":"somebody-elses","successUrl":"` + h.url + `/dashboard?success=true"`).wantStatus(http.StatusOK)
	var opened checkoutResponse
	if err := json.Unmarshal([]byte(got.body), &opened); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(opened.SessionID, "cs_") || !strings.Contains(opened.URL, "/c/pay/") {
		t.Fatalf("%+v", opened)
	}
	back := b.submit(b.get(opened.URL).wantStatus(http.StatusOK), "form", goodCard)
	b.follow(back).wantStatus(http.StatusOK).wantText("Your payment is confirmed", "Pro, monthly")
	if !strings.HasPrefix(back.header.Get("Location"), h.url+"/dashboard?success=true&session_id=cs_") {
		t.Errorf("returned to %s", back.header.Get("Location"))
	}
	send(price).wantError(http.StatusConflict, apperr.CodeConflict, apperr.MessageAlreadySubscribed)
}

func TestRetrySeatSyncBodyIsOptional(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	for _, body := range []string{"", "{}", `{"organizationId":"` + h.organization.ID + `"}`, `{"sessionId":"x"}`} {
		got := b.postJSON("/billing/retrySeatSync", body).wantStatus(http.StatusOK)
		if got.body != `{"ok":true,"queued":false}`+"\n" {
			t.Errorf("%s: %s", body, got.body)
		}
	}
	b.send(post, "/billing/retrySeatSync", "").wantStatus(http.StatusOK)
	b.send(post, "/billing/retrySeatSync", "a=b", "Content-Type", formType).wantStatus(http.StatusUnsupportedMediaType)
	b.postJSON("/billing/retrySeatSync", `{"organizationId":"`+h.otherOrganization.ID+`"}`).
		wantError(http.StatusNotFound, apperr.CodeNotFound, apperr.ErrNotFound.Message)
	b.postJSON("/billing/retrySeatSync", `{"organizationId":""}`).
		wantError(http.StatusBadRequest, apperr.CodeInvalid, "organizationId is missing.")
}
