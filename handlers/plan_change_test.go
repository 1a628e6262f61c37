package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/stripelocal"
)

func TestPlanChangePages(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("starter", "month")).wantText("Active")

	tab := b.get(billingPath).wantText("Change plan", "Preview Pro, monthly").wantNoText("Preview Starter, monthly")
	preview := b.submit(tab, `form[action="/billing/preview"]:has(input[value="pro"])`, nil).wantStatus(http.StatusOK)
	preview.wantText("Change to Pro, monthly", "Now", "New", "Due today", "new plan", "unused time", "and switch", "Then")
	stale := b.submit(tab, `form[action="/billing/preview"]:has(input[value="pro"])`, nil)

	// The amount of a confirmed form that is not the previewed one is not charged.
	forged := b.post("/billing/plan", url.Values{"organizationId": {h.organization.ID}, "plan": {"pro"}, "interval": {"month"}, "confirm": {"chg_other"}})
	forged.wantStatus(http.StatusConflict).wantText("The amount has changed since you saw it.", "Change to Pro, monthly")
	if n := h.count(`select count(*) from subscriptions where price_id = (select price_id from plan_changes limit 1)`); n != 0 {
		t.Fatal("the plan was changed without a confirmation")
	}

	b.follow(b.submit(preview, `form[action="/billing/plan"]`, nil).wantRedirect(billingPath+"&notice="+noticePlanChanged)).wantText("Your plan is changed.", "Pro, monthly")
	b.follow(b.submit(preview, `form[action="/billing/plan"]`, nil).wantRedirect(billingPath + "&notice=" + noticePlanChanged)) // submitted twice
	b.submit(stale, `form[action="/billing/plan"]`, nil).wantStatus(http.StatusConflict).wantText("your plan already")

	down := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="starter"])`, nil).wantText("You keep Pro until", "Switch on")
	set := b.follow(b.submit(down, `form[action="/billing/plan"]`, nil).wantRedirect(billingPath + "&notice=" + noticePlanScheduled))
	set.wantText("The change is scheduled.", "Changes to Starter, monthly on", "Keep Pro")
	next := down.doc().Find("#next").Text()
	if shown := b.get("/billing/next-invoice", "HX-Request", "true").doc().Find("p.text-figure").First().Text(); !strings.HasPrefix(next, "Then "+shown+" from ") {
		t.Errorf("the next invoice is %q, the preview said %q", shown, next)
	}
	if set.doc().Find(`form[action="/billing/preview"]`).Length() != 0 {
		t.Error("another change is offered while one is set")
	}
	b.follow(b.submit(set, `form[action="/billing/plan/keep"]`, nil).wantRedirect(billingPath + "&notice=" + noticePlanKept)).wantText("You keep your plan.").wantNoText("Changes to")

	// Only those who may manage billing, and only for their own organization.
	b.post("/billing/preview", url.Values{"organizationId": {"org_other"}, "plan": {"pro"}, "interval": {"year"}}).wantStatus(http.StatusConflict).wantText("another organization")
	reader := h.signIn("member")
	reader.post("/billing/plan", url.Values{"plan": {"pro"}, "interval": {"year"}}).wantStatus(http.StatusForbidden)
	if tab := reader.get(billingPath); tab.doc().Find(`form[action^="/billing/p"]`).Length() != 0 {
		t.Error("a reader is offered a change")
	}
}

// A payment that needs the bank leaves the plan as it was and says how to finish.
func TestPlanChangeThatNeedsConfirmation(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("starter", "month")).wantText("Active")
	h.setCard("4000000000000341")
	preview := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="year"])`, nil)
	pending := b.follow(b.submit(preview, `form[action="/billing/plan"]`, nil).wantRedirect(billingPath + "&notice=" + noticePlanPending))
	pending.wantText("The payment is not complete.", "The switch to Pro, yearly isn't paid yet.", "Starter, monthly", "Pay $")
	link := pending.doc().Find(`a[href^="/billing/invoices/in_"]`).AttrOr("href", "")
	hosted := b.get(link).wantStatus(http.StatusSeeOther).header.Get("Location")
	if !strings.Contains(hosted, "/i/in_") {
		t.Errorf("%q leads to %q, want the hosted invoice", link, hosted)
	}
}

// setCard makes a new card the one that pays the organization's subscription.
func (h *testEnv) setCard(number string) {
	h.t.Helper()
	var current struct {
		ID       string
		Customer string
	}
	if err := h.store.DB().GetContext(h.t.Context(), &current, `select id, customer_id as customer from subscriptions`); err != nil {
		h.t.Fatal(err)
	}
	var method struct{ ID string }
	h.callStripe("/v1/payment_methods", url.Values{
		"type": {"card"}, "card[number]": {number}, "card[exp_month]": {"12"}, "card[exp_year]": {"2034"}, "card[cvc]": {"123"},
	}, &method)
	h.callStripe("/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.Customer}}, nil)
	h.callStripe("/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {method.ID}}, nil)
}

// A payment that takes Stripe long does not hold the page: it says that the change is being made,
// which continues.
func TestPlanChangeContinuesAfterTheResponse(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	waiting := h.waitForPlanChange(b)
	h.waitForPlanChangeStatus(billing.PlanChangeApplied)
	b.poll(waiting).wantText("Pro, monthly", "Your plan is changed.").wantNoText("We're switching you")
	b.get(billingPath).wantText("Pro, monthly").wantNoText("We're switching you", "Your plan is changed.")
	if log := h.log.String(); strings.Contains(log, "plan change failed") {
		t.Error("the end of the request ended the change")
	}
}

// A change that Stripe refuses after its page was answered is not forgotten.
func TestPlanChangeIsRefusedAfterTheResponse(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	waiting := h.waitForPlanChange(b)
	var price string
	if err := h.store.DB().GetContext(t.Context(), &price, `select price_id from plan_changes where status = 'open'`); err != nil {
		t.Fatal(err)
	}
	h.callStripe("/v1/prices/"+price, url.Values{"active": {"false"}}, nil)
	h.waitForPlanChangeStatus(billing.PlanChangeFailed)
	b.poll(waiting).wantText("Starter, monthly", "Your plan is not changed.", "Nothing was charged.").wantNoText("We're switching you")
	b.get(billingPath + "&" + awaitedChange + "=chg_unknown").wantNoText("Your plan is")
}

// A preview whose confirmation ended without a change is reported when its page stops to reload.
func TestUnconfirmedPlanChange(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("starter", "month")).wantText("Active")
	preview := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="month"])`, nil)
	address := billingPath + "&" + awaitedChange + "=" + preview.doc().Find(`input[name="confirm"]`).AttrOr("value", "")
	waiting := b.get(address).wantNoText("Your plan is not changed.")
	if poll := waiting.doc().Find("#billing-panel").AttrOr("hx-get", ""); !strings.Contains(poll, awaitedChange) {
		t.Errorf("the panel is loaded again from %q", poll)
	}
	b.get(address + "&poll=20").wantText("Your plan is not changed.")
}

// waitForPlanChange changes the plan from Starter to Pro while Stripe is slow, and returns the
// billing page that waits for the change.
func (h *testEnv) waitForPlanChange(b *browser) response {
	h.t.Helper()
	b.follow(b.subscribe("starter", "month")).wantText("Active")
	h.server.answerTimeout = answerTimeout
	preview := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="month"])`, nil)
	_, err := h.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.SlowCall, Method: "POST", Path: "/v1/subscriptions/*", Millis: 5000, Calls: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	confirm := preview.doc().Find(`input[name="confirm"]`).AttrOr("value", "")
	began := time.Now()
	answer := b.submit(preview, `form[action="/billing/plan"]`, nil).wantRedirect(billingPath + "&" + awaitedChange + "=" + confirm)
	if took := time.Since(began); took >= 5*time.Second { // Stripe's answer
		h.t.Errorf("the page answered after %s", took)
	}
	return b.follow(answer).wantText("We're switching you to Pro, monthly.").wantNoText("Your plan is")
}

func (h *testEnv) waitForPlanChangeStatus(want billing.PlanChangeStatus) {
	h.t.Helper()
	waitFor(h.t, "the end of the change", func() bool {
		return h.count(`select count(*) from plan_changes where status = '`+string(want)+`'`) == 1
	})
}

// poll loads the billing panel as its page does.
func (b *browser) poll(shown response) response {
	b.t.Helper()
	address, _ := shown.doc().Find("#billing-panel").Attr("hx-get")
	return b.get(address)
}

// callStripe posts to Stripe's API as another client.
func (h *testEnv) callStripe(path string, form url.Values, into any) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_dashboard123", "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("POST %s: status %d", path, answer.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			h.t.Fatal(err)
		}
	}
}
