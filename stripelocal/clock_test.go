package stripelocal_test

import (
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

const day = 24 * 3600

// noon is a moment in a month of 30 days, so that a day is a thirtieth.
var noon = time.Date(2026, time.April, 1, 12, 0, 0, 0, time.UTC).Unix()

// clocked is a customer on a test clock of its own.
type clocked struct {
	*local
	clock    string
	customer string
}

// onClock makes a test clock and a customer on it who pays with a card.
func (l *local) onClock(card string) *clocked {
	l.t.Helper()
	tc := must[*stripe.TestHelpersTestClock](l.t)(l.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(noon), Name: stripe.String("April")}))
	c := must[*stripe.Customer](l.t)(l.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada@example.com"), TestClock: stripe.String(tc.ID)}))
	k := &clocked{local: l, clock: tc.ID, customer: c.ID}
	if card != "" {
		k.useCard(card)
	}
	return k
}

// useCard attaches a test card and makes it the default.
func (k *clocked) useCard(card string) {
	k.t.Helper()
	pm := must[*stripe.PaymentMethod](k.t)(k.api.PaymentMethods.Attach(card, &stripe.PaymentMethodAttachParams{Customer: stripe.String(k.customer)}))
	must[*stripe.Customer](k.t)(k.api.Customers.Update(k.customer, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)},
	}))
}

// subscribe begins a subscription to a price.
func (k *clocked) subscribe(price string, quantity int64, more ...func(*stripe.SubscriptionParams)) *stripe.Subscription {
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

// advance moves the clock to a moment and waits until it is there.
func (k *clocked) advance(to int64) {
	k.t.Helper()
	must[*stripe.TestHelpersTestClock](k.t)(k.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(to)}))
	limit := time.After(20 * time.Second)
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

// quantity changes the only item's quantity.
func (l *local) quantity(sub *stripe.Subscription, n int64, more ...func(*stripe.SubscriptionParams)) (*stripe.Subscription, error) {
	return l.change(sub, append([]func(*stripe.SubscriptionParams){func(p *stripe.SubscriptionParams) { p.Items[0].Quantity = stripe.Int64(n) }}, more...)...)
}

// change updates a subscription; Items[0] is its first item.
func (l *local) change(sub *stripe.Subscription, more ...func(*stripe.SubscriptionParams)) (*stripe.Subscription, error) {
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

func (l *local) invoice(id string) *stripe.Invoice {
	l.t.Helper()
	p := &stripe.InvoiceParams{}
	p.AddExpand("payment_intent")
	return must[*stripe.Invoice](l.t)(l.api.Invoices.Get(id, p))
}

func TestTestClockAdvancesASubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.onClock("pm_card_visa")
	sub := k.subscribe(l.price("pro", 1000, "month").ID, 2)
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

// wantOrder looks for types in this order, with others between.
func wantOrder(t *testing.T, l *local, kinds ...string) {
	t.Helper()
	all := l.allTypes()
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

// allTypes are the types of all events, oldest first.
func (l *local) allTypes() []string {
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

func TestTestClockKeepsItsBounds(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.onClock("pm_card_visa")
	advance := func(to int64) error {
		_, err := l.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(to)})
		return err
	}
	wantError(t, advance(noon), 400, "", stripe.ErrorTypeInvalidRequest)
	wantError(t, advance(noon+3*366*day), 400, "", stripe.ErrorTypeInvalidRequest)
	k.subscribe(l.price("pro", 1000, "month").ID, 1)
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

func TestListsLeaveTestClocksOut(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.onClock("pm_card_visa")
	k.subscribe(l.price("pro", 1000, "month").ID, 1)
	if l.api.Customers.List(&stripe.CustomerListParams{}).Next() || l.api.Subscriptions.List(&stripe.SubscriptionListParams{}).Next() || l.api.Invoices.List(&stripe.InvoiceListParams{}).Next() {
		t.Error("a list that asks for neither customer nor clock shows objects of a test clock")
	}
	if !l.api.Customers.List(&stripe.CustomerListParams{TestClock: stripe.String(k.clock)}).Next() ||
		!l.api.Subscriptions.List(&stripe.SubscriptionListParams{TestClock: stripe.String(k.clock)}).Next() ||
		!l.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(k.customer)}).Next() ||
		!l.api.Invoices.List(&stripe.InvoiceListParams{Customer: stripe.String(k.customer)}).Next() {
		t.Error("a list that asks for them does not show them")
	}
}

func TestDeletingATestClockDeletesItsCustomers(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.onClock("pm_card_visa")
	sub := k.subscribe(l.price("pro", 1000, "month").ID, 1)
	if gone := must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.Del(k.clock, nil)); !gone.Deleted {
		t.Error("it does not say deleted")
	}
	if !must[*stripe.Customer](t)(l.api.Customers.Get(k.customer, nil)).Deleted || l.subscription(sub.ID).Status != "canceled" {
		t.Error("its customer or subscription lives on")
	}
	_, err := l.api.TestHelpersTestClocks.Get(k.clock, nil)
	wantError(t, err, 404, stripe.ErrorCodeResourceMissing, stripe.ErrorTypeInvalidRequest)
}

// A server that stops while a clock advances takes it to its target when it
// starts again.
func TestAnAdvancingClockSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state.json"
	l := start(t, stripelocal.Options{StatePath: path})
	k := l.onClock("pm_card_visa")
	sub := k.subscribe(l.price("pro", 1000, "month").ID, 1)
	must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.Advance(k.clock, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(noon + 40*day)}))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := &clocked{local: start(t, stripelocal.Options{StatePath: path}), clock: k.clock, customer: k.customer}
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
