package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// switchPlan changes the price at Stripe as another client.
func (env *testEnv) switchPlan(current billing.Subscription, plan string, interval catalog.Interval, quantity, proration string) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{
		"items[0][id]": {current.ItemID}, "items[0][price]": {env.planPriceID(plan, interval)}, "items[0][quantity]": {quantity}, "proration_behavior": {proration},
	})
	env.waitFor("the plan", func(o billing.Overview) bool { return o.Plan != nil && o.Plan.ID == plan })
}

// The proration of an upgrade waits for the next invoice: nothing is granted before it is paid, and
// the difference then.
func TestUpgradePaidWithTheNextInvoiceIsGranted(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	env.startBackground()
	current := env.subscribe("starter")
	env.waitForBalance(100)
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 3))
	env.switchPlan(current, "pro", catalog.Monthly, "1", "create_prorations")
	wantBalance(t, env, 100)
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(3 * time.Hour))
	env.waitForBalance(1900)
	if n := env.queryInt(`select count(*) from credit_entries where kind = 'upgrade' and amount = 900`); n != 1 {
		t.Errorf("%d entries of the upgrade, want 1: %s", n, env.checkLedger())
	}
	env.checkLedger()
}

// An upgrade that is invoiced at once grants the difference, and an exchange of seats of one plan
// grants nothing.
func TestUpgradeInvoicedAtOnceIsGranted(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	env.startBackground()
	current := env.subscribe("starter")
	env.waitForBalance(100)
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 3))
	env.switchPlan(current, "pro", catalog.Monthly, "1", "always_invoice")
	env.waitForBalance(1000)
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 5))
	env.switchPlan(current, "pro", catalog.Monthly, "3", "always_invoice")
	env.waitFor("the invoice of the seats", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from invoices where status = 'paid'`) == 3
	})
	wantBalance(t, env, 1000)
	if n := env.queryInt(`select count(*) from credit_facts where kind = 'upgrade'`); n != 1 {
		t.Errorf("%d upgrades, want 1", n)
	}
	env.checkLedger()
}

// A change from a month to a year begins a new period, which is paid at once.
func TestUpgradeFromMonthToYearIsGranted(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	env.startBackground()
	current := env.subscribe("starter")
	env.waitForBalance(100)
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 3))
	env.switchPlan(current, "pro", catalog.Yearly, "1", "always_invoice")
	env.waitForBalance(1000)
	if months := env.queryInt(`select months from credit_facts order by at desc limit 1`); months != 12 {
		t.Errorf("%d months, want 12", months)
	}
	env.checkLedger()
}
