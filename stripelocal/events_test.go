package stripelocal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// listEvents returns the types of the events that match a filter, oldest first.
func (l *testServer) listEvents(change func(*stripe.EventListParams)) ([]string, error) {
	p := &stripe.EventListParams{}
	change(p)
	var out []string
	it := l.api.Events.List(p)
	for it.Next() {
		out = append([]string{string(it.Event().Type)}, out...)
	}
	return out, it.Err()
}

func TestEventsAreFiltered(t *testing.T) {
	l := start(t, stripelocal.Options{})
	began := l.time.Load()
	c := l.createCustomer()
	must[*stripe.Customer](t)(l.api.Customers.Update(c.ID, &stripe.CustomerParams{Name: stripe.String("Ada")}))
	l.time.Add(100)
	l.createPrice("pro", 1000, "month")
	cases := []struct {
		name string
		set  func(*stripe.EventListParams)
		want string
	}{
		{"all", func(*stripe.EventListParams) {}, "customer.created customer.updated product.created plan.created price.created"},
		{"one type", func(p *stripe.EventListParams) { p.Type = stripe.String("price.created") }, "price.created"},
		{"a wildcard", func(p *stripe.EventListParams) { p.Type = stripe.String("customer.*") }, "customer.created customer.updated"},
		{"several types", func(p *stripe.EventListParams) {
			p.Types = stripe.StringSlice([]string{"price.created", "customer.updated"})
		}, "customer.updated price.created"},
		{"since", func(p *stripe.EventListParams) { p.CreatedRange = &stripe.RangeQueryParams{GreaterThan: began} }, "product.created plan.created price.created"},
		{"until", func(p *stripe.EventListParams) {
			p.CreatedRange = &stripe.RangeQueryParams{LesserThanOrEqual: began}
		}, "customer.created customer.updated"},
		{"at", func(p *stripe.EventListParams) { p.Created = stripe.Int64(began + 100) }, "product.created plan.created price.created"},
		{"undelivered", func(p *stripe.EventListParams) { p.DeliverySuccess = stripe.Bool(false) }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := l.listEvents(c.set)
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("%v, %v, want %s", got, err, c.want)
			}
		})
	}
	_, err := l.listEvents(func(p *stripe.EventListParams) {
		p.Type, p.Types = stripe.String("a"), stripe.StringSlice([]string{"b"})
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = l.listEvents(func(p *stripe.EventListParams) {
		p.Types = stripe.StringSlice(slices.Repeat([]string{"customer.created"}, 21))
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestEventsAreKeptForThirtyDays(t *testing.T) {
	l := start(t, stripelocal.Options{})
	l.createCustomer()
	p := &stripe.EventListParams{}
	p.Single = true
	it := l.api.Events.List(p)
	it.Next()
	id := it.Event().ID
	l.AdvanceClock(l.Now().Add(29 * 24 * time.Hour))
	must[*stripe.Event](t)(l.api.Events.Get(id, nil))
	l.AdvanceClock(l.Now().Add(2 * 24 * time.Hour))
	l.createCustomer()
	_, err := l.api.Events.Get(id, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	if n := len(l.eventTypes()); n != 1 {
		t.Errorf("%d events are left", n)
	}
}
