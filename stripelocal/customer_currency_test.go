package stripelocal_test

import (
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// A customer has one currency while anything of another one is open (public issue threads:
// Automattic/woocommerce-payments 7732, gitpod-io/gitpod 12376).
func TestOneCurrencyPerCustomer(t *testing.T) {
	t.Parallel()
	holders := map[string]func(l *testServer, k *clockCustomer, euro string) (release func()){
		"a subscription": func(l *testServer, k *clockCustomer, euro string) func() {
			sub := k.subscribe(euro, 1)
			return func() { must[*stripe.Subscription](l.t)(l.api.Subscriptions.Cancel(sub.ID, nil)) }
		},
		"a scheduled subscription": func(l *testServer, k *clockCustomer, euro string) func() {
			sub := k.subscribe(euro, 1)
			x := must[*stripe.SubscriptionSchedule](l.t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))
			return func() {
				must[*stripe.SubscriptionSchedule](l.t)(l.api.SubscriptionSchedules.Cancel(x.ID, &stripe.SubscriptionScheduleCancelParams{Prorate: stripe.Bool(false)}))
			}
		},
		"a pending invoice item": func(l *testServer, k *clockCustomer, _ string) func() {
			i := must[*stripe.InvoiceItem](l.t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(k.customer), Amount: stripe.Int64(500), Currency: stripe.String("eur")}))
			return func() { must[*stripe.InvoiceItem](l.t)(l.api.InvoiceItems.Del(i.ID, nil)) }
		},
		"a discount": func(l *testServer, k *clockCustomer, _ string) func() {
			off := l.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(100), Currency: stripe.String("eur"), Duration: stripe.String("forever")})
			l.callObject("POST", "/v1/customers/"+k.customer, "coupon="+off.ID)
			return func() { l.callObject("DELETE", "/v1/customers/"+k.customer+"/discount", "") }
		},
		"an open Checkout session": func(l *testServer, k *clockCustomer, euro string) func() {
			cs := l.createCheckoutSession(k.customer, euro, 1)
			return func() { must[*stripe.CheckoutSession](l.t)(l.api.CheckoutSessions.Expire(cs.ID, nil)) }
		},
	}
	for name, hold := range holders {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			euro, dollar := l.createPriceIn("eur", 1000, "month"), l.createPriceIn("usd", 1000, "month")
			release := hold(l, k, euro)
			for what, try := range dollarCalls(l, k, dollar) {
				e := wantError(t, try(), 400, "", stripe.ErrorTypeInvalidRequest)
				if !strings.HasPrefix(e.Msg, "You cannot combine currencies on a single customer.") || !strings.HasSuffix(e.Msg, "with currency eur.") {
					t.Errorf("%s: %s", what, e.Msg)
				}
			}
			k.subscribe(euro, 1) // the same currency is no conflict
			if name == "a pending invoice item" {
				return
			}
			for it := l.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(k.customer)}); it.Next(); {
				if it.Subscription().Schedule == nil {
					must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(it.Subscription().ID, nil))
				}
			}
			if name != "a subscription" {
				release()
			}
			for what, try := range dollarCalls(l, k, dollar) {
				if err := try(); err != nil {
					t.Errorf("after it ended: %s: %v", what, err)
				}
			}
		})
	}
}

// dollarCalls bring dollars to a customer.
func dollarCalls(l *testServer, k *clockCustomer, dollar string) map[string]func() error {
	return map[string]func() error{
		"subscription": func() error {
			_, err := l.api.Subscriptions.New(&stripe.SubscriptionParams{Customer: stripe.String(k.customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(dollar)}}})
			return err
		},
		"schedule": func() error {
			_, err := l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{
				Customer: stripe.String(k.customer), StartDateNow: stripe.Bool(true),
				Phases: []*stripe.SubscriptionSchedulePhaseParams{{Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(dollar), Quantity: stripe.Int64(1)}}, Iterations: stripe.Int64(1)}},
			})
			return err
		},
		"invoice item": func() error {
			_, err := l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(k.customer), Amount: stripe.Int64(500), Currency: stripe.String("usd")})
			return err
		},
		"Checkout session": func() error {
			_, err := l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
				Mode: stripe.String("subscription"), Customer: stripe.String(k.customer), SuccessURL: stripe.String("http://app.test/ok"),
				LineItems: []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(dollar), Quantity: stripe.Int64(1)}},
			})
			return err
		},
	}
}

// One-time payments are not bound to the customer's currency.
func TestOneTimePaymentsMayHaveAnotherCurrency(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	k.subscribe(l.createPriceIn("eur", 1000, "month"), 1)
	must[*stripe.CheckoutSession](t)(l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), Customer: stripe.String(k.customer), SuccessURL: stripe.String("http://app.test/ok"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{
			PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{Currency: stripe.String("usd"), UnitAmount: stripe.Int64(900), ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("Pack")}},
			Quantity:  stripe.Int64(1),
		}},
	}))
}
