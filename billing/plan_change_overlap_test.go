package billing_test

import (
	"context"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// A seat update and a plan change never run at once, and no member is lost between them.
func TestPlanChangeAndSeatSyncDoNotOverlap(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.subscribe("starter")
	env.advanceStripe(24 * time.Hour)
	preview := env.previewPlan("pro", catalog.Monthly)
	options := env.options(env.store)
	options.Now = env.stripe.Now
	options.Gateway = hookedPlanGateway{env.gateway(), func() {
		env.addMembers(1) // after the recount
		env.makeDueKeepingLease()
		env.must(env.syncSeats())
		if n := env.quantityUpdates.Load(); n != 0 {
			t.Errorf("%d seat updates while the plan changes", n)
		}
	}}
	replica := env.startService(options)
	change, err := replica.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, preview.Confirm())
	env.must(err)
	if change.Quantity != 1 || env.stripeInvoices()[0].AmountPaid != preview.DueNow.Minor {
		t.Fatalf("change %+v", change)
	}
	wantPlan(t, env, "pro", catalog.Monthly, 1)
	wantSeats(t, env, 2, 1, billing.SyncPending)
	env.makeSeatsDueNow()
	env.must(env.syncSeats())
	wantPlan(t, env, "pro", catalog.Monthly, 2)

	// The other way round: a seat update under way refuses the change.
	_, err = env.store.DB().ExecContext(t.Context(), `update billing_seat_state set lease_until = $1`, env.stripe.Now().Add(time.Minute))
	env.must(err)
	preview = env.previewPlan("pro", catalog.Yearly)
	_, err = env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Yearly, preview.Confirm())
	wantConflict(t, err, "seats")

	// One that ends meanwhile is waited for.
	_, err = env.store.DB().ExecContext(t.Context(), `update billing_seat_state set lease_until = $1`, env.stripe.Now().Add(500*time.Millisecond))
	env.must(err)
	_, err = env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Yearly, preview.Confirm())
	env.must(err)
	wantPlan(t, env, "pro", catalog.Yearly, 2)
}

func (env *testEnv) makeDueKeepingLease() {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(), `update billing_seat_state set due_at = $1 where due_at is not null`, env.stripe.Now().Add(-time.Second))
	env.must(err)
}

// hookedPlanGateway calls a function before each plan change.
type hookedPlanGateway struct {
	billing.Gateway
	before func()
}

func (g hookedPlanGateway) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	g.before()
	return g.Gateway.ChangePlan(ctx, update)
}

// A form that is submitted twice changes the plan once, also if both requests have read the preview
// before one of them begins the change.
func TestDowngradeSubmittedTwiceIsScheduledOnce(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	preview := env.previewPlan("starter", catalog.Monthly)
	options := env.options(env.store)
	first := billing.PlanChange{}
	options.Gateway = &refetchHook{Gateway: env.gateway(), once: func() {
		var err error
		first, err = env.service.PlanChanges.Apply(t.Context(), env.access, "starter", catalog.Monthly, preview.Confirm())
		env.must(err)
	}}
	second, err := env.startService(options).PlanChanges.Apply(t.Context(), env.access, "starter", catalog.Monthly, preview.Confirm())
	env.must(err)
	if first.Status != billing.PlanChangeScheduled || second.Status != first.Status || second.ID != first.ID {
		t.Errorf("first %s %s, second %s %s", first.ID, first.Status, second.ID, second.Status)
	}
	if n := env.queryInt(`select count(*) from seat_attempts where key like '%' || $1 || '%'`, first.ID); n != 1 {
		t.Errorf("%d attempts are stored, want 1", n)
	}
}

// refetchHook calls a function before the first read of a subscription.
type refetchHook struct {
	billing.Gateway
	once func()
}

func (g *refetchHook) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	if once := g.once; once != nil {
		g.once = nil
		once()
	}
	return g.Gateway.Subscription(ctx, id)
}

// A second change to the price that is scheduled ends, while the first one runs; otherwise it takes
// the schedule over.
func TestOpenChangeOfScheduledPriceEnds(t *testing.T) {
	for name, c := range map[string]struct {
		first billing.PlanChangeStatus
		want  billing.PlanChangeStatus
	}{
		"the first one is scheduled": {billing.PlanChangeScheduled, billing.PlanChangeFailed},
		"the first one has ended":    {billing.PlanChangeWithdrawn, billing.PlanChangeScheduled},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.subscribe("pro")
			_, first := env.changePlan("starter", catalog.Monthly)
			env.exec(`update plan_changes set status = $1 where id = $2`, string(c.first), first.ID)
			second := first
			second.ID, second.Status, second.ScheduleID = "chg_second", billing.PlanChangeOpen, ""
			now := env.stripe.Now()
			second.NextAttemptAt = &now
			env.must(env.store.PlanChanges().Insert(t.Context(), second))
			env.processPlanChanges()
			if got := env.planChange(second.ID); got.Status != c.want {
				t.Errorf("the second change is %s: %s", got.Status, got.Error)
			}
			if got := env.planChange(first.ID); got.Status != c.first {
				t.Errorf("the first change is %s", got.Status)
			}
			if current := env.overview().Subscription; current.ScheduledPriceID != env.planPriceID("starter", catalog.Monthly) {
				t.Errorf("subscription %+v", current)
			}
		})
	}
}
