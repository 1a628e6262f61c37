package stripelocal_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestCheckoutThroughTheHostedForm(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret)
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 5)
	if form := l.browse("GET", cs.URL, nil); form.status != 200 || !strings.Contains(form.body, "no money moves") || !strings.Contains(form.body, `value="ada@example.com"`) {
		t.Fatalf("form: %d %s", form.status, form.body)
	}
	done := l.submitCheckout(cs.URL, "4242 4242 4242 4242")
	if want := "http://app.test/ok?session_id=" + cs.ID; done.status != 303 || done.location != want {
		t.Fatalf("paying redirected with %d to %s, want %s\n%s", done.status, done.location, want, done.body)
	}
	// The redirect waits for the delivery.
	e, ok := in.find("checkout.session.completed")
	if !ok || e.GetObjectValue("subscription") == "" || e.GetObjectValue("client_reference_id") != "org_1" {
		t.Errorf("completed event: %v %v", ok, e)
	}
	after := l.session(cs.ID)
	if after.Status != "complete" || after.PaymentStatus != "paid" || after.URL != "" || after.CustomerDetails.Email != "ada@example.com" {
		t.Errorf("session is %s, %s, url %q", after.Status, after.PaymentStatus, after.URL)
	}
	sub := l.subscription(after.Subscription.ID)
	if sub.Status != "active" || sub.Items.Data[0].Quantity != 5 || sub.Metadata["orgId"] != "org_1" || sub.DefaultPaymentMethod == nil {
		t.Errorf("subscription is %s with %d seats, metadata %v, card %v", sub.Status, sub.Items.Data[0].Quantity, sub.Metadata, sub.DefaultPaymentMethod)
	}
	inv := sub.LatestInvoice
	if inv.Status != "paid" || inv.AmountPaid != 5000 || inv.BillingReason != "subscription_create" || inv.SubscriptionDetails.Metadata["orgId"] != "org_1" {
		t.Errorf("invoice is %s, paid %d, reason %s", inv.Status, inv.AmountPaid, inv.BillingReason)
	}
	if line := inv.Lines.Data[0]; line.Type != "subscription" || line.Proration || line.Quantity != 5 {
		t.Errorf("line: %+v", line)
	}
	wantEvents(t, l, "charge.succeeded", "payment_method.attached", "invoice.created", "customer.subscription.created",
		"customer.subscription.updated", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded",
		"payment_intent.succeeded", "checkout.session.completed")
}

// wantEvents checks that each type occurs, in any order.
func wantEvents(t *testing.T, l *testServer, kinds ...string) {
	t.Helper()
	all := l.eventTypes()
	for _, kind := range kinds {
		if !slices.Contains(all, kind) {
			t.Errorf("no %s among %v", kind, all)
		}
	}
}

func TestDeclinedCardLeavesAnIncompleteSubscriptionThatCanStillBePaid(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1)
	if no := l.submitCheckout(cs.URL, "4000000000000002"); no.status != 422 || !strings.Contains(no.body, "Your card was declined.") {
		t.Fatalf("declined: %d %s", no.status, no.body)
	}
	sub := l.subscriptionOfSession(cs.ID)
	if sub.Status != "incomplete" || sub.LatestInvoice.Status != "open" || l.session(cs.ID).Status != "open" {
		t.Errorf("after the decline: %s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	if e := sub.LatestInvoice.PaymentIntent.LastPaymentError; e == nil || e.DeclineCode != "generic_decline" {
		t.Errorf("last payment error: %+v", e)
	}
	_, err := l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
		Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(2)}},
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	if ok := l.submitCheckout(cs.URL, "4242424242424242"); ok.status != 303 {
		t.Fatalf("second card: %d", ok.status)
	}
	if again := l.subscriptionOfSession(cs.ID); again.ID != sub.ID || again.Status != "active" {
		t.Errorf("after the second card: %s %s, first was %s", again.ID, again.Status, sub.ID)
	}
	wantEvents(t, l, "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed")
}

func TestInvalidInputIsShownBesideItsField(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1)
	bad := l.browse("POST", cs.URL, url.Values{"email": {"x"}, "cardNumber": {"4242 4242 4242 4241"}, "cardExpiry": {"13/20"}, "cardCvc": {"1"}, "billingName": {"Ada"}})
	for _, want := range []string{"Your card number is invalid.", "expiration date is incomplete", "security code is incomplete", "Enter an e-mail", `value="13/20"`, `id="cardNumber-error"`} {
		if !strings.Contains(bad.body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if bad.status != 422 || l.session(cs.ID).Subscription != nil {
		t.Errorf("status %d, subscription %v", bad.status, l.session(cs.ID).Subscription)
	}
}

func TestThreeDSecure(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		location string
		status   stripe.SubscriptionStatus
	}{
		"complete": {"http://app.test/ok?session_id=", "active"},
		"fail":     {"/c/pay/", "incomplete"},
	} {
		t.Run(answer, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1)
			redirect := l.submitCheckout(cs.URL, "4000002500003155")
			if redirect.status != 303 || !strings.HasPrefix(redirect.location, "/c/authenticate/") {
				t.Fatalf("paying redirected with %d to %s", redirect.status, redirect.location)
			}
			if sub := l.subscriptionOfSession(cs.ID); sub.Status != "incomplete" || sub.LatestInvoice.PaymentIntent.Status != "requires_action" {
				t.Errorf("meanwhile %s, payment %s", sub.Status, sub.LatestInvoice.PaymentIntent.Status)
			}
			if via := l.browse("GET", cs.URL, nil); via.location != redirect.location {
				t.Errorf("the session's url leads to %d %q", via.status, via.location)
			}
			if shown := l.browse("GET", redirect.location, nil); !strings.Contains(shown.body, `name="complete"`) || !strings.Contains(shown.body, `name="fail"`) {
				t.Errorf("challenge page: %s", shown.body)
			}
			done := l.browse("POST", redirect.location, url.Values{answer: {"1"}})
			if !strings.HasPrefix(done.location, want.location) {
				t.Errorf("%s redirected with %d to %s", answer, done.status, done.location)
			}
			if sub := l.subscriptionOfSession(cs.ID); sub.Status != want.status {
				t.Errorf("afterwards %s, want %s", sub.Status, want.status)
			}
			wantEvents(t, l, "invoice.payment_action_required", "payment_intent.requires_action")
		})
	}
}

func TestTrialRequiresACardButNoPayment(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 2, func(p *stripe.CheckoutSessionParams) {
		p.SubscriptionData.TrialPeriodDays = stripe.Int64(14)
	})
	l.submitCheckout(cs.URL, "4242424242424242")
	sub := l.subscriptionOfSession(cs.ID)
	if sub.Status != "trialing" || sub.LatestInvoice.Status != "paid" || sub.LatestInvoice.Total != 0 || sub.TrialEnd != l.time.Load()+14*86400 {
		t.Errorf("%s until %d, invoice %s over %d", sub.Status, sub.TrialEnd, sub.LatestInvoice.Status, sub.LatestInvoice.Total)
	}
	l.time.Add(14 * 86400)
	if sub = l.subscription(sub.ID); sub.Status != "active" || sub.LatestInvoice.Status != "draft" {
		t.Errorf("at its end: %s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	l.time.Add(3600)
	if sub = l.subscription(sub.ID); sub.LatestInvoice.Status != "paid" || sub.LatestInvoice.AmountPaid != 2000 {
		t.Errorf("an hour later: invoice %s over %d", sub.LatestInvoice.Status, sub.LatestInvoice.AmountPaid)
	}
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	price, c := l.createPrice("pro", 1000, "month").ID, l.createCustomer().ID
	called, left := l.createCheckoutSession(c, price, 1), l.createCheckoutSession(c, price, 1)
	l.submitCheckout(called.URL, "4000000000000002")
	must[*stripe.CheckoutSession](t)(l.api.CheckoutSessions.Expire(called.ID, nil))
	if sub := l.subscriptionOfSession(called.ID); sub.Status != "incomplete_expired" || sub.LatestInvoice.Status != "void" {
		t.Errorf("its subscription is %s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	_, err := l.api.CheckoutSessions.Expire(called.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	l.time.Add(24 * 3600)
	if cs := l.session(left.ID); cs.Status != "expired" {
		t.Errorf("after a day the session is %s", cs.Status)
	}
	if late := l.submitCheckout(left.URL, "4242424242424242"); late.status != 200 || l.session(left.ID).Subscription != nil {
		t.Errorf("an expired session was paid: %d", late.status)
	}
	wantEvents(t, l, "checkout.session.expired", "invoice.voided", "customer.subscription.deleted")
}

func TestIncompleteExpiresAfter23Hours(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1)
	l.submitCheckout(cs.URL, "4000000000000002")
	l.time.Add(23 * 3600)
	if sub := l.subscriptionOfSession(cs.ID); sub.Status != "incomplete_expired" || sub.LatestInvoice.Status != "void" {
		t.Errorf("%s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
}

func TestCancelAndResume(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	set := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	if !set.CancelAtPeriodEnd || set.CancelAt != sub.CurrentPeriodEnd || set.CanceledAt == 0 {
		t.Errorf("canceled: %v at %d", set.CancelAtPeriodEnd, set.CancelAt)
	}
	both := &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(false)}
	both.AddExtra("cancel_at", "")
	_, err := l.api.Subscriptions.Update(sub.ID, both)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	clear := &stripe.SubscriptionParams{}
	clear.AddExtra("cancel_at", "")
	if back := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, clear)); back.CancelAtPeriodEnd || back.CancelAt != 0 || back.CanceledAt != 0 {
		t.Errorf("resumed: %+v", back)
	}
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	l.time.Store(sub.CurrentPeriodEnd)
	if ended := l.subscription(sub.ID); ended.Status != "canceled" || ended.EndedAt != sub.CurrentPeriodEnd {
		t.Errorf("at the period's end: %s", ended.Status)
	}
	list := &stripe.SubscriptionListParams{Customer: stripe.String(sub.Customer.ID)}
	if l.api.Subscriptions.List(list).Next() {
		t.Error("a list without a status includes a canceled subscription")
	}
	list.Status = stripe.String("all")
	if !l.api.Subscriptions.List(list).Next() {
		t.Error("status=all does not show it")
	}
}

func TestQuantityUpdate(t *testing.T) {
	t.Parallel()
	for behavior, want := range map[string]struct{ pending, invoiced int }{
		"none": {0, 0}, "create_prorations": {2, 0}, "always_invoice": {0, 2},
	} {
		t.Run(behavior, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			sub := l.createSubscription(10)
			half := (sub.CurrentPeriodEnd - sub.CurrentPeriodStart) / 2
			l.time.Add(half)
			p := &stripe.SubscriptionParams{
				Items:             []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(20)}},
				ProrationBehavior: stripe.String(behavior), OffSession: stripe.Bool(true),
			}
			p.AddExpand("latest_invoice")
			got := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, p))
			if got.Items.Data[0].Quantity != 20 || got.Items.Data[0].ID != sub.Items.Data[0].ID {
				t.Errorf("items: %+v", got.Items.Data)
			}
			pending := 0
			for it := l.api.InvoiceItems.List(&stripe.InvoiceItemListParams{Pending: stripe.Bool(true)}); it.Next(); {
				pending++
			}
			if pending != want.pending {
				t.Errorf("%d pending items, want %d", pending, want.pending)
			}
			if want.invoiced > 0 {
				inv := got.LatestInvoice
				if inv.BillingReason != "subscription_update" || inv.Status != "paid" || inv.AmountPaid != 5000 || len(inv.Lines.Data) != 2 || !inv.Lines.Data[0].Proration {
					t.Errorf("invoice %s %s over %d with %d lines", inv.BillingReason, inv.Status, inv.AmountPaid, len(inv.Lines.Data))
				}
			}
			e := lastEvent(t, l, "customer.subscription.updated")
			if previous, ok := e.Data.PreviousAttributes["quantity"].(float64); !ok || previous != 10 {
				t.Errorf("previous attributes: %v", e.Data.PreviousAttributes)
			}
		})
	}
}

func lastEvent(t *testing.T, l *testServer, kind string) *stripe.Event {
	t.Helper()
	it := l.api.Events.List(&stripe.EventListParams{Type: stripe.String(kind)})
	if !it.Next() {
		t.Fatalf("no %s", kind)
	}
	return it.Event()
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(2)
	l.time.Store(sub.CurrentPeriodEnd + 3600)
	next := l.subscription(sub.ID)
	if next.CurrentPeriodStart != sub.CurrentPeriodEnd || next.LatestInvoice.BillingReason != "subscription_cycle" || next.LatestInvoice.AmountPaid != 2000 {
		t.Errorf("period from %d, invoice %s paid %d", next.CurrentPeriodStart, next.LatestInvoice.BillingReason, next.LatestInvoice.AmountPaid)
	}
}

func TestPaymentMode(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pack := must[*stripe.Price](t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("jpy"), UnitAmount: stripe.Int64(1500), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Credits")},
	}))
	cs := must[*stripe.CheckoutSession](t)(l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), Customer: stripe.String(l.createCustomer().ID), SuccessURL: stripe.String("http://app.test/ok"),
		LineItems:         []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(pack.ID), Quantity: stripe.Int64(2)}},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: map[string]string{"orgId": "org_1"}},
	}))
	if cs.AmountTotal != 3000 || cs.PaymentIntent != nil {
		t.Errorf("open: total %d, payment %v", cs.AmountTotal, cs.PaymentIntent)
	}
	if done := l.submitCheckout(cs.URL, "4242424242424242"); done.location != "http://app.test/ok" {
		t.Fatalf("paying redirected with %d to %s", done.status, done.location)
	}
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(l.session(cs.ID).PaymentIntent.ID, nil))
	if pi.Status != "succeeded" || pi.AmountReceived != 3000 || pi.Metadata["orgId"] != "org_1" {
		t.Errorf("payment %s over %d", pi.Status, pi.AmountReceived)
	}
	if all := l.eventTypes(); all[len(all)-1] != "checkout.session.completed" {
		t.Errorf("order: %v", all)
	}
}

func TestPortal(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	open := func(config string) (*stripe.BillingPortalSession, error) {
		p := &stripe.BillingPortalSessionParams{Customer: stripe.String(sub.Customer.ID), ReturnURL: stripe.String("http://app.test/back")}
		if config != "" {
			p.Configuration = stripe.String(config)
		}
		return l.api.BillingPortalSessions.New(p)
	}
	_, err := open("")
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	config := must[*stripe.BillingPortalConfiguration](t)(l.api.BillingPortalConfigurations.New(&stripe.BillingPortalConfigurationParams{
		BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Usher")},
		Features: &stripe.BillingPortalConfigurationFeaturesParams{
			InvoiceHistory:     &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: stripe.Bool(true)},
			SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{Enabled: stripe.Bool(true)},
		},
	}))
	portal := must[*stripe.BillingPortalSession](t)(open(config.ID))
	shown := l.browse("GET", portal.URL, nil)
	for _, want := range []string{"no money moves", "http://app.test/back", "Cancel plan", "visa ending in 4242", "paid"} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("%q is not in the portal", want)
		}
	}
	l.browse("POST", portal.URL, url.Values{"subscription": {sub.ID}, "action": {"cancel"}})
	if !l.subscription(sub.ID).CancelAtPeriodEnd {
		t.Error("the portal did not cancel")
	}
	l.browse("POST", portal.URL, url.Values{"subscription": {sub.ID}, "action": {"resume"}})
	if l.subscription(sub.ID).CancelAtPeriodEnd {
		t.Error("the portal did not resume")
	}
	if other := l.browse("POST", portal.URL, url.Values{"subscription": {"sub_other"}, "action": {"cancel"}}); other.status != 422 {
		t.Errorf("a stranger's subscription: %d", other.status)
	}
}

func TestCustomerDeletionEndsItsSubscriptions(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	must[*stripe.Customer](t)(l.api.Customers.Del(sub.Customer.ID, nil))
	if gone := must[*stripe.Customer](t)(l.api.Customers.Get(sub.Customer.ID, nil)); !gone.Deleted {
		t.Error("the customer is not deleted")
	}
	if got := l.subscription(sub.ID); got.Status != "canceled" {
		t.Errorf("its subscription is %s", got.Status)
	}
	wantEvents(t, l, "customer.deleted", "customer.subscription.deleted")
}
