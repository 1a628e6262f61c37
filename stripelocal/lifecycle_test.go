package stripelocal_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// scenario is a sequence of steps. It prints the events that each step delivers and compares them
// with the expected ones, in order.
type scenario struct {
	*testServer
	in   *webhookReceiver
	seen int
}

// step runs a function and waits until its last event is delivered, signed (see webhookReceiver).
func (j *scenario) step(name string, do func(), want ...string) {
	j.t.Helper()
	do()
	got := j.waitFor(want[len(want)-1])
	j.t.Logf("%-34s %s", name, strings.Join(got, " "))
	rest := got
	for _, kind := range want {
		at := 0
		for at < len(rest) && rest[at] != kind {
			at++
		}
		if at == len(rest) {
			j.t.Fatalf("%s: no %s in its place", name, kind)
		}
		rest = rest[at+1:]
	}
}

// waitFor waits for an event type and then for all pending deliveries. It returns the events since
// the last step.
func (j *scenario) waitFor(kind string) []string {
	j.t.Helper()
	limit := time.After(time.Minute)
	often := time.NewTicker(5 * time.Millisecond)
	defer often.Stop()
	for {
		idle := strings.TrimSpace(j.browse("GET", "/_usher/deliveries?status=pending", nil).body) == "[]"
		if got := j.received(); idle && contains(got[j.seen:], kind) {
			from := j.seen
			j.seen = len(got)
			return got[from:]
		}
		select {
		case <-j.in.received:
		case <-often.C:
		case <-limit:
			j.t.Fatalf("%s was not delivered completely: %v", kind, j.received()[j.seen:])
		}
	}
}

func (j *scenario) received() []string {
	j.in.mu.Lock()
	defer j.in.mu.Unlock()
	var out []string
	for _, e := range j.in.got {
		out = append(out, string(e.Type))
	}
	return out
}

func contains(list []string, kind string) bool {
	for _, other := range list {
		if other == kind {
			return true
		}
	}
	return false
}

// changeQuantity changes the quantity in the middle of the period and returns the amount billed
// immediately.
func (j *scenario) changeQuantity(sub string, n int64, how string) int64 {
	j.t.Helper()
	before := j.subscription(sub)
	got := must[*stripe.Subscription](j.t)(j.setQuantity(before, n, behavior(how)))
	if got.Items.Data[0].Quantity != n {
		j.t.Fatalf("%d seats", got.Items.Data[0].Quantity)
	}
	if got.LatestInvoice.ID == before.LatestInvoice.ID {
		return 0
	}
	return got.LatestInvoice.Total
}

// setDefaultCard changes a subscription's default payment method.
func (j *scenario) setDefaultCard(sub *stripe.Subscription, card string) {
	j.t.Helper()
	pm := must[*stripe.PaymentMethod](j.t)(j.api.PaymentMethods.Attach(card, &stripe.PaymentMethodAttachParams{Customer: stripe.String(sub.Customer.ID)}))
	must[*stripe.Subscription](j.t)(j.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{DefaultPaymentMethod: stripe.String(pm.ID)}))
}

// renew advances the clock to an hour after the period's end.
func (j *scenario) renew(sub string) {
	j.t.Helper()
	j.time.Store(j.subscription(sub).CurrentPeriodEnd + 3600)
	j.subscription(sub)
}

// The whole life of a subscription. Every request, response and event is validated.
func TestSubscriptionLifecycle(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.time.Store(noon)
	j := &scenario{testServer: l, in: newWebhookReceiver(t, 0)}
	l.EnsureWebhookEndpoint(j.in.url, testSecret)
	basic, pro := l.createPrice("basic", 1000, "month"), l.createPrice("pro", 2000, "month")
	var c *stripe.Customer
	j.step("create", func() { c = l.createCustomer() }, "customer.created")
	sub := j.checkOut(c.ID, basic.ID)
	l.time.Add(15 * day)
	j.step("upgrade with proration", func() {
		got := must[*stripe.Subscription](t)(l.updateSubscription(sub, behavior("always_invoice"), func(p *stripe.SubscriptionParams) {
			p.Items[0].Price, p.Items[0].Quantity = stripe.String(pro.ID), stripe.Int64(5)
		}))
		// A credit of 5 * 10.00 and a charge of 5 * 20.00, for half a period.
		if got.LatestInvoice.AmountPaid != 2500 {
			t.Errorf("the upgrade cost %d", got.LatestInvoice.AmountPaid)
		}
	}, "customer.subscription.updated", "invoice.created", "invoice.finalized", "invoice.paid")
	j.changeSeats(sub.ID)
	j.failAndEnd(sub, "canceled")
	j.failAndEnd(j.checkOut(c.ID, basic.ID), "unpaid")
	j.authenticate(c.ID, basic.ID)
	j.cancelAndResume(c.ID, basic.ID)
	j.refundAndDispute(c.ID, basic.ID)
	j.yearOfRenewals(basic.ID)
	j.step("customer deletion", func() { must[*stripe.Customer](t)(l.api.Customers.Del(c.ID, nil)) }, "customer.subscription.deleted", "customer.deleted")
}

func (j *scenario) checkOut(customer, price string) *stripe.Subscription {
	j.t.Helper()
	var sub *stripe.Subscription
	j.step("checkout", func() {
		cs := j.createCheckoutSession(customer, price, 5)
		j.submitCheckout(cs.URL, "4242424242424242")
		sub = j.subscriptionOfSession(cs.ID)
	}, "checkout.session.completed")
	if sub.Status != "active" {
		j.t.Fatalf("after checkout: %s", sub.Status)
	}
	return sub
}

func (j *scenario) changeSeats(sub string) {
	j.t.Helper()
	for _, c := range []struct {
		how  string
		to   int64
		cost int64
	}{
		{"always_invoice", 6, 1000}, {"always_invoice", 5, -1000}, {"create_prorations", 7, 0}, {"create_prorations", 5, 0}, {"none", 8, 0}, {"none", 5, 0},
	} {
		last := "customer.subscription.updated"
		if c.how == "always_invoice" {
			last = "invoice.paid"
		}
		j.step(fmt.Sprintf("%d seats, %s", c.to, c.how), func() {
			if cost := j.changeQuantity(sub, c.to, c.how); cost != c.cost {
				j.t.Errorf("%d seats under %s cost %d, want %d", c.to, c.how, cost, c.cost)
			}
		}, last)
	}
}

func (j *scenario) failAndEnd(sub *stripe.Subscription, end string) {
	j.t.Helper()
	setting := map[string]string{"canceled": "cancel", "unpaid": "unpaid"}[end]
	if err := j.SetAfterDunning(setting); err != nil {
		j.t.Fatal(err)
	}
	j.step("a card that declines", func() { j.setDefaultCard(sub, "pm_card_chargeCustomerFail") }, "payment_method.attached", "customer.subscription.updated")
	j.step("decline", func() { j.renew(sub.ID) },
		"invoice.upcoming", "customer.subscription.updated", "invoice.created", "invoice.finalized", "charge.failed", "invoice.payment_failed", "customer.subscription.updated")
	if got := j.subscription(sub.ID); got.Status != "past_due" {
		j.t.Errorf("after the decline: %s", got.Status)
	}
	last := map[string]string{"canceled": "customer.subscription.deleted", "unpaid": "customer.subscription.updated"}[end]
	j.step("dunning to "+end, func() {
		j.time.Add(14 * day)
		if got := j.subscription(sub.ID); string(got.Status) != end {
			j.t.Errorf("after dunning: %s, want %s", got.Status, end)
		}
	}, "invoice.payment_failed", "invoice.payment_failed", "invoice.payment_failed", last)
}

func (j *scenario) authenticate(customer, price string) {
	j.t.Helper()
	j.step("3-D Secure", func() {
		cs := j.createCheckoutSession(customer, price, 1)
		redirect := j.submitCheckout(cs.URL, "4000002500003155")
		j.browse("POST", redirect.location, url.Values{"complete": {"1"}})
		if sub := j.subscriptionOfSession(cs.ID); sub.Status != "active" {
			j.t.Errorf("after 3-D Secure: %s", sub.Status)
		}
	}, "invoice.payment_action_required", "checkout.session.completed")
}

func (j *scenario) cancelAndResume(customer, price string) {
	j.t.Helper()
	sub := j.checkOut(customer, price)
	set := func(cancel bool) func() {
		return func() {
			must[*stripe.Subscription](j.t)(j.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(cancel)}))
		}
	}
	j.step("cancel", set(true), "customer.subscription.updated")
	j.step("resume", set(false), "customer.subscription.updated")
	j.step("cancel again", set(true), "customer.subscription.updated")
	j.step("the end", func() { j.renew(sub.ID) }, "customer.subscription.deleted")
}

func (j *scenario) refundAndDispute(customer, price string) {
	j.t.Helper()
	sub := j.checkOut(customer, price)
	j.step("refund", func() {
		must[*stripe.Refund](j.t)(j.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(sub.LatestInvoice.PaymentIntent.ID)}))
	}, "charge.refunded")
	for _, end := range [][2]string{{"winning_evidence", "charge.dispute.funds_reinstated"}, {"losing_evidence", "charge.dispute.closed"}} {
		evidence := end[0]
		var d *stripe.Dispute
		j.step("a contested payment", func() {
			j.submitCheckout(j.createCheckoutSession(customer, price, 1).URL, "4000000000000259")
			list := j.api.Disputes.List(&stripe.DisputeListParams{})
			if !list.Next() {
				j.t.Fatal("no dispute")
			}
			d = list.Dispute()
		}, "checkout.session.completed", "charge.dispute.created", "charge.dispute.funds_withdrawn")
		j.step("dispute, "+evidence, func() {
			must[*stripe.Dispute](j.t)(j.api.Disputes.Update(d.ID, &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{UncategorizedText: stripe.String(evidence)}}))
		}, "charge.dispute.updated", end[1])
	}
}

// yearOfRenewals advances a test clock month by month.
func (j *scenario) yearOfRenewals(price string) {
	j.t.Helper()
	k := j.createOnTestClock("pm_card_visa")
	sub := k.subscribe(price, 2)
	for range 12 {
		j.step("renewal", func() { k.advance(j.subscription(sub.ID).CurrentPeriodEnd + 3600) },
			"test_helpers.test_clock.advancing", "customer.subscription.updated", "invoice.created", "invoice.finalized", "invoice.paid", "test_helpers.test_clock.ready")
	}
	n := 0
	for it := j.api.Invoices.List(&stripe.InvoiceListParams{Subscription: stripe.String(sub.ID), Status: stripe.String("paid")}); it.Next(); {
		n++
	}
	if got := j.subscription(sub.ID); n != 13 || got.Status != "active" {
		j.t.Errorf("after a year: %d paid invoices, %s", n, got.Status)
	}
}
