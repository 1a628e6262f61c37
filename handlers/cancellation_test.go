package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/stripelocal"
)

// The journey of a plan without JavaScript: preview, pay, downgrade, keep, cancel with a reason,
// resume. At each step the page, getSummary, the entitlements and Stripe say the same.
func TestPlanJourney(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("starter", "month")).wantText("Active")
	h.wantPlanEverywhere(b, "starter", false)

	preview := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="month"])`, nil).wantStatus(http.StatusOK)
	b.follow(b.submit(preview, `form[action="/billing/plan"]`, nil)).wantText("Your plan is changed.", "Pro, monthly")
	h.wantPlanEverywhere(b, "pro", false)

	down := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="starter"]):has(input[value="month"])`, nil)
	set := b.follow(b.submit(down, `form[action="/billing/plan"]`, nil)).wantText("Changes to Starter, monthly on")
	h.wantPlanEverywhere(b, "pro", false)
	b.follow(b.submit(set, `form[action="/billing/plan/keep"]`, nil)).wantText("You keep your plan.", "Renews on")

	page := b.get("/billing/cancel").wantStatus(http.StatusOK)
	page.wantText("Cancel Pro, monthly", "You keep Pro until", "Nothing more is charged for the plan.", "Or switch to a smaller plan", "Preview Starter, monthly")
	end := page.doc().Find("p.text-figure").Text()
	b.submit(page, `form[action="/billing/preview"]`, nil).wantStatus(http.StatusOK).wantText("Change to Starter, monthly")
	canceled := b.follow(b.submit(page, `form[action="/billing/cancel"]`, url.Values{"reason": {"too_expensive"}, "comment": {"We shrink."}}).wantRedirect(billingPath + "&notice=" + noticeCanceled))
	canceled.wantText("Your plan is canceled.", "Ends on "+end, "Keep Pro")
	h.wantPlanEverywhere(b, "pro", true)
	if n := h.count(`select count(*) from cancellations where reason = 'too_expensive' and comment = 'We shrink.' and status = 'set'`); n != 1 {
		t.Errorf("%d cancellations kept", n)
	}
	b.get("/billing/cancel").wantRedirect(billingPath)

	keep := b.get("/billing/resume").wantStatus(http.StatusOK).wantText("First invoice on "+end, "Nothing is charged today.")
	b.follow(b.submit(keep, `form[action="/billing/resume"]`, nil).wantRedirect(billingPath+"&notice="+noticeResumed)).wantText("You keep your plan.", "Renews on "+end)
	h.wantPlanEverywhere(b, "pro", false)
	b.get("/billing/resume").wantRedirect(billingPath)
}

// wantPlanEverywhere checks that getSummary, the stored subscription and Stripe agree.
func (h *testEnv) wantPlanEverywhere(b *browser, plan string, ends bool) {
	h.t.Helper()
	var stored struct {
		ID      string
		PriceID string `db:"price_id"`
	}
	if err := h.store.DB().GetContext(h.t.Context(), &stored, `select id, price_id from subscriptions where is_current`); err != nil {
		h.t.Fatal(err)
	}
	p, _ := h.service.Prices.Catalog().Plan(plan)
	price, _ := p.Price("month")
	summary := b.get("/billing/getSummary").wantStatus(http.StatusOK).body
	gateway := stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin})
	current, err := gateway.Subscription(h.t.Context(), stored.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	current = current.Classified(h.service.Prices.Catalog())
	_, endsAtStripe := current.EndsAt()
	access, err := h.service.Organizations.Access(h.t.Context(), h.users["admin"].ID, h.organization.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := h.service.Overviews.Get(h.t.Context(), access)
	if err != nil {
		h.t.Fatal(err)
	}
	if stored.PriceID != price.ID || current.PriceID != price.ID || endsAtStripe != ends || !o.HasAccess || o.Plan.ID != plan ||
		!strings.Contains(summary, price.ID) || !strings.Contains(summary, `"cancelAtPeriodEnd":`+strconv.FormatBool(ends)) {
		h.t.Errorf("want %s, ends %v: stored %+v, at Stripe %s (ends %v), access %v, summary %s", plan, ends, stored, current.PriceID, endsAtStripe, o.HasAccess, summary)
	}
}

// A plan that was renewed since the page was shown is not canceled: the response is the new page.
func TestCancellationOfRenewedPlan(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	stale := url.Values{"organizationId": {h.organization.ID}, "endsAt": {strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)}}
	moved := b.post("/billing/cancel", stale).wantStatus(http.StatusConflict).wantText("Your plan was renewed since you opened this page.", "Nothing was changed.")
	h.wantPlanEverywhere(b, "pro", false)
	b.follow(b.submit(moved, `form[action="/billing/cancel"]`, nil)).wantText("Your plan is canceled.")
	h.wantPlanEverywhere(b, "pro", true)
	b.post("/billing/cancel", url.Values{"endsAt": {"soon"}}).wantStatus(http.StatusBadRequest)
}

// While Stripe is away the page shows the stored date and says what it does not know, within the
// time limit.
func TestCancelPageWithoutStripe(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	h.hangStripe()
	started := time.Now()
	b.get("/billing/cancel").wantStatus(http.StatusOK).wantText("You keep Pro until", "We can't show the amount right now.")
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	h.stripeHangs.Store(false)
}

// A cancellation that Stripe has not confirmed is shown as such, and the worker completes it.
func TestCancellationContinuesAfterTheResponse(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantText("Active")
	if _, err := h.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.RateLimited, Method: "POST", Path: "/v1/subscriptions/*", Calls: 1}); err != nil {
		t.Fatal(err)
	}
	answer := b.submit(b.get("/billing/cancel"), `form[action="/billing/cancel"]`, nil).wantRedirect(billingPath)
	if h.count(`select count(*) from subscriptions where cancel_at_period_end`) == 0 {
		b.follow(answer).wantText("We're canceling your plan.", "Stripe hasn't confirmed it yet.")
	}
	waitFor(t, "the cancellation", func() bool { return h.count(`select count(*) from subscriptions where cancel_at_period_end`) == 1 })
	h.wantPlanEverywhere(b, "pro", true)
}

// A change whose answer is missing is shown, without a second way to pay.
func TestOpenChangeIsShown(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("starter", "month")).wantText("Active")
	preview := b.submit(b.get(billingPath), `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="month"])`, nil)
	confirm := preview.doc().Find(`input[name="confirm"]`).AttrOr("value", "")
	if _, err := h.store.DB().ExecContext(t.Context(), `update plan_changes set status = $1, confirmed_at = now(), next_attempt_at = now() + interval '1 hour' where id = $2`, billing.PlanChangeOpen, confirm); err != nil {
		t.Fatal(err)
	}
	b.get(billingPath).wantText("We're switching you to Pro, monthly.", "Check again", "Starter, monthly")
}
