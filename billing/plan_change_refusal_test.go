package billing_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// What moved since the preview is refused with the new preview, and nothing is charged.
func TestChangeThatMovedIsRefusedWithNewPreview(t *testing.T) {
	for name, move := range map[string]func(*testEnv, billing.Subscription){
		"a member joined": func(env *testEnv, _ billing.Subscription) { env.addMembers(1) },
		"a balance": func(env *testEnv, s billing.Subscription) {
			env.stripeRequest(http.MethodPost, "/v1/customers/"+s.CustomerID, url.Values{"balance": {"-500"}})
		},
		"a coupon": func(env *testEnv, s billing.Subscription) {
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+s.ID, url.Values{"coupon": {env.coupon(url.Values{"percent_off": {"25"}, "duration": {"forever"}})}})
		},
		"an item that is not invoiced yet": func(env *testEnv, s billing.Subscription) {
			env.stripeRequest(http.MethodPost, "/v1/invoiceitems", url.Values{"customer": {s.CustomerID}, "subscription": {s.ID}, "amount": {"1000"}, "currency": {"usd"}})
		},
		"another admin's change of interval": func(env *testEnv, _ billing.Subscription) { env.changePlan("starter", catalog.Yearly) },
		"the hour is over":                   func(env *testEnv, _ billing.Subscription) { env.advanceStripe(2 * time.Hour) },
		"another period":                     func(env *testEnv, _ billing.Subscription) { env.advanceStripe(31 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			current := env.subscribe("starter")
			env.advanceStripe(24 * time.Hour)
			before := len(env.stripeInvoices())
			preview := env.previewPlan("pro", catalog.Monthly)
			move(env, current)
			if name == "another period" || name == "another admin's change of interval" {
				before++
			}
			_, err := env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, preview.Confirm())
			var moved *billing.PlanMovedError
			if !errors.As(err, &moved) || apperr.CodeOf(err) != apperr.CodeConflict || moved.Preview.Confirm() == preview.Confirm() {
				t.Fatalf("%v", err)
			}
			if n := len(env.stripeInvoices()); n != before || env.overview().Plan.ID != "starter" {
				t.Errorf("%d invoices, want %d; plan %s", n, before, env.overview().Plan.ID)
			}
			change, err := env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, moved.Preview.Confirm())
			if moved.Preview.Change.Kind == billing.PlanDowngrade { // from the year that another admin chose
				if err != nil || change.Status != billing.PlanChangeScheduled {
					t.Errorf("after the new preview: %+v, %v", change, err)
				}
				return
			}
			if err != nil || change.Status != billing.PlanChangeApplied || env.stripeInvoices()[0].AmountDue != moved.Preview.DueNow.Minor {
				t.Errorf("after the new preview: %+v, %v", change, err)
			}
		})
	}
}

// A schedule that support made at Stripe meanwhile refuses the change, and nothing is charged.
func TestChangeIsRefusedWhileScheduleIsAttached(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("starter")
	preview := env.previewPlan("pro", catalog.Monthly)
	env.stripeRequest(http.MethodPost, "/v1/subscription_schedules", url.Values{"from_subscription": {current.ID}})
	_, err := env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, preview.Confirm())
	wantConflict(t, err, "being completed")
	if n := len(env.stripeInvoices()); n != 1 {
		t.Errorf("%d invoices", n)
	}
}

// What a downgrade will cost is compared too: a coupon that went away is shown before anything is
// scheduled.
func TestDowngradeWithMovedAmountIsRefused(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	current := env.subscribe("pro")
	preview := env.previewPlan("starter", catalog.Monthly)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"coupon": {env.coupon(url.Values{"percent_off": {"50"}, "duration": {"forever"}})}})
	_, err := env.service.PlanChanges.Apply(t.Context(), env.access, "starter", catalog.Monthly, preview.Confirm())
	var moved *billing.PlanMovedError
	if !errors.As(err, &moved) || moved.Preview.Next.Amount.Minor >= preview.Next.Amount.Minor || env.overview().Subscription.ScheduleID != "" {
		t.Errorf("%v, subscription %+v", err, env.overview().Subscription)
	}
}

// A confirmation of another organization, of another plan, or made up is never applied.
func TestConfirmTokenBelongsToItsPreview(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("starter")
	preview := env.previewPlan("pro", catalog.Monthly)
	for plan, confirm := range map[string]string{"pro": "chg_madeup", "starter": preview.Confirm()} {
		_, err := env.service.PlanChanges.Apply(t.Context(), env.access, plan, catalog.Yearly, confirm)
		var moved *billing.PlanMovedError
		if !errors.As(err, &moved) {
			t.Errorf("%s with %s: %v", plan, confirm, err)
		}
	}
	wantPlan(t, env, "starter", catalog.Monthly, 1)
}

// What does not allow a change is said before any money moves.
func TestPlanChangeIsRefusedWithReason(t *testing.T) {
	cases := map[string]struct {
		prepare func(*testEnv, billing.Subscription)
		plan    string
		message string
	}{
		"the same price": {func(*testEnv, billing.Subscription) {}, "starter", "your plan already"},
		"an end is set": {func(env *testEnv, _ billing.Subscription) {
			env.must(env.service.Cancellations.Cancel(env.t.Context(), env.access, billing.CancelRequest{}))
		}, "pro", "ends on"},
		"past due":        {func(env *testEnv, s billing.Subscription) { env.leaveRenewalUnpaid(s) }, "pro", "not paid"},
		"too many people": {func(env *testEnv, _ billing.Subscription) { env.addMembers(3) }, "pro", "has seats for at most 3 people"},
		"made by support": {func(env *testEnv, s billing.Subscription) {
			env.stripeRequest(http.MethodPost, "/v1/subscription_schedules", url.Values{"from_subscription": {s.ID}})
		}, "pro", "being completed"},
		"organization deleted": {func(env *testEnv, _ billing.Subscription) {
			env.must(env.service.Deletions.Request(env.t.Context(), env.access, env.access.Organization.Name))
		}, "pro", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.sellPro(func(p *catalog.Plan) { p.SeatMaximum = 3 })
			current := env.subscribe("starter")
			c.prepare(env, current)
			env.access = env.reloadAccess()
			_, err := env.service.PlanChanges.Preview(t.Context(), env.access, c.plan, catalog.Monthly)
			wantConflict(t, err, c.message)
		})
	}
}

// leaveRenewalUnpaid makes the renewal's payment fail.
func (env *testEnv) leaveRenewalUnpaid(s billing.Subscription) {
	env.t.Helper()
	env.replaceCard(s, "4000000000000341")
	env.advanceStripe(32 * 24 * time.Hour)
}

func wantConflict(t *testing.T, err error, message string) {
	t.Helper()
	if apperr.CodeOf(err) != apperr.CodeConflict || !strings.Contains(apperr.MessageOf(err), message) {
		t.Fatalf("%v, want a conflict with %q", err, message)
	}
}
