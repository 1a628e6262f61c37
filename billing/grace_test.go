package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// The payment of more seats fails: Stripe has taken the number, the money is open, and the days of grace are counted from that invoice.
func TestFailedSeatPaymentStartsGracePeriod(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnIncrease, p.GraceDays = catalog.ProrateAtOnce, 7 })
	env.startBackground()
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 10))
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_chargeCustomerFail"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {method.ID}})
	env.addMembers(2)
	env.makeSeatsDue()
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Minute))
	env.waitFor("the payment to fail", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusPastDue && o.OpenInvoice != nil && o.Seats.Quantity == 3
	})
	o := env.overview()
	if o.OpenInvoice.Reason != "subscription_update" || !o.HasAccess || o.GraceEndsAt == nil || !o.GraceEndsAt.Equal(o.OpenInvoice.FinalizedAt.AddDate(0, 0, 7)) {
		t.Errorf("open %+v, access %v until %v", o.OpenInvoice, o.HasAccess, o.GraceEndsAt)
	}
	// The plan's seven days began with that invoice, ten days into the period.
	if !o.GraceEndsAt.After(current.CurrentPeriodStart.AddDate(0, 0, 16)) {
		t.Errorf("the grace ends on %v, the period began on %v", o.GraceEndsAt, current.CurrentPeriodStart)
	}
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_visa"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.stripeRequest(http.MethodPost, "/v1/invoices/"+o.OpenInvoice.ID+"/pay", url.Values{"payment_method": {method.ID}})
	env.waitFor("the money", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusActive && o.OpenInvoice == nil
	})
}

// Another card than the one that is shown: Stripe tells of the card and of the customer, never of the subscription.
func TestPaymentMethodEventsAreApplied(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	current := env.subscribe("pro")
	if current.CardLast4 != "4242" {
		t.Fatalf("the card is %s", current.CardLast4)
	}
	settled := func(kind string) int {
		return env.queryInt(`select count(*) from stripe_events where type = $1 and outcome = 'applied' and organization_id is not null`, kind)
	}
	env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"name": {"Lantern Theatre"}})
	env.waitFor("the customer's event to be settled", func(billing.Overview) bool { return settled("customer.updated") > 0 })
	attached := settled("payment_method.attached")
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_mastercard"}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {current.CustomerID}})
	env.waitFor("the card's event to be settled", func(billing.Overview) bool { return settled("payment_method.attached") > attached })
}
