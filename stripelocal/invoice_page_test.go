package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// unpaidInvoice is the open invoice of a renewal whose card was declined.
func unpaidInvoice(t *testing.T) (*testServer, *stripe.Subscription) {
	t.Helper()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(2)
	bad := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_chargeCustomerFail", &stripe.PaymentMethodAttachParams{Customer: stripe.String(sub.Customer.ID)}))
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{DefaultPaymentMethod: stripe.String(bad.ID)}))
	l.time.Store(sub.CurrentPeriodEnd + 3601)
	if sub = l.subscription(sub.ID); sub.Status != "past_due" || sub.LatestInvoice.Status != "open" {
		t.Fatalf("%s, invoice %s", sub.Status, sub.LatestInvoice.Status)
	}
	return l, sub
}

func TestTheHostedInvoiceIsPaid(t *testing.T) {
	t.Parallel()
	// Two saved cards, and the entered one whether or not 3-D Secure was required.
	cards := map[string]int{"with a new card": 3, "with 3-D Secure": 3, "with a kept card": 2}
	for name, pay := range map[string]func(l *testServer, address, body string) page{
		"with a new card": func(l *testServer, address, _ string) page {
			return l.browse("POST", address, newCard("4242424242424242"))
		},
		"with 3-D Secure": func(l *testServer, address, _ string) page {
			redirect := l.browse("POST", address, newCard("4000002760003184"))
			if !strings.HasPrefix(redirect.location, "/c/authenticate/") {
				l.t.Fatalf("redirected with %d to %q: %s", redirect.status, redirect.location, redirect.body)
			}
			if open := l.browse("GET", address, nil); !strings.Contains(open.body, redirect.location) {
				l.t.Errorf("the invoice does not lead to the authentication: %s", open.body)
			}
			return l.browse("POST", redirect.location, url.Values{"complete": {"1"}})
		},
		"with a kept card": func(l *testServer, address, body string) page {
			_, rest, _ := strings.Cut(body, `name="card" value="pm_`) // the first: the 4242 card of the subscription
			id, _, _ := strings.Cut(rest, `"`)
			return l.browse("POST", address, url.Values{"card": {"pm_" + id}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, sub := unpaidInvoice(t)
			address := sub.LatestInvoice.HostedInvoiceURL
			shown := l.browse("GET", address, nil)
			for _, want := range []string{"Pay $20.00", "visa ending in 0341", "no money moves", "/pdf"} {
				if !strings.Contains(shown.body, want) {
					t.Errorf("%q is not on the page", want)
				}
			}
			if done := pay(l, address, shown.body); done.status != 303 || !strings.HasSuffix(address, done.location) {
				t.Fatalf("paying: %d %q %s", done.status, done.location, done.body)
			}
			if kept := l.cards(sub.Customer.ID); kept != cards[name] {
				t.Errorf("%d saved cards, want %d", kept, cards[name])
			}
			if after := l.subscription(sub.ID); after.Status != "active" || after.LatestInvoice.Status != "paid" {
				t.Errorf("%s, invoice %s", after.Status, after.LatestInvoice.Status)
			}
			receipt := l.browse("GET", address, nil)
			if !strings.Contains(receipt.body, "Receipt") || strings.Contains(receipt.body, "Pay $") {
				t.Errorf("receipt: %s", receipt.body)
			}
			if twice := l.browse("POST", address, newCard("4242424242424242")); twice.status != 303 {
				t.Errorf("paying again: %d", twice.status)
			}
		})
	}
}

func (l *testServer) cards(customer string) int {
	l.t.Helper()
	n := 0
	it := l.api.PaymentMethods.List(&stripe.PaymentMethodListParams{Customer: stripe.String(customer)})
	for it.Next() {
		n++
	}
	if it.Err() != nil {
		l.t.Fatal(it.Err())
	}
	return n
}

// A card that the page offers may be removed before the form is submitted.
func TestTheHostedInvoiceDoesNotChargeARemovedCard(t *testing.T) {
	t.Parallel()
	l, sub := unpaidInvoice(t)
	address, gone := sub.LatestInvoice.HostedInvoiceURL, must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(sub.Customer.ID)}))
	if shown := l.browse("GET", address, nil); !strings.Contains(shown.body, gone.ID) {
		t.Fatalf("%s is not offered: %s", gone.ID, shown.body)
	}
	must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Detach(gone.ID, nil))
	sent := l.browse("POST", address, url.Values{"card": {gone.ID}})
	if sent.status != 422 || !strings.Contains(sent.body, "not kept any more") || strings.Contains(sent.body, gone.ID) || strings.Contains(sent.body, "cardNumber-error") {
		t.Errorf("%d %s", sent.status, sent.body)
	}
	if _, err := l.api.Invoices.Pay(sub.LatestInvoice.ID, &stripe.InvoicePayParams{PaymentMethod: stripe.String(gone.ID)}); err == nil {
		t.Error("the API takes the removed card")
	}
	if after := l.subscription(sub.ID); after.LatestInvoice.Status != "open" || l.cards(sub.Customer.ID) != 2 {
		t.Errorf("invoice %s", after.LatestInvoice.Status)
	}
}

func newCard(number string) url.Values {
	fields := card(number)
	fields.Set("card", "new")
	return fields
}

func TestHostedInvoiceShowsErrors(t *testing.T) {
	t.Parallel()
	l, sub := unpaidInvoice(t)
	address := sub.LatestInvoice.HostedInvoiceURL
	if bad := l.browse("POST", address, newCard("4242")); bad.status != 422 || !strings.Contains(bad.body, `id="cardNumber-error"`) || !strings.Contains(bad.body, `value="new" checked`) {
		t.Errorf("bad number: %d %s", bad.status, bad.body)
	}
	if no := l.browse("POST", address, newCard("4000000000009995")); no.status != 422 || !strings.Contains(no.body, "insufficient funds") {
		t.Errorf("declined: %d %s", no.status, no.body)
	}
	must[*stripe.Invoice](t)(l.api.Invoices.VoidInvoice(sub.LatestInvoice.ID, nil))
	if void := l.browse("GET", address, nil); !strings.Contains(void.body, "There is nothing to pay") || strings.Contains(void.body, "Pay $") {
		t.Errorf("void: %s", void.body)
	}
	if gone := l.browse("GET", "/i/in_no", nil); gone.status != 404 {
		t.Errorf("no invoice: %d", gone.status)
	}
}
