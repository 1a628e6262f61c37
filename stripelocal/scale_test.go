package stripelocal

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// createSubscribers creates customers with a card and a paid subscription each. It calls the
// handlers directly, because the API would take minutes.
func createSubscribers(tb testing.TB, n int) (*Server, []*Subscription) {
	tb.Helper()
	at := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	s, err := New(Options{Now: func() time.Time { return at }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close(tb.Context()) })
	var subs []*Subscription
	_ = s.transact(requestInfo{}, func(r *request) error {
		price := &Price{
			Base: Base{ID: "price_1", Created: r.now}, Active: true, Currency: "usd", Interval: "month", IntervalCount: 1,
			Product: "prod_1", UnitAmount: 1000, TaxBehavior: "unspecified", Metadata: map[string]string{},
		}
		r.store.Products.insert(&Product{Base: Base{ID: "prod_1", Created: r.now}, Name: "Pro", Active: true, Metadata: map[string]string{}})
		r.store.Prices.insert(price)
		card, _ := testCardByNumber("4242424242424242")
		for i := range n {
			subs = append(subs, subscribeMember(r, i, price, card))
			r.unpublished = nil // their events are not needed
		}
		return nil
	})
	return s, subs
}

func subscribeMember(r *request, i int, price *Price, card testCard) *Subscription {
	c := &Customer{Email: fmt.Sprintf("member%d@example.com", i), TaxExempt: "none", NextInvoiceSequence: 1, Metadata: map[string]string{}}
	r.customers.insert(c)
	pm := r.paymentMethods.insertCard(card, 12, 2040)
	r.paymentMethods.attachTo(pm, c)
	c.DefaultPaymentMethod = pm.ID
	sub := &Subscription{
		Customer: c.ID, Currency: "usd", Metadata: map[string]string{}, MissingPaymentMethod: "create_invoice", CollectionMethod: "charge_automatically",
	}
	r.invoicing.pay(r.subscriptions.start(sub, []newItem{{price: price, quantity: 2, metadata: map[string]string{}}}, nil), pm)
	return sub
}

// A year of renewals of 1,000 subscriptions takes seconds. The test logs the duration instead of
// checking it, because it depends on the machine's load.
func TestAYearOfRenewalsOfAThousandSubscriptions(t *testing.T) {
	s, subs := createSubscribers(t, yearSubscribers)
	began := time.Now()
	s.AdvanceClock(time.Date(2027, time.January, 1, 2, 0, 0, 0, time.UTC))
	t.Logf("a year of %d subscriptions took %v", yearSubscribers, time.Since(began))
	for _, sub := range subs {
		invoices := s.store.Invoices.by("subscription", sub.ID)
		if len(invoices) != 13 || sub.Status != "active" {
			t.Fatalf("%s: %d invoices, %s", sub.ID, len(invoices), sub.Status)
		}
		for _, inv := range invoices {
			if inv.Status != "paid" || inv.AmountPaid != 2000 {
				t.Fatalf("%s: invoice %s over %d", sub.ID, inv.Status, inv.AmountPaid)
			}
		}
	}
}

// BenchmarkReadAmong100000 measures a GET without a network among 100,000 subscriptions.
func BenchmarkReadAmong100000(b *testing.B) {
	s, subs := createSubscribers(b, 100_000)
	for name, path := range map[string]string{
		"subscription": "/v1/subscriptions/%[1]s", "latest_invoice": "/v1/subscriptions/%[1]s?expand[]=latest_invoice", "list_of_a_customer": "/v1/subscriptions?customer=%[2]s",
	} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				sub := subs[i*7919%len(subs)]
				i++
				req := httptest.NewRequest(http.MethodGet, fmt.Sprintf(path, sub.ID, sub.Customer), nil)
				req.SetBasicAuth("sk_test_123456789012", "")
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, req)
				if w.Code != http.StatusOK {
					body, _ := io.ReadAll(w.Body)
					b.Fatalf("%d %s", w.Code, body)
				}
			}
		})
	}
}
