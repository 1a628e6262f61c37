package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"usher/billing/account"
)

// createCode creates a promotion code for 10 % off at the local Stripe, and returns its id.
func (h *testEnv) createCode(code string) string {
	h.t.Helper()
	coupon := h.stripeAPI("/v1/coupons", url.Values{"percent_off": {"10"}, "duration": {"forever"}})
	return h.stripeAPI("/v1/promotion_codes", url.Values{"coupon": {coupon}, "code": {code}})
}

// stripeAPI calls the local Stripe's API as another client, and returns the id in the response.
func (h *testEnv) stripeAPI(path string, form url.Values) string {
	h.t.Helper()
	request := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_handlertests", "")
	recorder := httptest.NewRecorder()
	h.stripe.Handler().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		h.t.Fatalf("%s: %d %s", path, recorder.Code, recorder.Body)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(recorder.Body.Bytes(), &made); err != nil {
		h.t.Fatal(err)
	}
	return made.ID
}

// TestPeopleAndCodeTravel: a visitor comes by a link with a code, chooses eight people, signs up,
// pays for themselves alone and at the code's price, and invites the other seven.
func TestPeopleAndCodeTravel(t *testing.T) {
	h := newTestEnv(t)
	h.createCode("SPRING")
	b := h.newBrowser()
	b.get("/pricing?code=autumn").wantText("The code autumn isn't valid.")
	pricing := b.get("/pricing?code=spring&seats=8").wantText("SPRING: 10% off", "$232 a month for 8", "$29 per person")
	b.submit(pricing, "form:has(input[name=plan][value=pro])", nil).wantRedirect("/signup")
	form := b.get("/signup").wantText("Pro, monthly", "$232 a month for 8", "$29 per person", "You start with $29.00. Each person is added when they join.", "Code SPRING is applied at Checkout.")
	opened := b.submit(form, "main form", newPerson("noa@example.com")).wantStatus(http.StatusSeeOther)
	hosted := b.get(opened.header.Get("Location")).wantText("Pro × 1", "Due today", "$26.10")
	page := b.follow(b.submit(hosted, "form", goodCard).wantStatus(http.StatusSeeOther)).
		wantText("Thank you. Your payment is confirmed", "$26.10", "Paid", "With your promotion code.", "Next invoice on", "Invite your people", "You planned for 8 people; 7 to go.")
	if text := page.text("main"); strings.Contains(text, "To be paid") || strings.Contains(text, "To pay") {
		t.Errorf("the page contradicts the ticket: %s", text)
	}
	if fields := page.doc().Find("form[action='/organization/people'] input[name=email]").Length(); fields != 7 {
		t.Errorf("%d fields for addresses, want 7", fields)
	}
	if s := b.summary(); s.Seats.BillableMembers != 1 || s.Seats.DesiredSeats != 1 || s.Sync.Status != "ok" {
		t.Errorf("summary %+v", s)
	}
	refused := b.post("/organization/people", url.Values{"email": {"bo@example.com", "", "not an address", "noa@example.com"}}).wantStatus(http.StatusUnprocessableEntity).
		wantText("1 invitation sent. 4 addresses need another look:")
	if values := refused.doc().Find("input[name=email]").Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("value", "") }); strings.Join(values, " ") != "not an address noa@example.com" {
		t.Errorf("fields %q", values)
	}
	b.post("/organization/people", url.Values{"email": {"ana@example.com\nida@example.com"}}).wantRedirect(membersTab + "&notice=" + noticePeopleInvited)
	if n := h.count(`select count(*) from invitations`); n != 3 {
		t.Errorf("%d invitations, want 3", n)
	}
	b.get("/organization/people").wantText("You planned for 8 people; 4 to go.")
}

// A code that Stripe refuses at Checkout brings the person back to the pricing page; without it
// they can go on.
func TestRefusedCodeReturnsToPricing(t *testing.T) {
	h := newTestEnv(t)
	code := h.createCode("SPRING")
	b := h.signIn("admin")
	pricing := b.get("/pricing?code=SPRING&seats=4").wantText("SPRING: 10% off")
	h.stripeAPI("/v1/promotion_codes/"+code, url.Values{"active": {"false"}})
	back := b.submit(pricing, "form:has(input[name=plan][value=pro])", nil).wantRedirect("/pricing?interval=month&refused=SPRING&seats=4")
	again := b.follow(back).wantText("The code SPRING can't be used for this order.", "Nothing was charged.")
	hosted := b.get(b.submit(again, "form:has(input[name=plan][value=pro])", nil).wantStatus(http.StatusSeeOther).header.Get("Location"))
	if strings.Contains(hosted.body, "Discount") {
		t.Error("the refused code is applied")
	}
}

// The pricing page answers without Stripe, and the code travels on.
func TestPricingWithoutStripeKeepsTheCode(t *testing.T) {
	h := newTestEnv(t)
	h.disconnectStripe()
	page := h.newBrowser().get("/pricing?code=SPRING").wantText("We couldn't check the code SPRING.")
	if page.doc().Find("input[name=code][value=SPRING]").Length() == 0 {
		t.Error("the code is lost")
	}
}

// TestManyInvitationsAreSentInSteps: the members page takes a pasted list, confirms it, and sends
// it in steps of 25. Refused addresses are named at the end, with the reason.
func TestManyInvitationsAreSentInSteps(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	addresses := []string{"admin@example.com"}
	for i := range 29 {
		addresses = append(addresses, fmt.Sprintf("guest%d@example.com", i))
	}
	typed := url.Values{"email": {strings.Join(addresses, ",\n")}, "roleId": {account.RoleBillingAdmin}, "billable": {"on"}}
	confirm := admin.submit(admin.get(membersPagePath), inviteFormSelector, typed).wantStatus(http.StatusOK).
		wantText("Invite 30 people", "Billing starts when you choose a plan.", "Send 30 invitations")
	if n := h.count(`select count(*) from invitations`); n != 0 {
		t.Fatal("invitations were sent before they were confirmed")
	}
	next := admin.submit(confirm, "#invite-progress", nil).wantStatus(http.StatusOK).wantText("Sent 24 of 30 invitations", "Send the next 5")
	refused := admin.submit(next, "#invite-progress", nil).wantStatus(http.StatusUnprocessableEntity).
		wantText("29 invitations sent. 1 address needs another look:", account.MessageMemberAlready)
	if value := refused.doc().Find("input[name=email]").AttrOr("value", ""); value != "admin@example.com" {
		t.Errorf("field %q", value)
	}
	if n := h.count(`select count(*) from invitations where role_id = $1 and billable`, account.RoleBillingAdmin); n != 29 {
		t.Errorf("%d invitations as billing admin with a seat, want 29", n)
	}
}
