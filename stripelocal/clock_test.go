package stripelocal_test

import (
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

const day = 24 * 3600

// noon is in a month of 30 days, so that a day is a thirtieth of a period.
var noon = time.Date(2026, time.April, 1, 12, 0, 0, 0, time.UTC).Unix()

// clockCustomer is a customer on its own test clock.
type clockCustomer struct {
	*testServer
	clock    string
	customer string
}

// createOnTestClock creates a test clock and a customer on it with a default card.
func (l *testServer) createOnTestClock(card string) *clockCustomer {
	l.t.Helper()
	tc := must[*stripe.TestHelpersTestClock](l.t)(l.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(noon), Name: stripe.String("April")}))
	c := must[*stripe.Customer](l.t)(l.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada@example.com"), TestClock: stripe.String(tc.ID)}))
	k := &clockCustomer{testServer: l, clock: tc.ID, customer: c.ID}
	if card != "" {
		k.setDefaultCard(card)
	}
	return k
}

// setDefaultCard attaches a test card and makes it the default.
func (k *clockCustomer) setDefaultCard(card string) {
	k.t.Helper()
	pm := must[*stripe.PaymentMethod](k.t)(k.api.PaymentMethods.Attach(card, &stripe.PaymentMethodAttachParams{Customer: stripe.String(k.customer)}))
	must[*stripe.Customer](k.t)(k.api.Customers.Update(k.customer, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)},
	}))
}

// subscribe creates a subscription to a price.
func (k *clockCustomer) subscribe(price string, quantity int64, more ...func(*stripe.SubscriptionParams)) *stripe.Subscription {
	k.t.Helper()
	p := &stripe.SubscriptionParams{
		Customer: stripe.String(k.customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price), Quantity: stripe.Int64(quantity)}},
	}
	p.AddExpand("latest_invoice.payment_intent")
	for _, change := range more {
		change(p)
	}
	return must[*stripe.Subscription](k.t)(k.api.Subscriptions.New(p))
}

// advance advances the clock and waits until it is ready.
func (k *clockCustomer) advance(to int64) {
	k.t.Helper()
	must[*stripe.TestHelpersTestClock](k.t)(k.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(to)}))
	limit := time.After(time.Minute)
	often := time.NewTicker(2 * time.Millisecond)
	defer often.Stop()
	for must[*stripe.TestHelpersTestClock](k.t)(k.api.TestHelpersTestClocks.Get(k.clock, nil)).Status != "ready" {
		select {
		case <-often.C:
		case <-limit:
			k.t.Fatal("the test clock does not become ready")
		}
	}
}

// setQuantity changes the quantity of the only item.
func (l *testServer) setQuantity(sub *stripe.Subscription, n int64, more ...func(*stripe.SubscriptionParams)) (*stripe.Subscription, error) {
	return l.updateSubscription(sub, append([]func(*stripe.SubscriptionParams){func(p *stripe.SubscriptionParams) { p.Items[0].Quantity = stripe.Int64(n) }}, more...)...)
}

// updateSubscription updates a subscription. Items[0] is its first item.
func (l *testServer) updateSubscription(sub *stripe.Subscription, more ...func(*stripe.SubscriptionParams)) (*stripe.Subscription, error) {
	p := &stripe.SubscriptionParams{Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID)}}}
	p.AddExpand("latest_invoice.payment_intent")
	for _, f := range more {
		f(p)
	}
	return l.api.Subscriptions.Update(sub.ID, p)
}

func behavior(b string) func(*stripe.SubscriptionParams) {
	return func(p *stripe.SubscriptionParams) { p.ProrationBehavior = stripe.String(b) }
}

func payment(b string) func(*stripe.SubscriptionParams) {
	return func(p *stripe.SubscriptionParams) { p.PaymentBehavior = stripe.String(b) }
}

func (l *testServer) invoice(id string) *stripe.Invoice {
	l.t.Helper()
	p := &stripe.InvoiceParams{}
	p.AddExpand("payment_intent")
	return must[*stripe.Invoice](l.t)(l.api.Invoices.Get(id, p))
}

func TestTestClockAdvancesASubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPrice("pro", 1000, "month").ID, 2)
	if sub.Created != noon || sub.CurrentPeriodEnd != noon+30*day || sub.Status != "active" {
		t.Errorf("created %d, period until %d, %s", sub.Created, sub.CurrentPeriodEnd, sub.Status)
	}
	k.advance(sub.CurrentPeriodEnd)
	if got := l.subscription(sub.ID); got.CurrentPeriodStart != sub.CurrentPeriodEnd || got.LatestInvoice.Status != "draft" {
		t.Errorf("at the renewal: period from %d, invoice %s", got.CurrentPeriodStart, got.LatestInvoice.Status)
	}
	k.advance(sub.CurrentPeriodEnd + 3600)
	got := l.subscription(sub.ID)
	if inv := got.LatestInvoice; inv.Status != "paid" || inv.AmountPaid != 2000 || inv.BillingReason != "subscription_cycle" || inv.StatusTransitions.PaidAt != sub.CurrentPeriodEnd+3600 {
		t.Errorf("an hour later: invoice %s over %d, paid at %d", inv.Status, inv.AmountPaid, inv.StatusTransitions.PaidAt)
	}
	wantOrder(t, l, "test_helpers.test_clock.created", "test_helpers.test_clock.advancing", "invoice.upcoming", "customer.subscription.updated",
		"invoice.created", "test_helpers.test_clock.ready", "test_helpers.test_clock.advancing", "invoice.finalized", "invoice.paid", "test_helpers.test_clock.ready")
}

// wantOrder checks that the types occur in this order, possibly with others in between.
func wantOrder(t *testing.T, l *testServer, kinds ...string) {
	t.Helper()
	all := l.allEventTypes()
	rest := all
	for _, kind := range kinds {
		at := 0
		for at < len(rest) && rest[at] != kind {
			at++
		}
		if at == len(rest) {
			t.Fatalf("no %s in its place among %v", kind, all)
		}
		rest = rest[at+1:]
	}
}

// allEventTypes returns the types of all events, oldest first.
func (l *testServer) allEventTypes() []string {
	l.t.Helper()
	p := &stripe.EventListParams{}
	p.Limit = stripe.Int64(100)
	var out []string
	it := l.api.Events.List(p)
	for it.Next() {
		out = append(out, string(it.Event().Type))
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func TestTestClockLimits(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	advance := func(to int64) error {
		_, err := l.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(to)})
		return err
	}
	wantError(t, advance(noon), 400, "", stripe.ErrorTypeInvalidRequest)
	wantError(t, advance(noon+3*366*day), 400, "", stripe.ErrorTypeInvalidRequest)
	k.subscribe(l.createPrice("pro", 1000, "month").ID, 1)
	wantError(t, advance(noon+62*day), 400, "", stripe.ErrorTypeInvalidRequest)
	k.advance(noon + 61*day)
	join := &stripe.CustomerParams{TestClock: stripe.String(k.clock)}
	must[*stripe.Customer](t)(l.api.Customers.New(join))
	must[*stripe.Customer](t)(l.api.Customers.New(join))
	_, err := l.api.Customers.New(join)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String("clock_no")})
	wantError(t, err, 400, stripe.ErrorCodeResourceMissing, stripe.ErrorTypeInvalidRequest)
}

func TestListsExcludeTestClocks(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	k.subscribe(l.createPrice("pro", 1000, "month").ID, 1)
	if l.api.Customers.List(&stripe.CustomerListParams{}).Next() || l.api.Subscriptions.List(&stripe.SubscriptionListParams{}).Next() || l.api.Invoices.List(&stripe.InvoiceListParams{}).Next() {
		t.Error("a list without customer and clock includes objects on a test clock")
	}
	if !l.api.Customers.List(&stripe.CustomerListParams{TestClock: stripe.String(k.clock)}).Next() ||
		!l.api.Subscriptions.List(&stripe.SubscriptionListParams{TestClock: stripe.String(k.clock)}).Next() ||
		!l.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(k.customer)}).Next() ||
		!l.api.Invoices.List(&stripe.InvoiceListParams{Customer: stripe.String(k.customer)}).Next() {
		t.Error("a list by customer or clock excludes their objects")
	}
}

func TestDeletingATestClockDeletesItsCustomers(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPrice("pro", 1000, "month").ID, 1)
	if gone := must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.Del(k.clock, nil)); !gone.Deleted {
		t.Error("it does not say deleted")
	}
	if !must[*stripe.Customer](t)(l.api.Customers.Get(k.customer, nil)).Deleted || l.subscription(sub.ID).Status != "canceled" {
		t.Error("its customer or subscription is not deleted")
	}
	_, err := l.api.TestHelpersTestClocks.Get(k.clock, nil)
	wantError(t, err, 404, stripe.ErrorCodeResourceMissing, stripe.ErrorTypeInvalidRequest)
}

// A server that stops while a clock advances continues after the restart.
func TestAnAdvancingClockSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state.json"
	l := start(t, stripelocal.Options{StatePath: path})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPrice("pro", 1000, "month").ID, 1)
	must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(noon + 40*day)}))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := &clockCustomer{testServer: start(t, stripelocal.Options{StatePath: path}), clock: k.clock, customer: k.customer}
	for again.subscription(sub.ID).CurrentPeriodStart != sub.CurrentPeriodEnd {
		if must[*stripe.TestHelpersTestClock](t)(again.api.TestHelpersTestClocks.Get(k.clock, nil)).Status == "ready" {
			break
		}
	}
	again.advance(noon + 41*day)
	if got := again.subscription(sub.ID); got.CurrentPeriodStart != sub.CurrentPeriodEnd || got.LatestInvoice.Status != "paid" {
		t.Errorf("period from %d, invoice %s", got.CurrentPeriodStart, got.LatestInvoice.Status)
	}
}
