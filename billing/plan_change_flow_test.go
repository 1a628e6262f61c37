package billing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// previewPlan previews a change of the plan.
func (env *testEnv) previewPlan(plan string, interval catalog.Interval) billing.PlanPreview {
	env.t.Helper()
	preview, err := env.service.PlanChanges.Preview(env.t.Context(), env.access, plan, interval)
	env.must(err)
	return preview
}

// changePlan previews and confirms a change of the plan.
func (env *testEnv) changePlan(plan string, interval catalog.Interval) (billing.PlanPreview, billing.PlanChange) {
	env.t.Helper()
	preview := env.previewPlan(plan, interval)
	change, err := env.service.PlanChanges.Apply(env.t.Context(), env.access, plan, interval, preview.Confirm())
	env.must(err)
	return preview, change
}

// stripeInvoice is an invoice as Stripe has it.
type stripeInvoice struct {
	ID            string
	Status        string
	Total         int64
	AmountDue     int64  `json:"amount_due"`
	AmountPaid    int64  `json:"amount_paid"`
	BillingReason string `json:"billing_reason"`
	Currency      string
	HostedURL     string `json:"hosted_invoice_url"`
}

// stripeInvoices lists the subscription's invoices at Stripe, newest first.
func (env *testEnv) stripeInvoices() []stripeInvoice {
	env.t.Helper()
	var list struct{ Data []stripeInvoice }
	env.stripeGet("/v1/invoices?limit=50&subscription="+env.overview().Subscription.ID, &list)
	return list.Data
}

func wantPlan(t *testing.T, env *testEnv, plan string, interval catalog.Interval, quantity int) {
	t.Helper()
	o := env.overview()
	if o.Plan == nil || o.Plan.ID != plan || o.Price.Interval != interval || o.Subscription.Quantity != quantity || env.stripeQuantity() != quantity {
		t.Fatalf("plan %+v, price %+v, subscription %+v, quantity %d at Stripe; want %s (%s) × %d", o.Plan, o.Price, o.Subscription, env.stripeQuantity(), plan, interval, quantity)
	}
}

// stripeClock makes the service use the clock of the local Stripe.
func (env *testEnv) stripeClock() {
	env.t.Helper()
	env.useClock(env.stripe.Now)
}

// advanceStripe advances the clock of the local Stripe.
func (env *testEnv) advanceStripe(d time.Duration) {
	env.t.Helper()
	env.stripe.AdvanceClock(env.stripe.Now().Add(d))
}

// processPlanChanges runs the background work on plan changes.
func (env *testEnv) processPlanChanges() {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(), `update plan_changes set next_attempt_at = $1 where next_attempt_at > $1`, env.stripe.Now().Add(-time.Second))
	env.must(err)
	_, err = env.store.DB().ExecContext(env.t.Context(), `update billing_seat_state set lease_until = null`)
	env.must(err)
	env.must(env.service.ProcessPlanChanges(env.t.Context()))
}

func (env *testEnv) planChange(id string) billing.PlanChange {
	env.t.Helper()
	change, err := env.store.PlanChanges().Get(env.t.Context(), env.access.Organization.ID, id)
	env.must(err)
	return change
}

// An upgrade is charged at once, exactly what was confirmed.
func TestUpgradeChargesWhatWasConfirmed(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(2)
	env.subscribe("starter")
	env.advanceStripe(10 * 24 * time.Hour)
	env.addMembers(1) // not synced yet: the change counts it
	preview, change := env.changePlan("pro", catalog.Monthly)
	if preview.Change.Kind != billing.PlanUpgrade || preview.Quantity() != 4 || preview.DueNow.Minor <= 0 || change.Status != billing.PlanChangeApplied {
		t.Fatalf("preview %+v, change %+v", preview, change)
	}
	wantPlan(t, env, "pro", catalog.Monthly, 4)
	invoice := env.stripeInvoices()[0]
	if invoice.AmountPaid != preview.DueNow.Minor || invoice.Status != "paid" || invoice.BillingReason != "subscription_update" {
		t.Errorf("invoice %+v, confirmed %+v", invoice, preview.DueNow)
	}
	if stored := env.planChange(change.ID); stored.Charged == nil || *stored.Charged != preview.DueNow.Minor || stored.InvoiceID != invoice.ID {
		t.Errorf("stored change %+v", stored)
	}
	if preview.Next.Amount.Minor != 4*2900 || preview.Next.At.Unix() != env.overview().Subscription.CurrentPeriodEnd.Unix() {
		t.Errorf("next invoice %+v, want 4 × $29.00 at the period's end", preview.Next)
	}
	wantSeats(t, env, 4, 4, billing.SyncOK)
	env.must(env.syncSeats())
	if n := env.queryInt(`select count(*) from seat_attempts where key not like 'bought:%'`); n != 1 {
		t.Errorf("%d quantity updates, want the plan change alone", n)
	}
	// A second submission of the same form is the same change.
	again, err := env.service.PlanChanges.Apply(t.Context(), env.access, "pro", catalog.Monthly, preview.Confirm())
	if err != nil || again.ID != change.ID || len(env.stripeInvoices()) != 2 {
		t.Errorf("repeated: %+v, %v, %d invoices", again, err, len(env.stripeInvoices()))
	}
}

// From a month to a year: charged at once, and a year begins.
func TestMonthToYearChargesAtOnce(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(2)
	env.subscribe("starter")
	env.advanceStripe(15 * 24 * time.Hour)
	preview, change := env.changePlan("pro", catalog.Yearly)
	if preview.Change.Kind != billing.PlanUpgrade || change.Status != billing.PlanChangeApplied {
		t.Fatalf("change %+v", change)
	}
	wantPlan(t, env, "pro", catalog.Yearly, 3)
	invoice := env.stripeInvoices()[0]
	if invoice.AmountPaid != preview.DueNow.Minor || invoice.AmountPaid < 2*29000 {
		t.Errorf("invoice %+v, confirmed %+v", invoice, preview.DueNow)
	}
	current := env.overview().Subscription
	if days := current.CurrentPeriodEnd.Sub(current.CurrentPeriodStart).Hours() / 24; days < 364 {
		t.Errorf("the period has %.0f days, want a year", days)
	}
	if preview.Next.Amount.Minor != 3*29000 || preview.Next.At.Unix() != current.CurrentPeriodEnd.Unix() {
		t.Errorf("next invoice %+v, want 3 × $290.00 on %v", preview.Next, current.CurrentPeriodEnd)
	}
}

// A downgrade begins with the next period, without prorations; the schedule then lets go of the
// subscription.
func TestDowngradeIsAppliedAtPeriodEnd(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.registerWebhook()
	env.addMembers(2)
	env.subscribe("pro")
	env.advanceStripe(10 * 24 * time.Hour)
	preview, change := env.changePlan("starter", catalog.Monthly)
	end := env.overview().Subscription.CurrentPeriodEnd
	if preview.Change.Kind != billing.PlanDowngrade || !preview.DueNow.IsZero() || preview.Next.Amount.Minor != 3*900 || preview.Next.At.Unix() != end.Unix() {
		t.Fatalf("preview %+v", preview)
	}
	if change.Status != billing.PlanChangeScheduled || len(env.stripeInvoices()) != 1 {
		t.Fatalf("change %+v, %d invoices", change, len(env.stripeInvoices()))
	}
	wantPlan(t, env, "pro", catalog.Monthly, 3)
	current := env.overview().Subscription
	if current.ScheduleID == "" || current.ScheduledPriceID != env.planPriceID("starter", catalog.Monthly) || current.ScheduledQuantity != 3 || !current.ScheduledAt.Equal(end) {
		t.Fatalf("subscription %+v", current)
	}
	_, err := env.service.PlanChanges.Preview(t.Context(), env.access, "pro", catalog.Yearly)
	wantConflict(t, err, "set for")

	env.advanceStripe(end.Sub(env.stripe.Now()) + 2*time.Hour)
	env.processEvents()
	env.processPlanChanges()
	wantPlan(t, env, "starter", catalog.Monthly, 3)
	if current := env.overview().Subscription; current.ScheduleID != "" || current.ScheduledPriceID != "" {
		t.Errorf("subscription %+v, want no schedule", current)
	}
	if stored := env.planChange(change.ID); stored.Status != billing.PlanChangeApplied {
		t.Errorf("stored change %+v", stored)
	}
	if invoice := env.stripeInvoices()[0]; invoice.Total != 3*900 {
		t.Errorf("renewal invoice %+v, want 3 × $9.00", invoice)
	}
}

// The next phase has a quantity of its own: it follows the members until the period ends.
func TestSeatsOfScheduledDowngradeFollowMembers(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.registerWebhook()
	env.subscribe("pro")
	_, change := env.changePlan("starter", catalog.Monthly)
	env.addMembers(2)
	env.makeSeatsDueNow()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
	env.processPlanChanges()
	current := env.overview().Subscription
	if current.ScheduledQuantity != 3 || current.Quantity != 3 || env.planChange(change.ID).Quantity != 3 {
		t.Fatalf("subscription %+v", current)
	}
	env.advanceStripe(current.CurrentPeriodEnd.Sub(env.stripe.Now()) + 2*time.Hour)
	env.processEvents()
	env.processPlanChanges()
	wantPlan(t, env, "starter", catalog.Monthly, 3)
	if invoice := env.stripeInvoices()[0]; invoice.Total < 3*900 || env.planChange(change.ID).Status != billing.PlanChangeApplied {
		t.Errorf("renewal invoice %+v", invoice)
	}
}

// A scheduled downgrade can be withdrawn, and gives way to a cancellation and a deletion.
func TestScheduledDowngradeIsWithdrawn(t *testing.T) {
	for name, act := range map[string]func(*testing.T, *testEnv) error{
		"keep": func(t *testing.T, env *testEnv) error { return env.service.PlanChanges.Keep(t.Context(), env.access) },
		"cancel": func(t *testing.T, env *testEnv) error {
			return env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{})
		},
		"delete": func(t *testing.T, env *testEnv) error {
			return env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.subscribe("pro")
			_, change := env.changePlan("starter", catalog.Monthly)
			env.must(act(t, env))
			env.processPlanChanges()
			current := env.overview().Subscription
			if _, ends := current.EndsAt(); current.ScheduleID != "" || current.ScheduledPriceID != "" || ends != (name != "keep") {
				t.Errorf("subscription %+v", current)
			}
			if stored := env.planChange(change.ID); stored.Status != billing.PlanChangeWithdrawn {
				t.Errorf("stored change %+v", stored)
			}
			if name == "keep" {
				wantPlan(t, env, "pro", catalog.Monthly, 1)
				wantConflict(t, env.service.PlanChanges.Keep(t.Context(), env.access), "No change")
			}
		})
	}
}

// A failed payment leaves the plan as it was. The page of the open invoice completes it.
func TestFailedUpgradeLeavesPlan(t *testing.T) {
	for card, confirms := range map[string]bool{"4000000000000341": false, "4000002500003155": true} {
		t.Run(card, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.registerWebhook()
			current := env.subscribe("starter")
			env.replaceCard(current, card)
			env.advanceStripe(10 * 24 * time.Hour)
			preview, change := env.changePlan("pro", catalog.Monthly)
			if change.Status != billing.PlanChangePending {
				t.Fatalf("change %+v", change)
			}
			env.processEvents()
			wantPlan(t, env, "starter", catalog.Monthly, 1)
			o := env.overview()
			if o.Subscription.Status != billing.StatusActive || o.Subscription.PendingPriceID != env.planPriceID("pro", catalog.Monthly) || o.Subscription.PendingUntil == nil {
				t.Fatalf("subscription %+v", o.Subscription)
			}
			invoice := env.stripeInvoices()[0]
			if invoice.Status != "open" || invoice.AmountDue != preview.DueNow.Minor || invoice.ID != o.Subscription.LatestInvoiceID || change.InvoiceID != invoice.ID {
				t.Fatalf("invoice %+v, confirmed %+v, change %+v", invoice, preview.DueNow, change)
			}
			if confirms {
				env.replaceCard(current, "4242424242424242")
				env.stripeRequest(http.MethodPost, "/v1/invoices/"+invoice.ID+"/pay", nil)
				env.processEvents()
				env.processPlanChanges()
				wantPlan(t, env, "pro", catalog.Monthly, 1)
				if stored := env.planChange(change.ID); stored.Status != billing.PlanChangeApplied {
					t.Errorf("stored change %+v", stored)
				}
				return
			}
			env.advanceStripe(24 * time.Hour)
			env.processEvents()
			env.processPlanChanges()
			wantPlan(t, env, "starter", catalog.Monthly, 1)
			if stored := env.planChange(change.ID); stored.Status != billing.PlanChangeWithdrawn || env.overview().Subscription.PendingPriceID != "" || env.stripeInvoices()[0].Status != "void" {
				t.Errorf("stored change %+v, invoice %+v", stored, env.stripeInvoices()[0])
			}
		})
	}
}

// replaceCard makes a new card the subscription's.
func (env *testEnv) replaceCard(current billing.Subscription, number string) {
	env.t.Helper()
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{
		"type": {"card"}, "card[number]": {number}, "card[exp_month]": {"12"}, "card[exp_year]": {"2034"}, "card[cvc]": {"123"},
	}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {method.ID}})
	env.must(env.service.Subscriptions.Refresh(env.t.Context(), env.access))
}

// makeSeatsDueNow is makeSeatsDue by the clock of the local Stripe.
func (env *testEnv) makeSeatsDueNow() {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(), `update billing_seat_state set due_at = $1, lease_until = null where due_at is not null`, env.stripe.Now().Add(-time.Second))
	env.must(err)
}

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
	env.stripeClock()
	env.subscribe("pro")
	preview := env.previewPlan("starter", catalog.Monthly)
	options := env.options(env.store)
	options.Now = env.stripe.Now
	options.Gateway = halfScheduleGateway{env.gateway(), env}
	broken := env.startService(options)
	_, err := broken.PlanChanges.Apply(t.Context(), env.access, "starter", catalog.Monthly, preview.Confirm())
	if apperr.CodeOf(err) != apperr.CodeStripe {
		t.Fatal(err)
	}
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	if current := env.overview().Subscription; current.ScheduleID == "" || current.ScheduledPriceID != "" {
		t.Fatalf("subscription %+v, want half a schedule", current)
	}
	env.processPlanChanges()
	if current := env.overview().Subscription; current.ScheduledPriceID != env.planPriceID("starter", catalog.Monthly) || env.planChange(preview.Confirm()).Status != billing.PlanChangeScheduled {
		t.Fatalf("subscription %+v, change %+v", current, env.planChange(preview.Confirm()))
	}
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

// In a trial the plan changes at once, the trial continues, and nothing is charged.
func TestPlanChangeInTrialKeepsTrial(t *testing.T) {
	for _, interval := range []catalog.Interval{catalog.Monthly, catalog.Yearly} {
		t.Run(string(interval), func(t *testing.T) {
			env := newTestEnv(t)
			env.sellPro(func(p *catalog.Plan) { p.TrialDays = 14 })
			env.subscribe("pro")
			trialEnd := *env.overview().Subscription.TrialEnd
			env.advanceStripe(24 * time.Hour)
			preview, change := env.changePlan("starter", interval)
			current := env.overview().Subscription
			if preview.Change.Kind != billing.PlanTrialChange || !preview.DueNow.IsZero() || change.Status != billing.PlanChangeApplied {
				t.Fatalf("preview %+v, change %+v", preview, change)
			}
			wantPlan(t, env, "starter", interval, 1)
			amount := map[catalog.Interval]int64{catalog.Monthly: 900, catalog.Yearly: 9000}[interval]
			if current.Status != billing.StatusTrialing || !current.TrialEnd.Equal(trialEnd) || preview.Next.Amount.Minor != amount || preview.Next.At.Unix() != trialEnd.Unix() {
				t.Errorf("subscription %+v, next invoice %+v, trial end %v", current, preview.Next, trialEnd)
			}
			if invoices := env.stripeInvoices(); len(invoices) != 1 || invoices[0].Total != 0 {
				t.Errorf("invoices %+v", invoices)
			}
		})
	}
}

// A flat plan has quantity 1, and back again every billed member has a seat.
func TestQuantityBetweenFlatAndPerSeatPlans(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.PerSeat = false })
	env.addMembers(4)
	env.subscribe("starter")
	wantPlan(t, env, "starter", catalog.Monthly, 5)
	preview, _ := env.changePlan("pro", catalog.Yearly)
	wantPlan(t, env, "pro", catalog.Yearly, 1)
	if preview.Next.Amount.Minor != 29000 {
		t.Errorf("next invoice %+v", preview.Next)
	}
	_, change := env.changePlan("starter", catalog.Yearly)
	if change.Status != billing.PlanChangeApplied { // 5 × $90 is more than $290
		t.Fatalf("change %+v", change)
	}
	wantPlan(t, env, "starter", catalog.Yearly, 5)
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
		"too many people": {func(env *testEnv, _ billing.Subscription) { env.addMembers(3) }, "pro", "takes at most 3 billed people"},
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

// The events of a change arrive in any order, twice, and before or after the answer.
func TestPlanChangeEventsInAnyOrder(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		t.Run(fmt.Sprintf("reversed %v", reverse), func(t *testing.T) {
			env := newTestEnv(t)
			env.subscribe("pro")
			env.changePlan("starter", catalog.Monthly)
			env.must(env.service.PlanChanges.Keep(t.Context(), env.access))
			env.changePlan("starter", catalog.Monthly)
			env.must(env.service.PlanChanges.Keep(t.Context(), env.access))
			env.changePlan("pro", catalog.Yearly)
			events := append(env.eventsOfType("customer.subscription.updated"), env.eventsOfType("subscription_schedule.*")...)
			for i := range events {
				if reverse {
					i = len(events) - 1 - i
				}
				deliver(t, env, events[i])
				deliver(t, env, events[i])
			}
			env.processEvents()
			env.processPlanChanges()
			wantPlan(t, env, "pro", catalog.Yearly, 1)
			if current := env.overview().Subscription; current.ScheduleID != "" || current.ScheduledPriceID != "" {
				t.Errorf("subscription %+v", current)
			}
		})
	}
}

// Amounts are exact in currencies with two, no and three decimals.
func TestConfirmedAmountIsChargedInEveryCurrency(t *testing.T) {
	for currency, amounts := range map[string][4]int64{
		"usd": {900, 9000, 2900, 29000}, "eur": {899, 8999, 2999, 29990}, "jpy": {900, 9000, 2900, 29000},
		"kwd": {2750, 27500, 8910, 89100}, "isk": {125000, 1250000, 399900, 3999000},
	} {
		t.Run(currency, func(t *testing.T) {
			env := newTestEnv(t)
			env.sellIn(currency, amounts)
			env.addMembers(2)
			env.subscribe("starter")
			for i, step := range []struct {
				plan     string
				interval catalog.Interval
			}{{"pro", catalog.Monthly}, {"starter", catalog.Yearly}, {"pro", catalog.Yearly}} {
				env.advanceStripe(time.Duration(3+i)*24*time.Hour + 7*time.Minute + 13*time.Second)
				preview, change := env.changePlan(step.plan, step.interval)
				invoice := env.stripeInvoices()[0]
				t.Logf("%s %s: confirmed %s, charged %d", step.plan, step.interval, preview.DueNow.Format(), invoice.AmountPaid)
				if change.Status != billing.PlanChangeApplied || invoice.AmountPaid != preview.DueNow.Minor || invoice.Currency != currency || preview.DueNow.Minor == 0 {
					t.Errorf("%s %s: confirmed %+v, invoice %+v, change %+v", step.plan, step.interval, preview.DueNow, invoice, change)
				}
			}
		})
	}
}

// sellIn replaces the service with one that sells the built-in plans in another currency.
func (env *testEnv) sellIn(currency string, amounts [4]int64) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = env.stripe.Now
	n := 0
	for i := range options.Catalog.Plans {
		for j := range options.Catalog.Plans[i].Prices {
			price := &options.Catalog.Plans[i].Prices[j]
			price.LookupKey = fmt.Sprintf("%s_%s", price.LookupKey, currency)
			price.Amount = catalog.Money{Minor: amounts[n], Currency: currency}
			env.stripeRequest(http.MethodPost, "/v1/prices", url.Values{
				"currency": {currency}, "unit_amount": {strconv.FormatInt(amounts[n], 10)}, "recurring[interval]": {string(price.Interval)},
				"product_data[name]": {options.Catalog.Plans[i].Name}, "lookup_key": {price.LookupKey},
			})
			n++
		}
	}
	env.service = env.startService(options)
}

// An upgrade of a yearly plan, with members who joined since, is paid when it is made and not at
// the renewal.
func TestYearlyUpgradeIsChargedAtOnce(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "starter", Interval: catalog.Yearly})
	env.must(err)
	env.pay(session)
	_, err = env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	env.advanceStripe(90 * 24 * time.Hour)
	env.addMembers(3)
	preview, change := env.changePlan("pro", catalog.Yearly)
	wantPlan(t, env, "pro", catalog.Yearly, 4)
	// Three quarters of a year: 4 × $290 less 1 × $90.
	if invoice := env.stripeInvoices()[0]; change.Status != billing.PlanChangeApplied || invoice.AmountPaid != preview.DueNow.Minor || invoice.AmountPaid < 78000 || invoice.AmountPaid > 82000 {
		t.Errorf("invoice %+v, confirmed %+v", invoice, preview.DueNow)
	}
	if preview.Next.Amount.Minor != 4*29000 {
		t.Errorf("next invoice %+v", preview.Next)
	}
}
