package billing_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// replayGateway repeats each change of a plan, so that the answer is a replay.
type replayGateway struct{ billing.Gateway }

func (g replayGateway) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	if _, err := g.Gateway.ChangePlan(ctx, update); err != nil {
		return billing.UpdatedSubscription{}, err
	}
	return g.Gateway.ChangePlan(ctx, update)
}

// Whatever brings the outcome of an upgrade, its invoice is held against the confirmed amount.
func TestChargeIsHeldAgainstConfirmationInEveryPath(t *testing.T) {
	for name, path := range map[string]func(*testEnv, string){
		"replayed answer": func(env *testEnv, confirm string) { env.applyThrough(replayGateway{env.gateway()}, confirm) },
		"lost answer, found by the worker": func(env *testEnv, confirm string) {
			env.applyThrough(lostAnswerGateway{Gateway: env.gateway()}, confirm)
			env.processPlanChanges()
		},
		"lost answer, found by the event": func(env *testEnv, confirm string) {
			env.applyThrough(lostAnswerGateway{Gateway: env.gateway()}, confirm)
			for _, event := range env.eventsOfType("invoice.*") {
				deliver(env.t, env, event)
			}
			env.processEvents()
		},
		"pending, paid later": func(env *testEnv, confirm string) {
			current := *env.overview().Subscription
			env.replaceCard(current, "4000000000000341")
			env.applyThrough(env.gateway(), confirm)
			env.replaceCard(current, "4242424242424242")
			env.stripeRequest(http.MethodPost, "/v1/invoices/"+env.stripeInvoices()[0].ID+"/pay", nil)
			env.processPlanChanges()
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.subscribe("starter")
			env.advanceStripe(7 * 24 * time.Hour)
			preview := env.previewPlan("pro", catalog.Monthly)
			path(env, preview.Confirm())
			stored, invoice := env.planChange(preview.Confirm()), env.stripeInvoices()[0]
			if stored.Charged == nil || *stored.Charged != preview.DueNow.Minor || stored.InvoiceID != invoice.ID || invoice.AmountDue != preview.DueNow.Minor {
				t.Errorf("stored change %+v, invoice %+v, confirmed %d", stored, invoice, preview.DueNow.Minor)
			}
		})
	}
}

// applyThrough confirms the change to pro with another gateway. Its error is that of a lost answer.
func (env *testEnv) applyThrough(gateway billing.Gateway, confirm string) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now, options.Gateway = env.stripe.Now, gateway
	_, err := env.startService(options).PlanChanges.Apply(env.t.Context(), env.access, "pro", catalog.Monthly, confirm)
	if err != nil && apperr.CodeOf(err) != apperr.CodeStripe {
		env.t.Fatal(err)
	}
}

// couponBeforeCharge adds a coupon between the second preview and the change, as support could.
type couponBeforeCharge struct {
	billing.Gateway
	env *testEnv
}

func (g couponBeforeCharge) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	g.env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+update.SubscriptionID, url.Values{"coupon": {g.env.coupon(url.Values{"percent_off": {"50"}, "duration": {"forever"}})}})
	return g.Gateway.ChangePlan(ctx, update)
}

// coupon creates a coupon at Stripe.
func (env *testEnv) coupon(form url.Values) string {
	env.t.Helper()
	var created struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/coupons", form, &created)
	return created.ID
}

// A charge that differs all the same is logged as an error and shown to operators.
func TestMischargedChangeIsShownToOperators(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.subscribe("starter")
	env.advanceStripe(7 * 24 * time.Hour)
	preview := env.previewPlan("pro", catalog.Monthly)
	var log bytes.Buffer
	options := env.options(env.store)
	options.Now, options.Log = env.stripe.Now, slog.New(slog.NewTextHandler(&log, nil))
	options.Gateway = couponBeforeCharge{env.gateway(), env}
	service := env.startService(options)
	_, err := service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, preview.Confirm())
	env.must(err)
	backlog, err := service.Operations.Backlog(t.Context())
	env.must(err)
	stored := env.planChange(preview.Confirm())
	if backlog.MischargedChanges != 1 || *stored.Charged == stored.AmountDue || strings.Count(log.String(), "charged another amount") != 1 {
		t.Errorf("%d mischarged, change %+v, log %s", backlog.MischargedChanges, stored, log.String())
	}
}

// The parts of what is due today add up to it, whatever is on the invoice.
func TestPartsOfAmountDueAddUp(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(4)
	current := env.subscribe("starter")
	env.advanceStripe(5 * 24 * time.Hour)
	env.addMembers(1)
	env.makeSeatsDueNow()
	env.must(env.syncSeats()) // a pending proration from before
	env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"balance": {"-700"}})
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"coupon": {env.coupon(url.Values{"amount_off": {"300"}, "currency": {"usd"}, "duration": {"forever"}})}})
	env.advanceStripe(5 * 24 * time.Hour)
	for interval, want := range map[catalog.Interval][]billing.ChangePartKind{
		catalog.Monthly: {billing.PartNewTime, billing.PartUnused, billing.PartEarlier, billing.PartBalance},
		catalog.Yearly:  {billing.PartNewTime, billing.PartUnused, billing.PartEarlier, billing.PartDiscount, billing.PartBalance},
	} {
		preview, kinds, sum := env.previewPlan("pro", interval), []billing.ChangePartKind(nil), int64(0)
		for _, part := range preview.Parts() {
			kinds, sum = append(kinds, part.Kind), sum+part.Amount.Minor
		}
		if sum != preview.DueNow.Minor || preview.DueNow.Minor <= 0 || len(kinds) != len(want) {
			t.Errorf("%s: parts %+v sum up to %d, want %v and %d", interval, preview.Parts(), sum, want, preview.DueNow.Minor)
		}
	}
}

// A seat change while an upgrade waits for its payment does not take the confirmed change away: it
// is sent once the payment is made or the change is discarded.
func TestPendingUpgradeDelaysSeatUpdates(t *testing.T) {
	for _, paid := range []bool{true, false} {
		t.Run(map[bool]string{true: "paid", false: "discarded"}[paid], func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.registerWebhook()
			current := env.subscribe("starter")
			env.replaceCard(current, "4000000000000341")
			env.advanceStripe(7 * 24 * time.Hour)
			preview, _ := env.changePlan("pro", catalog.Monthly)
			env.addMembers(1)
			env.makeSeatsDueNow()
			env.must(env.syncSeats())
			if invoice := env.stripeInvoices()[0]; invoice.Status != "open" || env.overview().Subscription.PendingPriceID == "" || env.stripeQuantity() != 1 {
				t.Fatalf("invoice %+v, quantity %d", invoice, env.stripeQuantity())
			}
			env.replaceCard(current, "4242424242424242")
			plan := "starter"
			if paid {
				plan = "pro"
				env.stripeRequest(http.MethodPost, "/v1/invoices/"+env.stripeInvoices()[0].ID+"/pay", nil)
			} else {
				env.advanceStripe(24 * time.Hour)
			}
			env.processEvents()
			env.processPlanChanges()
			env.makeSeatsDueNow()
			env.must(env.syncSeats())
			wantPlan(t, env, plan, catalog.Monthly, 2)
			if stored := env.planChange(preview.Confirm()); (stored.Status == billing.PlanChangeApplied) != paid {
				t.Errorf("stored change %+v", stored)
			}
		})
	}
}

// A removed seat is not held back until after the renewal, which would charge for it.
func TestPendingUpgradeBeforeRenewalDoesNotKeepRemovedSeats(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	soon, later := now.Add(20*time.Hour), now.Add(72*time.Hour)
	for name, c := range map[string]struct {
		until, periodEnd time.Time
		quantity         int
		delayed          bool
	}{
		"another seat":                 {soon, later, 3, true},
		"a removed seat":               {soon, later, 1, true},
		"a seat before the renewal":    {soon, soon, 3, true},
		"a removed one before renewal": {soon, soon, 1, false},
		"discarded":                    {now, later, 3, false},
	} {
		s := billing.Subscription{PendingPriceID: "price_pro", PendingUntil: &c.until, Quantity: 2, CurrentPeriodEnd: c.periodEnd}
		if got := s.HoldsSeats(c.quantity, now); got != c.delayed {
			t.Errorf("%s: delayed %v", name, got)
		}
	}
}

// Another choice of the same plan replaces the pending one, as Stripe documents it, and each change
// is known by its own invoice.
func TestSecondPendingUpgradeReplacesFirst(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.registerWebhook()
	current := env.subscribe("starter")
	env.replaceCard(current, "4000000000000341")
	env.advanceStripe(7 * 24 * time.Hour)
	_, first := env.changePlan("pro", catalog.Monthly)
	env.advanceStripe(time.Hour)
	second, change := env.changePlan("pro", catalog.Monthly)
	env.processEvents()
	env.processPlanChanges()
	if first = env.planChange(first.ID); first.Status != billing.PlanChangeWithdrawn || env.planChange(change.ID).Status != billing.PlanChangePending {
		t.Fatalf("first %+v, second %+v", first, env.planChange(change.ID))
	}
	env.replaceCard(current, "4242424242424242")
	env.stripeRequest(http.MethodPost, "/v1/invoices/"+change.InvoiceID+"/pay", nil)
	env.processEvents()
	env.processPlanChanges()
	if change = env.planChange(change.ID); change.Status != billing.PlanChangeApplied || *change.Charged != second.DueNow.Minor {
		t.Errorf("second %+v, confirmed %d", change, second.DueNow.Minor)
	}
}

// A seat change while a downgrade is scheduled reaches the subscription and the next phase, and no
// warning is logged: both updates are due at the same moment.
func TestSeatChangeBesideScheduledDowngradeIsNoFailure(t *testing.T) {
	env := newTestEnv(t)
	var log bytes.Buffer
	options := env.options(env.store)
	options.Now, options.Log = env.stripe.Now, slog.New(slog.NewTextHandler(&log, nil))
	env.useService(env.startService(options))
	env.subscribe("pro")
	env.changePlan("starter", catalog.Monthly)
	env.addMembers(2)
	env.exec(`update billing_seat_state set lease_until = $1`, env.stripe.Now().Add(time.Minute)) // the seat sync is at work
	env.exec(`update plan_changes set next_attempt_at = $1`, env.stripe.Now().Add(-time.Second))
	env.must(env.service.ProcessPlanChanges(t.Context()))
	env.makeSeatsDueNow()
	env.must(env.syncSeats())
	env.processPlanChanges()
	if current := env.overview().Subscription; current.Quantity != 3 || current.ScheduledQuantity != 3 || strings.Contains(log.String(), "not processed") {
		t.Errorf("subscription %+v, log %s", current, log.String())
	}
}
