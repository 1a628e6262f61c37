package billing_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// lostAnswerGateway makes the change and loses Stripe's answer, or crashes.
type lostAnswerGateway struct {
	billing.Gateway
	before, crash bool
}

func (g lostAnswerGateway) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	if !g.before {
		_, _ = g.Gateway.ChangePlan(ctx, update)
	}
	return billing.UpdatedSubscription{}, g.lose()
}

func (g lostAnswerGateway) SchedulePlan(ctx context.Context, plan billing.PlanSchedule) (string, error) {
	if !g.before {
		_, _ = g.Gateway.SchedulePlan(ctx, plan)
	}
	return "", g.lose()
}

func (g lostAnswerGateway) lose() error {
	if g.crash {
		panic("crash")
	}
	return &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "timeout"}
}

// A change whose answer was lost, or whose replica crashed, is made exactly once.
func TestPlanChangeWithoutAnswerIsMadeOnce(t *testing.T) {
	for _, plan := range []string{"pro", "starter"} {
		for _, before := range []bool{true, false} {
			for _, crash := range []bool{true, false} {
				t.Run(fmt.Sprintf("to %s, lost before the call %v, crash %v", plan, before, crash), func(t *testing.T) {
					env := newTestEnv(t)
					env.stripeClock()
					first := map[string]string{"pro": "starter", "starter": "pro"}[plan]
					env.subscribe(first)
					env.advanceStripe(24 * time.Hour)
					preview := env.previewPlan(plan, catalog.Monthly)
					options := env.options(env.store)
					options.Now, options.Gateway = env.stripe.Now, lostAnswerGateway{Gateway: env.gateway(), before: before, crash: crash}
					broken := env.startService(options)
					func() {
						defer func() { _ = recover() }()
						_, err := broken.PlanChanges.Apply(t.Context(), env.access, plan, catalog.Monthly, preview.Confirm())
						if apperr.CodeOf(err) != apperr.CodeStripe {
							t.Errorf("%v", err)
						}
					}()
					if stored := env.planChange(preview.Confirm()); stored.Status != billing.PlanChangeOpen {
						t.Fatalf("stored change %+v", stored)
					}
					_, err := env.service.PlanChanges.Apply(t.Context(), env.access, plan, catalog.Monthly, preview.Confirm())
					wantConflict(t, err, "being made")
					env.processPlanChanges()
					stored, invoices := env.planChange(preview.Confirm()), env.stripeInvoices()
					if plan == "pro" {
						wantPlan(t, env, "pro", catalog.Monthly, 1)
						if stored.Status != billing.PlanChangeApplied || len(invoices) != 2 || invoices[0].AmountPaid != preview.DueNow.Minor {
							t.Errorf("stored change %+v, invoices %+v", stored, invoices)
						}
						return
					}
					current := env.overview().Subscription
					if stored.Status != billing.PlanChangeScheduled || stored.ScheduleID != current.ScheduleID || current.ScheduledPriceID != stored.PriceID || len(invoices) != 1 {
						t.Errorf("stored change %+v, subscription %+v, invoices %+v", stored, current, invoices)
					}
				})
			}
		}
	}
}

// The first half of a downgrade, a schedule without its second phase, is finished.
func TestHalfMadeScheduleIsFinished(t *testing.T) {
	env := newTestEnv(t)
	preview := env.makeHalfASchedule()
	env.processPlanChanges()
	if current := env.overview().Subscription; current.ScheduledPriceID != env.planPriceID("starter", catalog.Monthly) || env.planChange(preview.Confirm()).Status != billing.PlanChangeScheduled {
		t.Fatalf("subscription %+v, change %+v", current, env.planChange(preview.Confirm()))
	}
}

// A downgrade of which half is made ends with its subscription: the schedule is canceled with it,
// stays attached, and can't be released any more.
func TestHalfMadeScheduleEndsWithTheSubscription(t *testing.T) {
	env := newTestEnv(t)
	preview := env.makeHalfASchedule()
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+env.overview().Subscription.ID, nil)
	env.processPlanChanges()
	if change := env.planChange(preview.Confirm()); change.Status != billing.PlanChangeFailed || change.NextAttemptAt != nil {
		t.Errorf("change %+v", change)
	}
}

// makeHalfASchedule confirms a downgrade, and loses the answer after its first half.
func (env *testEnv) makeHalfASchedule() billing.PlanPreview {
	env.t.Helper()
	env.stripeClock()
	env.subscribe("pro")
	preview := env.previewPlan("starter", catalog.Monthly)
	options := env.options(env.store)
	options.Now = env.stripe.Now
	options.Gateway = halfScheduleGateway{env.gateway(), env}
	broken := env.startService(options)
	_, err := broken.PlanChanges.Apply(env.t.Context(), env.access, "starter", catalog.Monthly, preview.Confirm())
	if apperr.CodeOf(err) != apperr.CodeStripe {
		env.t.Fatal(err)
	}
	env.must(env.service.Subscriptions.Refresh(env.t.Context(), env.access))
	if current := env.overview().Subscription; current.ScheduleID == "" || current.ScheduledPriceID != "" {
		env.t.Fatalf("subscription %+v, want half a schedule", current)
	}
	return preview
}

// halfScheduleGateway creates the schedule under the change's key and crashes.
type halfScheduleGateway struct {
	billing.Gateway
	env *testEnv
}

func (g halfScheduleGateway) SchedulePlan(_ context.Context, plan billing.PlanSchedule) (string, error) {
	request, err := http.NewRequest(http.MethodPost, g.env.origin+"/v1/subscription_schedules", strings.NewReader(url.Values{"from_subscription": {plan.SubscriptionID}}.Encode()))
	g.env.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Idempotency-Key", plan.IdempotencyKey)
	request.Header.Set("Stripe-Version", "2024-06-20")
	request.SetBasicAuth("sk_test_usher123456", "")
	response, err := http.DefaultClient.Do(request)
	g.env.must(err)
	response.Body.Close()
	return "", &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "timeout"}
}
