package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// The payment for additional seats fails. Stripe has the new quantity and an open invoice, from
// which the grace period is counted.
func TestFailedSeatPaymentStartsGracePeriod(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnIncrease, p.GraceDays = catalog.ProrationAlwaysInvoice, 7 })
	env.registerWebhook()
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 10))
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_chargeCustomerFail"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {method.ID}})
	env.addMembers(2)
	env.makeSeatsDue()
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Minute))
	env.startWorker(env.service) // started late, so that both members are in one update
	env.waitFor("the payment to fail", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusPastDue && o.OpenInvoice != nil && o.Seats.Quantity == 3
	})
	o := env.overview()
	if o.OpenInvoice.Reason != "subscription_update" || !o.HasAccess || o.GraceEndsAt == nil || !o.GraceEndsAt.Equal(o.OpenInvoice.FinalizedAt.AddDate(0, 0, 7)) {
		t.Errorf("open invoice %+v, access %v until %v", o.OpenInvoice, o.HasAccess, o.GraceEndsAt)
	}
	// The plan's seven grace days start with that invoice, ten days into the period.
	if !o.GraceEndsAt.After(current.CurrentPeriodStart.AddDate(0, 0, 16)) {
		t.Errorf("grace ends at %v, the period started at %v", o.GraceEndsAt, current.CurrentPeriodStart)
	}
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_visa"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.stripeRequest(http.MethodPost, "/v1/invoices/"+o.OpenInvoice.ID+"/pay", url.Values{"payment_method": {method.ID}})
	env.waitFor("the payment to be applied", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusActive && o.OpenInvoice == nil
	})
}

// When the card is replaced, Stripe sends events of the payment method and the customer, but none
// of the subscription.
func TestPaymentMethodEventsAreApplied(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribe("pro")
	if current.CardLast4 != "4242" {
		t.Fatalf("card %s, want 4242", current.CardLast4)
	}
	applied := func(kind string) int {
		return env.queryInt(`select count(*) from stripe_events where type = $1 and outcome = 'applied' and organization_id is not null`, kind)
	}
	env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"name": {"Lantern Theatre"}})
	env.waitFor("the customer's event to be applied", func(billing.Overview) bool { return applied("customer.updated") > 0 })
	attached := applied("payment_method.attached")
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_mastercard"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.waitFor("the payment method's event to be applied", func(billing.Overview) bool { return applied("payment_method.attached") > attached })
}
