package scenario

import (
	"net/http"
	"net/url"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

// Numbers and tokens of test cards, see docs/local-stripe.md.
const (
	cardPays    = "4242424242424242"
	cardDispute = "4000000000000259"

	tokenPays     = "pm_card_visa"
	tokenDeclines = "pm_card_chargeCustomerFail"
	tokenConfirms = "pm_card_authenticationRequired"
)

// Year is the scenario with a year of history, and YearTitle its organization. The demo has it too.
const (
	Year      = "year-of-history"
	YearTitle = "Lantern Touring Company"
)

func startStates() []Scenario {
	return []Scenario{
		{
			Name: "no-plan", Group: groupStart, Title: "No plan yet",
			Sentence: "Five people, and no plan: nothing is billed until one is chosen.",
			make:     func(m *maker) error { return m.found(cast()) },
		},
		{
			Name: "trial-with-card", Group: groupStart, Title: "Trial with a card", Needs: needsMain,
			Sentence: "In the first week of a trial, with a card that pays when it ends.",
			make: func(m *maker) error {
				return m.trial(m.now(), tokenPays, url.Values{"trial_period_days": {"14"}})
			},
		},
		{
			Name: "trial-without-card", Group: groupStart, Title: "Trial without a card", Needs: needsMain,
			Sentence: "A trial that pauses when it ends, because there is no card.",
			make:     func(m *maker) error { return m.trial(m.now(), "", pausing("14")) },
		},
		{
			Name: "trial-ends-soon", Group: groupStart, Title: "Trial ends in two days", Needs: needsMain,
			Sentence: "A trial with a card in its last two days.",
			make: func(m *maker) error {
				return m.trial(m.now(), tokenPays, url.Values{"trial_period_days": {"2"}})
			},
		},
		{
			Name: "incomplete", Group: groupStart, Title: "First payment declined", Needs: needsMain,
			Sentence: "The first payment was declined: the plan has not started.",
			make:     func(m *maker) error { return m.incomplete(tokenDeclines) },
		},
		{
			Name: "first-payment-3ds", Group: groupStart, Title: "First payment needs 3-D Secure", Needs: needsMain,
			Sentence: "The bank wants the first payment confirmed: the plan has not started.",
			make:     func(m *maker) error { return m.incomplete(tokenConfirms) },
		},
		{
			Name: "checkout-open", Group: groupStart, Title: "Checkout left open", Needs: needsMain,
			Sentence: "Somebody opened Checkout and has not paid: the page offers to go on.",
			make: func(m *maker) error {
				if err := m.found(cast()); err != nil {
					return err
				}
				_, err := m.service.Checkouts.Start(m.ctx, m.admin, billing.CheckoutRequest{PlanID: m.main().ID, Interval: catalog.Monthly})
				return err
			},
		},
	}
}

func runningStates() []Scenario {
	return []Scenario{
		{
			Name: "active", Group: groupRunning, Title: "Active, in sync", Needs: needsMain,
			Sentence: "A monthly plan, bought in Checkout; people and seats agree.",
			make:     func(m *maker) error { return m.bought(cast()) },
		},
		{
			Name: "yearly", Group: groupRunning, Title: "Active, yearly", Needs: needsYearly,
			Sentence: "A yearly plan, bought in Checkout.",
			make: func(m *maker) error {
				if err := m.found(cast()); err != nil {
					return err
				}
				return m.buy(m.main(), catalog.Yearly, cardPays)
			},
		},
		{
			Name: "invoiced", Group: groupRunning, Title: "Pays by invoice", Needs: needsMain,
			Sentence: "Stripe sends an invoice, to be paid within 30 days, and charges no card.",
			make:     invoiced,
		},
		{
			Name: Year, Group: groupRunning, Title: YearTitle, Needs: needsMain, Page: PageDashboard,
			Sentence: "Twelve months of invoices, changes of seats and credits.",
			make:     (*maker).year,
		},
		{
			Name: "two-subscriptions", Group: groupRunning, Title: "Two subscriptions", Needs: needsMain,
			Sentence: "A second subscription to the plan was created in Stripe's Dashboard: both are kept.",
			make: func(m *maker) error {
				if err := m.bought(cast()); err != nil {
					return err
				}
				return m.subscribe(m.main(), catalog.Monthly, tokenPays, url.Values{"items[0][quantity]": {"2"}})
			},
		},
	}
}

// bought founds the organization and buys the main plan monthly.
func (m *maker) bought(people []person) error {
	if err := m.found(people); err != nil {
		return err
	}
	return m.buy(m.main(), catalog.Monthly, cardPays)
}

func pausing(days string) url.Values {
	return url.Values{"trial_period_days": {days}, "trial_settings[end_behavior][missing_payment_method]": {"pause"}}
}

// trial founds the organization and starts a trial. With a start in the past, it is on a test
// clock.
func (m *maker) trial(start time.Time, card string, form url.Values) error {
	if err := m.found(cast()); err != nil {
		return err
	}
	clock := start
	if !start.Before(m.now().Add(-time.Hour)) {
		clock = time.Time{}
	}
	if err := m.customer(clock); err != nil {
		return err
	}
	if err := m.subscribe(m.main(), catalog.Monthly, card, form); err != nil {
		return err
	}
	return m.status(billing.StatusTrialing)
}

// incomplete starts a subscription whose first payment does not succeed.
func (m *maker) incomplete(card string) error {
	if err := m.found(cast()); err != nil {
		return err
	}
	if err := m.customer(time.Time{}); err != nil {
		return err
	}
	if err := m.subscribe(m.main(), catalog.Monthly, card, url.Values{"payment_behavior": {"allow_incomplete"}}); err != nil {
		return err
	}
	return m.overview("the open invoice", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusIncomplete && o.OpenInvoice != nil && o.Trouble != nil
	})
}

func invoiced(m *maker) error {
	if err := m.found(cast()); err != nil {
		return err
	}
	if err := m.customer(time.Time{}); err != nil {
		return err
	}
	err := m.subscribe(m.main(), catalog.Monthly, "", url.Values{"collection_method": {"send_invoice"}, "days_until_due": {"30"}})
	if err != nil {
		return err
	}
	if err := m.status(billing.StatusActive); err != nil {
		return err
	}
	var latest object
	if err := m.stripe.call(m.ctx, http.MethodGet, "/v1/subscriptions/"+m.subscriptionID, nil, &latest); err != nil {
		return err
	}
	if err := m.post("/v1/invoices/"+latest.LatestInvoice+"/finalize", nil, nil); err != nil {
		return err
	}
	return m.compare()
}

// observers returns the cast and two people without a seat.
func observers() []person {
	return append(cast(), person{"Fumiko Tanabe", account.RoleMember, false}, person{"Gus Papadakis", account.RoleMember, false})
}
