package stripelocal_test

import (
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// savedIBAN sets up a SEPA payment method as a customer's default.
func (l *testServer) savedIBAN(customer, number string) *stripe.PaymentMethod {
	l.t.Helper()
	pm := l.iban(number)
	si := must[*stripe.SetupIntent](l.t)(l.api.SetupIntents.New(&stripe.SetupIntentParams{
		Customer: stripe.String(customer), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(pm.ID),
		PaymentMethodTypes: stripe.StringSlice([]string{"card", "sepa_debit"}),
		MandateData:        &stripe.SetupIntentMandateDataParams{CustomerAcceptance: &stripe.SetupIntentMandateDataCustomerAcceptanceParams{Type: "offline"}},
	}))
	if si.Status != "succeeded" {
		l.t.Fatalf("setup of %s: %s", number, si.Status)
	}
	must[*stripe.Customer](l.t)(l.api.Customers.Update(customer, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)},
	}))
	return pm
}

// subscribe creates a subscription in EUR that the customer's default payment method pays.
func (l *testServer) subscribe(customer string) *stripe.Subscription {
	l.t.Helper()
	price := must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("eur"), UnitAmount: stripe.Int64(1000), Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month")},
		ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Pro")},
	}))
	p := &stripe.SubscriptionParams{Customer: stripe.String(customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price.ID)}}}
	p.AddExpand("latest_invoice.payment_intent")
	return must[*stripe.Subscription](l.t)(l.api.Subscriptions.New(p))
}

func TestASubscriptionIsActiveWhileItsDebitIsPending(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	l.savedIBAN(c.ID, "DE08370400440532013003")
	sub := l.subscribe(c.ID)
	inv := sub.LatestInvoice
	if sub.Status != "active" || inv.Status != "open" || !inv.Attempted || inv.AttemptCount != 1 || inv.NextPaymentAttempt != 0 || inv.PaymentIntent.Status != "processing" {
		t.Errorf("%s, invoice %s attempted %v (%d), payment %s", sub.Status, inv.Status, inv.Attempted, inv.AttemptCount, inv.PaymentIntent.Status)
	}
	_, err := l.api.Invoices.Pay(inv.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	l.time.Add(180)
	if sub = l.subscription(sub.ID); sub.Status != "active" || sub.LatestInvoice.Status != "paid" || sub.LatestInvoice.Charge == nil {
		t.Errorf("afterwards %s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	wantEvents(t, l, "payment_intent.processing", "charge.pending", "charge.succeeded", "payment_intent.succeeded", "invoice.paid", "invoice.payment_succeeded")
	if slices.Contains(l.eventTypes(), "invoice.payment_failed") {
		t.Error("a pending debit counts as a failed payment")
	}
}

// Stripe does not retry bank debits: the setting for failed payments applies at once.
func TestAFailedDebitIsNotRetried(t *testing.T) {
	t.Parallel()
	for setting, status := range map[string]stripe.SubscriptionStatus{
		stripelocal.AfterDunningCancel: "canceled", stripelocal.AfterDunningUnpaid: "unpaid", stripelocal.AfterDunningPastDue: "past_due",
	} {
		t.Run(setting, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			if err := l.SetAfterDunning(setting); err != nil {
				t.Fatal(err)
			}
			c := l.createCustomer()
			l.savedIBAN(c.ID, "DE89370400440532013000")
			sub := l.subscribe(c.ID)
			l.time.Add(5)
			l.savedIBAN(c.ID, "DE62370400440532013001")
			l.time.Store(sub.CurrentPeriodEnd + 60*60) // the draft is finalized
			if renewed := l.subscription(sub.ID); renewed.LatestInvoice.PaymentIntent.Status != "processing" || renewed.Status != "active" {
				t.Fatalf("renewal %s, payment %s", renewed.Status, renewed.LatestInvoice.PaymentIntent.Status)
			}
			l.time.Add(5)
			failed := l.subscription(sub.ID)
			if inv := failed.LatestInvoice; failed.Status != status || inv.Status != "open" || inv.AttemptCount != 1 || inv.NextPaymentAttempt != 0 {
				t.Errorf("%s, invoice %s after %d attempts, next at %d", failed.Status, inv.Status, inv.AttemptCount, inv.NextPaymentAttempt)
			}
			wantEvents(t, l, "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed")
		})
	}
}

// An account that was attached without a mandate cannot pay an invoice.
func TestAnInvoiceNeedsAMandate(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	pm := l.iban("DE89370400440532013000")
	must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach(pm.ID, &stripe.PaymentMethodAttachParams{Customer: stripe.String(c.ID)}))
	must[*stripe.Customer](t)(l.api.Customers.Update(c.ID, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)},
	}))
	sub := l.subscribe(c.ID)
	if e := sub.LatestInvoice.PaymentIntent.LastPaymentError; sub.Status != "incomplete" || e == nil || e.Code != "payment_intent_mandate_invalid" || sub.LatestInvoice.PaymentIntent.LatestCharge != nil {
		t.Errorf("%s: %+v", sub.Status, e)
	}
}

func TestMicrodepositsActivateASubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	p := &stripe.SubscriptionParams{
		Customer: stripe.String(c.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(l.createPrice("pro", 1000, "month").ID)}}, PaymentBehavior: stripe.String("default_incomplete"),
		PaymentSettings: &stripe.SubscriptionPaymentSettingsParams{PaymentMethodTypes: stripe.StringSlice([]string{"us_bank_account"}), SaveDefaultPaymentMethod: stripe.String("on_subscription")},
	}
	p.AddExpand("latest_invoice.payment_intent")
	sub := must[*stripe.Subscription](t)(l.api.Subscriptions.New(p))
	pm := l.usAccount("000123456789")
	confirm := debit(pm)
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Confirm(sub.LatestInvoice.PaymentIntent.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(pm.ID), MandateData: confirm.MandateData}))
	if pi.Status != "requires_action" || l.subscription(sub.ID).Status != "incomplete" {
		t.Fatalf("confirmed: %s", pi.Status)
	}
	must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.VerifyMicrodeposits(pi.ID, &stripe.PaymentIntentVerifyMicrodepositsParams{DescriptorCode: stripe.String("SM11AA")}))
	if sub = l.subscription(sub.ID); sub.Status != "active" || sub.DefaultPaymentMethod == nil || sub.LatestInvoice.Status != "open" {
		t.Errorf("verified: %s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	l.time.Add(5)
	if sub = l.subscription(sub.ID); sub.LatestInvoice.Status != "paid" {
		t.Errorf("afterwards invoice %s", sub.LatestInvoice.Status)
	}
}
