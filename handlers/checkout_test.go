package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// TestCheckoutJourney is the main journey with plain forms: a visitor selects a plan, signs up,
// pays and returns.
func TestCheckoutJourney(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	pricing := b.get("/pricing?interval=year").wantStatus(http.StatusOK)
	b.submit(pricing, "form:has(input[name=plan][value=pro])", nil).wantRedirect("/signup")
	form := b.get("/signup").wantText("Pro, yearly", "$1,450 a year for 5", "Sign up and continue to Checkout")
	opened := b.submit(form, "main form", newPerson("noa@example.com")).wantStatus(http.StatusSeeOther)
	hosted := b.get(opened.header.Get("Location")).wantStatus(http.StatusOK)
	back := b.submit(hosted, "form", goodCard).wantStatus(http.StatusSeeOther)
	page := b.follow(back).wantStatus(http.StatusOK).wantText("Thank you. Your payment is confirmed", "Pro, yearly", "Active", "$290", "Renews on", "Visa 4242", "1 person, 1 seat")
	if page.doc().Find("#billing-panel[hx-get]").Length() != 0 {
		t.Error("the page polls after the confirmation")
	}

	summary := b.summary()
	if summary.Subscription == nil || summary.Subscription.Status != "active" || summary.Customer == nil {
		t.Fatalf("summary %+v", summary)
	}
	if end := time.Unix(summary.Subscription.CurrentPeriodEnd, 0); end.Before(time.Now().AddDate(0, 11, 0)) {
		t.Errorf("renews %v", end)
	}
	if s := summary.Seats; s.BillableMembers != 1 || s.DesiredSeats != 1 || s.LastAppliedSeats == nil || *s.LastAppliedSeats != 1 || summary.Sync.Status != "ok" {
		t.Errorf("seats %+v, sync %+v", s, summary.Sync)
	}
	other := b.get("/pricing").wantText("Your plan", "$290", "You see the exact amount before you confirm.")
	b.submit(other, "form:has(input[name=plan][value=starter])", nil).wantStatus(http.StatusOK).wantText("Change to Starter, yearly")
	if monthly := b.get("/pricing?interval=month"); strings.Contains(monthly.text("main"), "Your plan") {
		t.Error("the monthly plan is shown as the current one")
	}
	b.get("/dashboard").wantText("Pro, yearly", "Active", "Nothing needs you right now.", "1 person, 1 seat at Stripe, checked")
	b.get("/organization/seats").wantText("In sync")
	b.post("/billing/checkout", url.Values{"plan": {"starter"}}).wantStatus(http.StatusConflict).wantText(apperr.MessageAlreadySubscribed)
	for _, secret := range []string{b.session(), "session_id", "cs_test_", testPassword, "noa@example.com"} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
	waitFor(t, "signed webhooks", func() bool { return h.count(`select count(*) from stripe_events`) >= 5 })
}

func (b *browser) summary() billing.SummaryObject {
	b.t.Helper()
	got := b.get("/billing/getSummary").wantStatus(http.StatusOK)
	var resp billing.SummaryObject
	decoder := json.NewDecoder(strings.NewReader(got.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&resp); err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func TestDeclinedCardStaysOnTheHostedPage(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	opened := b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantStatus(http.StatusSeeOther)
	hosted := b.get(opened.header.Get("Location")).wantStatus(http.StatusOK)
	card := url.Values{"email": {"a@example.com"}, "cardNumber": {"4000 0000 0000 0002"}, "cardExpiry": {"12 / 34"}, "cardCvc": {"123"}, "billingName": {"A"}}
	declined := b.submit(hosted, "form", card)
	if declined.status == http.StatusSeeOther {
		declined = b.follow(declined)
	}
	if !strings.Contains(declined.body, "declined") || strings.Contains(declined.request, h.url) {
		t.Errorf("%s: %s", declined.request, declined.body)
	}
	b.get("/dashboard").wantStatus(http.StatusOK)
	if s := b.summary().Subscription; s != nil && s.Status != billing.StatusIncomplete {
		t.Errorf("subscription %+v", s)
	}
}

func TestCanceledCheckoutShowsNotice(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.get("/organization?tab=billing&canceled=true").wantStatus(http.StatusOK).wantText("You left Checkout before paying.", "No plan yet")
}

func TestForeignCheckoutSessionsAreNotFound(t *testing.T) {
	h := newTestEnv(t)
	paid := h.signIn("admin").subscribe("starter", "month").header.Get("Location")
	stranger := h.signIn("stranger")
	stranger.get(paid).wantStatus(http.StatusNotFound)
	stranger.get(paid + "x").wantStatus(http.StatusNotFound)
	stranger.get("/dashboard?success=true&session_id=cs_test_made_up").wantStatus(http.StatusNotFound)
	if stranger.summary().Subscription != nil {
		t.Error("the other organization has a plan")
	}
}

// TestReturnSwitchesToTheSessionsOrganization: Checkout was opened in one organization, and another
// tab has switched to another one since.
func TestReturnSwitchesToTheSessionsOrganization(t *testing.T) {
	h := newTestEnv(t)
	h.addToOrganization("admin", h.otherOrganization)
	b := h.signIn("admin")
	back := b.subscribe("starter", "month")
	b.post("/organization/switch", url.Values{"organizationId": {h.otherOrganization.ID}}).wantStatus(http.StatusSeeOther)
	b.follow(back).wantStatus(http.StatusOK).wantText("Lantern Theatre", "Starter, monthly", "Active")
	if got := b.summary().OrganizationID; got != h.organization.ID {
		t.Errorf("current organization: %s", got)
	}
}

func TestReturnToTheDashboard(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	back := mustParse(t, b.subscribe("pro", "month").header.Get("Location"))
	b.get("/dashboard?success=true&session_id="+back.Query().Get("session_id")).wantStatus(http.StatusOK).wantText("Your payment is confirmed", "Pro, monthly", "Active")
	b.get("/dashboard?success=true").wantText("Your payment is confirmed") // the plan is active
	h.signIn("stranger").get("/dashboard?success=true").wantText("Stripe is confirming", "No plan yet")
}

// TestReturnWhileStripeHangs: the page is rendered, polls a bounded number of times, and shows the
// plan once Stripe responds.
func TestReturnWhileStripeHangs(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	opened := b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantStatus(http.StatusSeeOther)
	page := opened.header.Get("Location")
	h.stripeHangs.Store(true)
	h.startServer(h.origin, 50*time.Millisecond)
	path := "/organization?tab=billing&success=true&session_id=" + h.sessionID()
	confirming := b.get(path).wantStatus(http.StatusOK).wantText("Stripe is confirming the payment")
	panel := confirming.doc().Find("#billing-panel")
	if panel.AttrOr("hx-trigger", "") != "every 2000ms" || !strings.Contains(panel.AttrOr("hx-get", ""), "poll=1") {
		t.Errorf("panel %v", panel.Nodes[0].Attr)
	}
	fragment := b.get(panel.AttrOr("hx-get", ""), "HX-Request", "true").wantStatus(http.StatusOK)
	if !strings.HasPrefix(strings.TrimSpace(fragment.body), `<div id="billing-panel"`) || !strings.Contains(fragment.body, "poll=2") {
		t.Errorf("fragment %.200s", fragment.body)
	}
	last := b.get(path+"&poll=20", "HX-Request", "true").wantStatus(http.StatusOK)
	if strings.Contains(last.body, "hx-trigger") && strings.Contains(last.body, "poll=") {
		t.Errorf("the panel polls without end: %.300s", last.body)
	}
	h.stripeHangs.Store(false)
	h.startServer(h.origin, 15*time.Second)
	hosted := b.get(page).wantStatus(http.StatusOK)
	b.follow(b.submit(hosted, "form", goodCard)).wantStatus(http.StatusOK).wantText("Active")
}

// sessionID returns the id of the only Checkout session at Stripe.
func (h *testEnv) sessionID() string {
	h.t.Helper()
	var id string
	if err := h.store.DB().GetContext(h.t.Context(), &id, `select stripe_session_id from checkout_sessions`); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestPortal(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.post("/billing/portal", nil).wantStatus(http.StatusNotFound).wantText("No Stripe customer found")
	own := `{"organizationId":"` + h.organization.ID + `"`
	b.postJSON("/billing/createCustomerPortal", own+"}").wantError(http.StatusNotFound, apperr.CodeNotFound, "No Stripe customer found")
	b.follow(b.subscribe("pro", "month"))

	opened := b.post("/billing/portal", url.Values{"organizationId": {h.organization.ID}}).wantStatus(http.StatusSeeOther).header.Get("Location")
	portal := b.get(opened).wantStatus(http.StatusOK)
	marked := false
	for _, link := range portal.doc().Find("a[href]").EachIter() {
		href, err := url.Parse(link.AttrOr("href", ""))
		marked = marked || (err == nil && href.Host == mustParse(t, h.url).Host && href.Query().Get("portal") == "1" && href.Query().Get("tab") == "billing")
	}
	if !marked {
		t.Errorf("the return URL has no mark: %s", portal.body)
	}
	for _, flow := range []string{"payment_method_update", "subscription_cancel", "subscription_update"} {
		b.post("/billing/portal", url.Values{"flow": {flow}}).wantStatus(http.StatusSeeOther)
	}
	b.post("/billing/portal", url.Values{"flow": {"give_me_money"}}).wantStatus(http.StatusBadRequest)
	b.postJSON("/billing/createCustomerPortal", own+`,"returnUrl":"https://evil.example/"}`).wantStatus(http.StatusBadRequest)
	b.postJSON("/billing/createCustomerPortal", own+`,"returnUrl":"`+h.url+`/dashboard"}`).wantStatus(http.StatusOK)
}

func TestReturnFromPortalRefetchesSubscription(t *testing.T) {
	h := newTestEnv(t)
	h.dropWebhooks()
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active") // before any webhook
	// The stored snapshot is wrong, and no webhook corrects it.
	h.waitUntilReconciled()
	if _, err := h.store.DB().ExecContext(t.Context(), `update subscriptions set status = 'past_due', as_of = as_of - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	b.get("/organization?tab=billing").wantText("Payment due")
	b.get("/organization?tab=billing&portal=1").wantStatus(http.StatusOK).wantText("Active")

	h.stripeHangs.Store(true)
	h.startServer(h.origin, 50*time.Millisecond)
	silent := b.get("/organization?tab=billing&portal=1").wantStatus(http.StatusOK).wantText("Active")
	if got := silent.doc().Find("#billing-panel").AttrOr("hx-get", ""); !strings.Contains(got, "poll=1") || !strings.Contains(got, "portal=1") {
		t.Errorf("polls %q", got)
	}
	if last := b.get("/organization?tab=billing&portal=1&poll=20"); last.doc().Find("#billing-panel[hx-get]").Length() != 0 {
		t.Error("the page polls without end")
	}
	h.stripeHangs.Store(false)
}

func TestStripeUnavailableShowsErrorPage(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	h.disconnectStripe()
	b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantStatus(http.StatusBadGateway).wantText("Stripe isn't responding")
	b.postJSON("/billing/createSubscriptionCheckout", `{"organizationId":"`+h.organization.ID+`","priceId":"`+h.priceID()+`"}`).
		wantError(http.StatusBadGateway, apperr.CodeStripe, apperr.MessageStripeUnreachable)
	for _, path := range []string{"/pricing", "/dashboard", "/organization?tab=billing", "/billing/getSummary"} {
		b.get(path).wantStatus(http.StatusOK)
	}
}

func TestResync(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("billing")
	b.follow(b.subscribe("pro", "month")).wantStatus(http.StatusOK)
	b.get("/organization?tab=billing").wantText("Re-sync from Stripe")
	b.post("/billing/resync", nil).wantStatus(http.StatusSeeOther)
	b.get("/organization?tab=billing&notice=agreed").wantText("Everything is in sync.")
	h.signIn("member").post("/billing/resync", nil).wantStatus(http.StatusForbidden)
}

// A plan that has no room for the organization's people says so on its card, and every way to buy
// it answers the same.
func TestPlanForFewerPeopleIsRefused(t *testing.T) {
	h := newTestEnv(t)
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		if plans.Plans[i].ID == "pro" {
			plans.Plans[i].SeatMaximum = 2
		}
	}
	h.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin, WebhookSecrets: []string{testSecret}}), plans)
	h.startServer(h.origin, 15*time.Second)
	const message = "Pro has seats for at most 2 people, and 3 would need one. Choose a larger plan, or free a seat."
	b := h.signIn("admin")
	b.get("/pricing").wantStatus(http.StatusOK).wantText(message, "Choose Pro", "Choose Starter")
	b.post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "plan": {"pro"}, "interval": {"month"}}).
		wantStatus(http.StatusConflict).wantText(message)
	b.postJSON("/billing/createSubscriptionCheckout", `{"organizationId":"`+h.organization.ID+`","priceId":"`+h.priceID()+`"}`).
		wantError(http.StatusConflict, apperr.CodeConflict, message)
	b.post("/billing/checkout", url.Values{"organizationId": {h.organization.ID}, "plan": {"starter"}, "interval": {"month"}}).
		wantStatus(http.StatusSeeOther)
}
