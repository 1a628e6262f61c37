package billing_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"usher/billing"
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
	// The new period begins when the change is made, a moment after the preview.
	if after := current.CurrentPeriodEnd.Sub(preview.Next.At); preview.Next.Amount.Minor != 3*29000 || after < -time.Second || after > time.Minute {
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

// A phase that begins with an older number of seats is no change that somebody made at Stripe: the
// number is corrected without a line about one, and is not accepted as the minimum.
func TestPhaseBeginsWithAnOlderNumberOfSeats(t *testing.T) {
	for name, perSeat := range map[string]bool{"after a plan per seat": true, "after a flat plan": false} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.changePlans(func(plans map[string]*catalog.Plan) {
				plans["pro"].PerSeat, plans["starter"].AcceptQuantity = perSeat, true
			})
			env.registerWebhook()
			env.addMembers(2)
			env.subscribe("pro")
			env.changePlan("starter", catalog.Monthly)
			env.removeMembers(1)
			env.makeSeatsDueNow()
			env.must(env.syncSeats())
			current := env.overview().Subscription
			if current.ScheduledQuantity != 3 {
				t.Fatalf("subscription %+v", current)
			}
			env.advanceStripe(current.CurrentPeriodEnd.Sub(env.stripe.Now()) + 2*time.Hour)
			env.processEvents()
			env.makeSeatsDueNow()
			env.must(env.syncSeats())
			wantPlan(t, env, "starter", catalog.Monthly, 2)
			wantSeats(t, env, 2, 2, billing.SyncOK)
			if n := env.queryInt(`select count(*) from seat_changes where reason = '` + billing.ReasonResent + `'`); n != 0 {
				t.Errorf("%d lines about a change at Stripe", n)
			}
			if n := env.queryInt(`select minimum_seats + drift_count from billing_seat_state`); n != 0 {
				t.Errorf("minimum and drifts: %d", n)
			}
		})
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
	env.useService(env.startService(options))
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
