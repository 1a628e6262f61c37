package billing_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

// Each state of a subscription is read as it is at Stripe, and the import charges nobody.
func TestImportedStatesAreThoseOfStripe(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	month := env.planPriceID("pro", catalog.Monthly)
	failing := env.addCustomer("past-due@x.example", nil)
	env.addSubscription(failing, month, 3, nil)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/pm_card_chargeCustomerFail/attach", url.Values{"customer": {failing}})
	var methods struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/payment_methods?customer="+failing, &methods)
	for _, method := range methods.Data {
		env.stripeRequest(http.MethodPost, "/v1/customers/"+failing, url.Values{"invoice_settings[default_payment_method]": {method.ID}})
		break // the newest
	}
	var cardless struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", url.Values{"email": {"paused@x.example"}}, &cardless)
	env.addSubscription(cardless.ID, month, 2, url.Values{"trial_period_days": {"5"}, "trial_settings[end_behavior][missing_payment_method]": {"pause"}})
	for range 33 {
		env.advanceStripe(24 * time.Hour)
	}
	env.addSubscription(env.addCustomer("trialing@x.example", nil), month, 4, url.Values{"trial_period_days": {"10"}})
	env.addSubscription(env.addCustomer("ending@x.example", nil), month, 5, url.Values{"cancel_at_period_end": {"true"}})
	scheduled := env.addSubscription(env.addCustomer("scheduled@x.example", nil), month, 6, nil)
	env.scheduleYearly(scheduled, month)

	payments := env.stripePayments()
	report := env.importAll(billing.ImportOptions{})
	want := map[string]struct {
		status   billing.SubscriptionStatus
		quantity int
		check    func(billing.Overview) bool
	}{
		"past-due@x.example": {billing.StatusPastDue, 3, func(o billing.Overview) bool {
			return o.Trouble != nil && o.OpenInvoice != nil && o.OpenInvoice.AmountDue == 3*2900 && o.GraceEndsAt != nil
		}},
		"paused@x.example":   {billing.StatusPaused, 2, func(o billing.Overview) bool { return !o.HasAccess && o.TrialUsed }},
		"trialing@x.example": {billing.StatusTrialing, 4, func(o billing.Overview) bool { return o.HasAccess && o.TrialUsed && o.Credits.Balance == 1000 }},
		"ending@x.example":   {billing.StatusActive, 5, func(o billing.Overview) bool { _, ends := o.PlanEndsAt(); return ends }},
		"scheduled@x.example": {billing.StatusActive, 6, func(o billing.Overview) bool {
			return o.Subscription.ScheduledPriceID != "" && o.Subscription.ScheduledAt != nil
		}},
	}
	if len(report.Imported) != len(want) {
		t.Fatalf("imported %+v, left alone %+v", report.Imported, report.LeftAlone)
	}
	for _, imported := range report.Imported {
		env.joinAsOwner(imported.OrganizationID)
		o, w := env.overview(), want[imported.Email]
		if o.Plan == nil || o.Plan.ID != "pro" || o.Subscription.Status != w.status || o.Subscription.Quantity != w.quantity || !w.check(o) {
			t.Errorf("%s: %+v of %+v", imported.Email, o, o.Subscription)
		}
		if onHold := w.status == billing.StatusPaused; o.Seats.Unconfirmed == onHold || o.Seats.Desired != w.quantity {
			t.Errorf("%s: seats %+v", imported.Email, o.Seats)
		}
	}
	if after := env.stripePayments(); env.queryInt(`select count(*) from invoice_payments`) != 0 || after != payments || env.quantityUpdates.Load() != 0 {
		t.Errorf("%d payments at Stripe after the import, %d before", after, payments)
	}
}

// A program that writes the members of an imported organization changes neither what Stripe bills
// nor what the ledger says of it.
func TestMembersOfAnImportedOrganizationAreWrittenByAProgram(t *testing.T) {
	env := newTestEnv(t)
	env.importOne(env.planPriceID("pro", catalog.Monthly), 8, nil)
	before := env.queryInt(`select max(id) from seat_changes`)
	program := account.Access{
		Organization: env.access.Organization, Key: &account.APIKey{Name: "production", Scopes: []string{account.ScopeMembersWrite}},
		Member: account.Member{Status: account.MemberActive, Role: account.Role{CanManageMembers: true}},
	}
	result, err := env.service.MemberSets.Put(t.Context(), program, []account.MemberSpec{
		{Email: env.access.User.Email, Name: "Ada", Role: account.RoleAdmin, Billable: true},
		{Email: "di@example.com", Name: "Di", Billable: true}, {Email: "eve@example.com", Name: "Eve", Billable: true},
	})
	env.must(err)
	if want := (billing.SeatCounts{Billable: 3, Desired: 8}); result.After != want || len(result.Added) != 2 {
		t.Errorf("after %+v, want %+v; %d added", result.After, want, len(result.Added))
	}
	if n := env.queryInt(`select count(*) from seat_changes where id > $1 and from_seats = 8 and to_seats = 8`, before); n != 2 {
		t.Errorf("%d lines of the ledger keep the 8 seats, want 2", n)
	}
	env.must(env.syncSeats())
	if env.quantityUpdates.Load() != 0 || env.stripeQuantity() != 8 {
		t.Errorf("%d seats at Stripe after %d updates", env.stripeQuantity(), env.quantityUpdates.Load())
	}
}

// scheduleYearly schedules the change of a subscription to the yearly price, as support would.
func (env *testEnv) scheduleYearly(subscriptionID, monthly string) {
	env.t.Helper()
	var schedule struct {
		ID     string
		Phases []struct {
			StartDate int64 `json:"start_date"`
			EndDate   int64 `json:"end_date"`
		}
	}
	env.stripeRequest(http.MethodPost, "/v1/subscription_schedules", url.Values{"from_subscription": {subscriptionID}}, &schedule)
	env.stripeRequest(http.MethodPost, "/v1/subscription_schedules/"+schedule.ID, url.Values{
		"phases[0][start_date]": {fmt.Sprint(schedule.Phases[0].StartDate)}, "phases[0][end_date]": {fmt.Sprint(schedule.Phases[0].EndDate)},
		"phases[0][items][0][price]": {monthly}, "phases[0][items][0][quantity]": {"6"},
		"phases[1][items][0][price]": {env.planPriceID("pro", catalog.Yearly)}, "phases[1][items][0][quantity]": {"6"},
		"end_behavior": {"release"},
	})
}

// stripePayments counts the charges at Stripe.
func (env *testEnv) stripePayments() int {
	env.t.Helper()
	var charges struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/charges?limit=100", &charges)
	return len(charges.Data)
}
