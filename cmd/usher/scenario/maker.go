package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

// maker makes one scenario.
type maker struct {
	ctx      context.Context
	board    *Board
	service  *billing.Service
	stripe   stripeAPI
	scenario Scenario
	progress func(string)

	domain  string // of the people's addresses
	founder string // the name of the first person
	admin   account.Access

	clock, customerID, subscriptionID string // at Stripe; empty: none
}

const (
	untilTimeout = 90 * time.Second // bounds each wait; it only delays a failure
	untilPause   = 50 * time.Millisecond
)

// until waits until a condition holds.
func (m *maker) until(what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(untilTimeout); ; {
		done, err := holds()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out waiting for %s", what)
		}
		select {
		case <-m.ctx.Done():
			return m.ctx.Err()
		case <-time.After(untilPause):
		}
	}
}

// overview waits until the organization's billing meets a condition. Stripe's events bring it
// there.
func (m *maker) overview(what string, meets func(billing.Overview) bool) error {
	return m.until(what, func() (bool, error) {
		o, err := m.service.Overviews.Get(m.ctx, m.admin)
		return err == nil && meets(o), err
	})
}

// status waits until the current subscription has a status.
func (m *maker) status(want billing.SubscriptionStatus) error {
	return m.overview("the status "+string(want), func(o billing.Overview) bool {
		return o.Subscription != nil && o.Subscription.Status == want
	})
}

// compare compares the organization with Stripe, which stores what no event has brought yet.
func (m *maker) compare() error {
	_, err := m.service.Reconciler.Reconcile(m.ctx, billing.ReconcileOptions{OrganizationID: m.admin.Organization.ID})
	return err
}

func (m *maker) plans() catalog.Catalog { return m.service.Prices.Catalog() }

func (m *maker) main() catalog.Plan {
	plan, _ := mainPlan(m.plans())
	return plan
}

// buy buys a plan in Checkout with a card's number.
func (m *maker) buy(plan catalog.Plan, interval catalog.Interval, card string) error {
	session, err := m.service.Checkouts.Start(m.ctx, m.admin, billing.CheckoutRequest{PlanID: plan.ID, Interval: interval})
	if err != nil {
		return err
	}
	return m.pay(session, card)
}

// pay pays a Checkout session on its hosted page, and waits until the plan or the pack is there.
func (m *maker) pay(session billing.CheckoutSession, card string) error {
	err := m.stripe.submit(m.ctx, session.URL, url.Values{
		"email": {m.admin.User.Email}, "cardNumber": {card}, "cardExpiry": {"12/34"}, "cardCvc": {"123"}, "billingName": {m.founder},
	})
	if err != nil {
		return err
	}
	err = m.until("the completed session", func() (bool, error) {
		completed, err := m.service.Checkouts.Complete(m.ctx, m.admin, session.StripeSessionID)
		return completed.Confirmed, err
	})
	return errors.Join(err, m.remember())
}

// remember reads the ids at Stripe.
func (m *maker) remember() error {
	o, err := m.service.Overviews.Get(m.ctx, m.admin)
	if err != nil {
		return err
	}
	if m.customerID = o.CustomerID; o.Subscription != nil {
		m.subscriptionID = o.Subscription.ID
	}
	return nil
}

// subscribe creates a subscription for the customer of the scenario and waits until it is stored.
func (m *maker) subscribe(plan catalog.Plan, interval catalog.Interval, card string, form url.Values) error {
	if err := m.create(plan, interval, card, form); err != nil {
		return err
	}
	return m.overview("the subscription", func(o billing.Overview) bool { return o.Subscription != nil })
}

// create creates a subscription through Stripe's API, as the Dashboard does. The form replaces
// parameters.
func (m *maker) create(plan catalog.Plan, interval catalog.Interval, card string, form url.Values) error {
	price, _ := plan.Price(interval)
	o, err := m.service.Overviews.Get(m.ctx, m.admin)
	if err != nil {
		return err
	}
	parameters := url.Values{
		"customer": {m.customerID}, "items[0][price]": {price.ID}, "metadata[orgId]": {m.admin.Organization.ID},
		"items[0][quantity]": {strconv.Itoa(plan.Quantity(o.Seats.Billable))},
	}
	if card != "" {
		method, err := m.card(card)
		if err != nil {
			return err
		}
		parameters.Set("default_payment_method", method)
	}
	for name, values := range form {
		parameters[name] = values
	}
	var created object
	if err := m.post("/v1/subscriptions", parameters, &created); err != nil {
		return err
	}
	m.subscriptionID = created.ID
	return nil
}

// now returns the time of the program and the local Stripe.
func (m *maker) now() time.Time { return m.board.options.Now() }
