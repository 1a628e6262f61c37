package billing_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// addCustomer makes a customer at Stripe that pays with a card.
func (env *testEnv) addCustomer(email string, fields url.Values) (id string) {
	env.t.Helper()
	form := url.Values{"name": {"Company of " + email}, "payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"}}
	if email != "" {
		form.Set("email", email)
	}
	maps.Copy(form, fields)
	var customer struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", form, &customer)
	return customer.ID
}

// addSubscription makes a subscription at Stripe.
func (env *testEnv) addSubscription(customerID, priceID string, quantity int, fields url.Values) (id string) {
	env.t.Helper()
	form := url.Values{"customer": {customerID}, "items[0][price]": {priceID}, "items[0][quantity]": {fmt.Sprint(quantity)}}
	maps.Copy(form, fields)
	var subscription struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", form, &subscription)
	return subscription.ID
}

// addPrice makes a price at Stripe that no plan has, or a former one of a plan.
func (env *testEnv) addPrice(currency, plan string) (id string) {
	env.t.Helper()
	form := url.Values{"currency": {currency}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "product_data[name]": {"Another application"}}
	if plan != "" {
		form.Set("metadata[usher_plan]", plan)
	}
	var price struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/prices", form, &price)
	return price.ID
}

func (env *testEnv) importAll(o billing.ImportOptions) billing.ImportReport {
	env.t.Helper()
	o.CallsPerSecond = 10_000
	report, err := env.service.Importer.Import(env.t.Context(), o)
	env.must(err)
	if len(report.Failed) > 0 {
		env.t.Fatalf("failed: %+v", report.Failed)
	}
	return report
}

// leftAlone counts the customers that were left alone by reason.
func leftAlone(r billing.ImportReport) map[billing.ImportReason]int {
	counts := map[billing.ImportReason]int{}
	for _, l := range r.LeftAlone {
		counts[l.Reason]++
	}
	return counts
}

// joinAsOwner makes a new person the admin of an imported organization, and acts as them.
func (env *testEnv) joinAsOwner(organizationID string) {
	env.t.Helper()
	user, err := env.service.Users.CreateMember(env.t.Context(), organizationID, account.NewMember{
		Name: "Owner", Email: fmt.Sprintf("owner%d@example.com", memberCounter.Add(1)), Password: testPassword, RoleID: account.RoleAdmin, Billable: true,
	})
	env.must(err)
	env.access, err = env.service.Organizations.Access(env.t.Context(), user.ID, organizationID)
	env.must(err)
}

// importOne makes a customer with a subscription, imports it and acts as its owner.
func (env *testEnv) importOne(priceID string, quantity int, fields url.Values) billing.ImportedSubscription {
	env.t.Helper()
	env.addSubscription(env.addCustomer("owner@company.example", nil), priceID, quantity, fields)
	report := env.importAll(billing.ImportOptions{})
	if len(report.Imported) != 1 {
		env.t.Fatalf("imported %+v", report)
	}
	env.joinAsOwner(report.Imported[0].OrganizationID)
	return report.Imported[0]
}

// Every customer is imported or named with a reason; a second run changes nothing.
func TestImportDecidesAboutEveryCustomer(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	month, year := env.planPriceID("pro", catalog.Monthly), env.planPriceID("pro", catalog.Yearly)
	foreign, euro := env.addPrice("usd", ""), env.addPrice("eur", "pro")
	linked := env.subscribe("pro").CustomerID
	add := func(email string, priceID string, fields ...url.Values) string {
		id := env.addCustomer(email, nil)
		form := url.Values{}
		for _, f := range fields {
			maps.Copy(form, f)
		}
		env.addSubscription(id, priceID, 3, form)
		return id
	}
	monthly, yearly, trial := add("a@x.example", month), add("b@x.example", year), add("c@x.example", month, url.Values{"trial_period_days": {"10"}})
	another := env.addCustomer("d@x.example", url.Values{"metadata[orgId]": {"42"}})
	env.addSubscription(another, month, 2, nil)
	env.addSubscription(another, foreign, 1, nil)
	want := map[billing.ImportReason][]string{
		billing.LeftLinked:   {linked},
		billing.LeftForeign:  {add("e@x.example", foreign)},
		billing.LeftNoEmail:  {add("", month)},
		billing.LeftCurrency: {add("f@x.example", euro)},
	}
	two := add("g@x.example", month)
	env.addSubscription(two, year, 1, nil)
	ended := env.addCustomer("h@x.example", nil)
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+env.addSubscription(ended, month, 1, nil), nil)
	deleted := add("i@x.example", month)
	env.stripeRequest(http.MethodDelete, "/v1/customers/"+deleted, nil)
	unpaid := env.addCustomer("j@x.example", url.Values{"payment_method": {"pm_card_chargeCustomerFail"}, "invoice_settings[default_payment_method]": {"pm_card_chargeCustomerFail"}})
	env.addSubscription(unpaid, month, 1, url.Values{"payment_behavior": {"allow_incomplete"}})
	here := env.addCustomer("k@x.example", url.Values{"metadata[orgId]": {env.access.Organization.ID}})
	env.addSubscription(here, month, 1, nil)
	elsewhere := env.addCustomer("l@x.example", url.Values{"metadata[orgId]": {"org_aaaaaaaaaaaaaaaaaaaa"}})
	env.addSubscription(elsewhere, month, 1, nil)
	want[billing.LeftSeveral], want[billing.LeftEnded], want[billing.LeftDeleted] = []string{two}, []string{ended}, []string{deleted}
	want[billing.LeftIncomplete], want[billing.LeftOtherOrganization] = []string{unpaid}, []string{here, elsewhere}

	check := func(what string, r billing.ImportReport, want map[billing.ImportReason][]string) {
		t.Helper()
		got := map[billing.ImportReason][]string{}
		for _, l := range r.LeftAlone {
			got[l.Reason] = append(got[l.Reason], l.CustomerID)
		}
		for _, ids := range want {
			slices.Sort(ids)
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s leaves alone\n%v\nwant\n%v", what, got, want)
		}
	}
	organizations := env.queryInt(`select count(*) from organizations`)
	dry := env.importAll(billing.ImportOptions{DryRun: true})
	check("the dry run", dry, want)
	if len(dry.Imported) != 4 || env.queryInt(`select count(*) from organizations`) != organizations || dry.Customers != 14 {
		t.Errorf("the dry run: %+v", dry)
	}
	first := env.importAll(billing.ImportOptions{})
	check("the first run", first, want)
	var imported []string
	for _, i := range first.Imported {
		imported = append(imported, i.CustomerID)
		link, err := env.store.Customers().Link(t.Context(), i.OrganizationID, billing.StripeAccount{ID: "acct_local"})
		if customer := env.stripeCustomerMetadata(i.CustomerID); customer != i.OrganizationID && i.CustomerID != another || err == nil && link.StripeCustomerID != i.CustomerID {
			t.Errorf("%s names %q at Stripe, want %s; link %+v", i.CustomerID, customer, i.OrganizationID, link)
		}
	}
	if wantImported := []string{monthly, yearly, trial, another}; !slices.Equal(slices.Sorted(slices.Values(imported)), slices.Sorted(slices.Values(wantImported))) {
		t.Errorf("imported %v, want %v", imported, wantImported)
	}
	if got := env.stripeCustomerMetadata(another); got != "42" {
		t.Errorf("the orgId of another program is %q now", got)
	}
	want[billing.LeftLinked] = append(want[billing.LeftLinked], imported...)
	state := env.importState()
	second := env.importAll(billing.ImportOptions{})
	check("the second run", second, want)
	if after := env.importState(); len(second.Imported) != 0 || second.Relinked != 0 || after != state {
		t.Errorf("the second run imported %v, relinked %d and changed\n%s\nto\n%s", second.Imported, second.Relinked, state, after)
	}
}

func (env *testEnv) stripeCustomerMetadata(id string) string {
	env.t.Helper()
	var customer struct{ Metadata map[string]string }
	env.stripeGet("/v1/customers/"+id, &customer)
	return customer.Metadata["orgId"]
}

// importState counts the rows that an import writes.
func (env *testEnv) importState() string {
	env.t.Helper()
	var state strings.Builder
	for _, table := range []string{
		"organizations", "billing_customers", "invitations", "emails", "subscriptions", "invoices", "credit_facts", "credit_entries", "billing_seat_state",
		"seat_changes", "seat_attempts", "trials", "audit_entries", "invoice_payments",
	} {
		fmt.Fprintf(&state, "%s %d\n", table, env.queryInt("select count(*) from "+table))
	}
	return state.String()
}

// An import that stops after any call, and one whose transaction fails, is completed by the next
// run: every customer has one organization and is named at Stripe.
func TestImportIsCompletedAfterAnyInterruption(t *testing.T) {
	env := newTestEnv(t)
	const customers = 4
	for i := range customers {
		env.addSubscription(env.addCustomer(fmt.Sprintf("c%d@x.example", i), nil), env.planPriceID("pro", catalog.Monthly), i+1, nil)
	}
	interruptions := 0
	for n := int64(1); ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		options := env.options(env.store)
		options.Gateway = &interruptedGateway{Gateway: env.gateway(), remaining: &callCount{left: n % 7}, cancel: cancel}
		if n%3 == 0 {
			options.Store = &failingStore{Store: env.store}
		}
		report, err := env.startService(options).Importer.Import(ctx, billing.ImportOptions{CallsPerSecond: 10_000})
		cancel()
		if err == nil && len(report.Failed) == 0 && len(report.Imported) == 0 && report.Relinked == 0 {
			break
		}
		if interruptions++; interruptions > 60 {
			t.Fatalf("never complete: %+v, %v", report, err)
		}
	}
	report := env.importAll(billing.ImportOptions{})
	if counts := leftAlone(report); counts[billing.LeftLinked] != customers || len(report.Imported) != 0 || report.Relinked != 0 || interruptions < 3 {
		t.Errorf("after %d interruptions: %v, %+v", interruptions, counts, report)
	}
	for _, l := range report.LeftAlone {
		if named := env.stripeCustomerMetadata(l.CustomerID); named != l.OrganizationID {
			t.Errorf("%s names %q, want %s", l.CustomerID, named, l.OrganizationID)
		}
	}
	for query, want := range map[string]int{
		`select count(*) from billing_customers`: customers, `select count(*) from invitations`: customers,
		`select count(*) from organizations`: customers + 1, `select count(*) from subscriptions`: customers, `select count(*) from invoices where status = 'paid'`: customers,
		`select count(*) from emails where kind = 'invitation'`: customers,
	} {
		if got := env.queryInt(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

type callCount struct{ left int64 }

// interruptedGateway ends the import after some calls, before or after the call is made.
type interruptedGateway struct {
	billing.Gateway
	remaining *callCount
	cancel    context.CancelFunc
}

func (g *interruptedGateway) count() (left int64) {
	left = atomic.AddInt64(&g.remaining.left, -1)
	if left == 0 {
		g.cancel()
	}
	return left
}

func (g *interruptedGateway) Subscriptions(ctx context.Context, customerID string) ([]billing.Subscription, error) {
	g.count()
	return g.Gateway.Subscriptions(ctx, customerID)
}

func (g *interruptedGateway) Invoice(ctx context.Context, id string) (billing.Invoice, error) {
	defer g.count()
	return g.Gateway.Invoice(ctx, id)
}

var errInjected = errors.New("injected")

func (g *interruptedGateway) SetCustomerOrganization(ctx context.Context, customerID, organizationID string) error {
	if g.count() == 1 {
		return errInjected
	}
	return g.Gateway.SetCustomerOrganization(ctx, customerID, organizationID)
}

// failingStore fails every second transaction after its last statement.
type failingStore struct {
	billing.Store
	runs atomic.Int64
}

func (s *failingStore) InTx(ctx context.Context, f func(billing.Tx) error) error {
	return s.Store.InTx(ctx, func(tx billing.Tx) error {
		if err := f(tx); err != nil || s.runs.Add(1)%2 == 1 {
			return err
		}
		return errInjected
	})
}

// Until the owner has confirmed the number of people, nothing that happens here or at Stripe sends
// a quantity, and nothing is reported as drift.
func TestImportedQuantityIsKeptUntilConfirmed(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	imported := env.importOne(env.planPriceID("pro", catalog.Monthly), 8, nil)
	env.addMembers(2)
	env.removeMembers(1)
	env.addMembers(1)
	quiet := func(what string, quantity int) billing.Overview {
		t.Helper()
		env.exec(`update billing_seat_state set due_at = $1, lease_until = null where due_at is not null`, env.stripe.Now())
		env.must(env.syncSeats())
		if queued, err := env.service.SeatSyncer.Retry(t.Context(), env.access); err != nil || queued {
			t.Errorf("%s: a retry is queued: %v, %v", what, queued, err)
		}
		report, err := env.service.Reconciler.Reconcile(t.Context(), billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
		env.must(err)
		o := env.overview()
		if len(report.Drifts) != 0 || env.quantityUpdates.Load() != 0 || env.stripeQuantity() != quantity {
			t.Errorf("%s: drifts %+v, %d updates, %d at Stripe", what, report.Drifts, env.quantityUpdates.Load(), env.stripeQuantity())
		}
		if s := o.Seats; !s.Unconfirmed || s.Status != billing.SyncOK || s.Desired != quantity || s.Quantity != quantity || s.LastApplied == nil || *s.LastApplied != quantity || s.Billable != 3 {
			t.Errorf("%s: seats %+v", what, s)
		}
		return o
	}
	quiet("after the people changed", 8)
	if o := env.overview(); o.Credits.Balance != 1000 || o.Plan == nil || o.Plan.ID != "pro" || o.CustomerID != imported.CustomerID {
		t.Errorf("overview %+v", o)
	}
	env.setQuantityAndRefresh(*env.overview().Subscription, 6)
	quiet("after a change at Stripe", 6)
	if _, err := env.service.PlanChanges.Preview(t.Context(), env.access, "pro", catalog.Yearly); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("a change of plan: %v", err)
	}

	member := account.Access{User: account.User{ID: "usr_x"}, Organization: env.access.Organization}
	request := billing.SeatRequest{Kind: billing.SeatConfirmation}
	if _, err := env.service.SeatPreviews.Apply(t.Context(), member, request, ""); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("somebody else confirms: %v", err)
	}
	env.advanceStripe(10 * 24 * time.Hour)
	shown := env.applySeats(request, "")
	if shown.ConfirmedAt != nil || shown.FromQuantity != 6 || shown.ToQuantity != 3 || shown.ProrationSum >= 0 || shown.PeriodChange != -3*2900 {
		t.Fatalf("shown %+v", shown)
	}
	quiet("after the amount was shown", 6)
	made := env.applySeats(request, shown.Confirm())
	if made.ConfirmedAt == nil {
		t.Fatalf("confirmed %+v", made)
	}
	env.advanceStripe(time.Minute)
	env.flushSeats()
	if env.stripeQuantity() != 3 || env.quantityUpdates.Load() != 1 {
		t.Errorf("%d seats at Stripe after %d updates", env.stripeQuantity(), env.quantityUpdates.Load())
	}
	if stored := env.storedPreview(shown.ID); stored.Charged == nil || *stored.Charged != shown.ProrationSum {
		t.Errorf("charged %v, want %d", stored.Charged, shown.ProrationSum)
	}
	if s := env.overview().Seats; s.Unconfirmed || s.Status != billing.SyncOK || s.Desired != 3 {
		t.Errorf("seats after the confirmation %+v", s)
	}
	if _, err := env.service.SeatPreviews.Apply(t.Context(), env.access, request, ""); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("a second confirmation: %v", err)
	}
	env.addMembers(1)
	env.flushSeats()
	if env.stripeQuantity() != 4 {
		t.Errorf("%d seats at Stripe after a person joined", env.stripeQuantity())
	}
}

// The same number needs no amount; another subscription is synced from the start.
func TestImportedQuantityIsConfirmedWithoutCost(t *testing.T) {
	env := newTestEnv(t)
	env.importOne(env.planPriceID("pro", catalog.Monthly), 1, nil)
	made := env.applySeats(billing.SeatRequest{Kind: billing.SeatConfirmation}, "")
	if made.ConfirmedAt == nil || env.overview().Seats.Unconfirmed || env.quantityUpdates.Load() != 0 {
		t.Errorf("%+v, seats %+v", made, env.overview().Seats)
	}
}

func TestEndedImportIsConfirmedByANewPlan(t *testing.T) {
	env := newTestEnv(t)
	env.importOne(env.planPriceID("pro", catalog.Monthly), 8, nil)
	env.cancelAtStripe(*env.overview().Subscription)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	if s := env.overview().Seats; s.Unconfirmed || s.Desired != 1 {
		t.Errorf("seats after the end %+v", s)
	}
	env.subscribe("pro")
	env.addMembers(1)
	env.flushSeats()
	if s := env.overview().Seats; s.Unconfirmed || env.stripeQuantity() != 2 {
		t.Errorf("%+v, %d at Stripe", s, env.stripeQuantity())
	}
}

// The period that runs grants the current month's credits, and none before: not when it is
// imported, and not when older invoices are found later.
func TestImportGrantsOnlyTheCurrentMonth(t *testing.T) {
	for name, interval := range map[string]catalog.Interval{"monthly": catalog.Monthly, "yearly": catalog.Yearly} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			id := env.addSubscription(env.addCustomer("owner@company.example", nil), env.planPriceID("pro", interval), 2, nil)
			for range 100 { // about three months
				env.advanceStripe(24 * time.Hour)
			}
			report := env.importAll(billing.ImportOptions{})
			env.joinAsOwner(report.Imported[0].OrganizationID)
			grants := func() int {
				return env.queryInt(`select count(*) from credit_entries where organization_id = $1`, env.access.Organization.ID)
			}
			if balance := env.overview().Credits.Balance; balance != 1000 || grants() != 1 {
				t.Errorf("balance %d by %d entries", balance, grants())
			}
			for range 2 {
				_, err := env.service.Reconciler.Reconcile(t.Context(), billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
				env.must(err)
			}
			report2, err := env.service.Reconciler.Reconcile(t.Context(), billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
			env.must(err)
			if balance := env.overview().Credits.Balance; len(report2.Drifts) != 0 || balance != 1000 || grants() != 1 {
				t.Errorf("after comparisons: %+v, balance %d by %d entries", report2.Drifts, balance, grants())
			}
			if invoices := env.queryInt(`select count(*) from invoices where subscription_id = $1`, id); interval == catalog.Monthly && invoices != 4 {
				t.Errorf("%d invoices", invoices)
			}
		})
	}
}
