package scenario

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"usher/billing"
	"usher/billing/catalog"
	"usher/stripelocal"
)

func endStates() []Scenario {
	return []Scenario{
		{
			Name: "downgrade", Group: groupEnds, Title: "Smaller plan scheduled", Needs: needsSmaller,
			Sentence: "A smaller plan begins with the next period; until then nothing changes.",
			make:     downgrade,
		},
		{
			Name: "canceling", Group: groupEnds, Title: "Ends with the period", Needs: needsMain,
			Sentence: "The plan was canceled and runs until the end of what is paid.",
			make: func(m *maker) error {
				if err := m.bought(cast()); err != nil {
					return err
				}
				preview, err := m.service.Cancellations.Preview(m.ctx, m.admin)
				if err != nil {
					return err
				}
				return m.service.Cancellations.Cancel(m.ctx, m.admin, billing.CancelRequest{EndsAt: preview.EndsAt})
			},
		},
		{
			Name: "canceled", Group: groupEnds, Title: "Plan ended", Needs: needsMain,
			Sentence: "The plan was ended at once in Stripe's Dashboard; its invoices remain.",
			make: func(m *maker) error {
				if err := m.bought(cast()); err != nil {
					return err
				}
				if err := m.stripe.call(m.ctx, http.MethodDelete, "/v1/subscriptions/"+m.subscriptionID, nil, nil); err != nil {
					return err
				}
				return m.status(billing.StatusCanceled)
			},
		},
		{
			Name: "given-up", Group: groupEnds, Title: "Ended after failed payments", Needs: needsMain,
			Sentence: "Every attempt to collect the renewal failed, and Stripe ended the plan.",
			make: func(m *maker) error {
				if err := m.started(17); err != nil {
					return err
				}
				if err := m.failRetries(stripelocal.AfterDunningCancel); err != nil {
					return err
				}
				return m.status(billing.StatusCanceled)
			},
		},
		{
			Name: "deletion", Group: groupEnds, Title: "To be deleted", Needs: needsMain, Page: PageGeneral,
			Sentence: "An admin asked to delete the organization: it can be kept for seven days.",
			make: func(m *maker) error {
				if err := m.bought(cast()); err != nil {
					return err
				}
				return m.service.Deletions.Request(m.ctx, m.admin, m.admin.Organization.Name)
			},
		},
		{
			Name: "customer-deleted", Group: groupEnds, Title: "Customer deleted at Stripe", Needs: needsMain,
			Sentence: "Somebody deleted the customer in Stripe's Dashboard, and the plan with it.",
			make: func(m *maker) error {
				if err := m.bought(cast()); err != nil {
					return err
				}
				if err := m.stripe.call(m.ctx, http.MethodDelete, "/v1/customers/"+m.customerID, nil, nil); err != nil {
					return err
				}
				return m.overview("the deletion", func(o billing.Overview) bool {
					return o.CustomerID == "" && (o.Subscription == nil || o.Subscription.Status.Ended())
				})
			},
		},
	}
}

func downgrade(m *maker) error {
	if err := m.bought(cast()); err != nil {
		return err
	}
	smaller, _ := smallerPlan(m.plans())
	preview, err := m.service.PlanChanges.Preview(m.ctx, m.admin, smaller.ID, catalog.Monthly)
	if err != nil {
		return err
	}
	if _, err := m.service.PlanChanges.Apply(m.ctx, m.admin, smaller.ID, catalog.Monthly, preview.Confirm()); err != nil {
		return err
	}
	return m.overview("the scheduled plan", func(o billing.Overview) bool { return o.Subscription.ScheduledPriceID != "" })
}

func moneyStates() []Scenario {
	return []Scenario{
		{
			Name: "refunded", Group: groupMoney, Title: "Refunded", Needs: needsMain, Page: PageInvoices,
			Sentence: "The first payment was refunded in full, and its credits are gone.",
			make:     func(m *maker) error { return m.refunded(1) },
		},
		{
			Name: "partly-refunded", Group: groupMoney, Title: "Partly refunded", Needs: needsMain, Page: PageInvoices,
			Sentence: "A third of the first payment was refunded.",
			make:     func(m *maker) error { return m.refunded(3) },
		},
		{
			Name: "disputed", Group: groupMoney, Title: "Disputed", Needs: needsMain, Page: PageInvoices,
			Sentence: "The card's owner disputes the first payment.",
			make: func(m *maker) error {
				if err := m.found(cast()); err != nil {
					return err
				}
				return errors.Join(m.buy(m.main(), catalog.Monthly, cardDispute), m.compare())
			},
		},
		{
			Name: "credits-low", Group: groupMoney, Title: "Credits nearly used up", Needs: needsCredits, Page: PageCredits,
			Sentence: "Most of the month's credits are used.",
			make:     func(m *maker) error { return m.consumed(97) },
		},
		{
			Name: "credits-none", Group: groupMoney, Title: "No credits left", Needs: needsCredits, Page: PageCredits,
			Sentence: "All of the month's credits are used.",
			make:     func(m *maker) error { return m.consumed(100) },
		},
		{
			Name: "pack-without-plan", Group: groupMoney, Title: "A pack without a plan", Needs: needsPack, Page: PageCredits,
			Sentence: "Credits were bought, without a plan.",
			make: func(m *maker) error {
				if err := m.found(cast()); err != nil {
					return err
				}
				session, err := m.service.Checkouts.StartPack(m.ctx, m.admin, billing.CheckoutRequest{PackID: m.plans().Packs[0].ID})
				if err != nil {
					return err
				}
				if err := m.pay(session, cardPays); err != nil {
					return err
				}
				return m.overview("the credits", func(o billing.Overview) bool { return o.Credits.Balance > 0 })
			},
		},
	}
}

// refunded refunds a part of the first payment in Stripe's Dashboard: all of it divided by a
// number.
func (m *maker) refunded(divisor int64) error {
	if err := m.bought(cast()); err != nil {
		return err
	}
	charge, err := m.latestCharge()
	if err != nil {
		return err
	}
	var paid struct{ Amount int64 }
	if err := m.stripe.call(m.ctx, http.MethodGet, "/v1/charges/"+charge, nil, &paid); err != nil {
		return err
	}
	form := url.Values{"charge": {charge}, "amount": {strconv.FormatInt(paid.Amount/divisor, 10)}}
	if err := m.post("/v1/refunds", form, nil); err != nil {
		return err
	}
	return m.until("the refund", func() (bool, error) {
		invoices, err := m.service.Invoices.List(m.ctx, m.admin)
		if err != nil || len(invoices) == 0 {
			return false, err
		}
		some, all := invoices[0].Returned()
		return some || all, nil
	})
}

// consumed consumes a part of the month's credits, in several steps.
func (m *maker) consumed(percent int) error {
	if err := m.bought(cast()); err != nil {
		return err
	}
	granted := 0
	err := m.overview("the credits", func(o billing.Overview) bool {
		granted = o.Credits.Granted
		return granted > 0
	})
	if err != nil {
		return err
	}
	left := granted * percent / 100
	for i, reason := range []string{"season poster", "seat map", "newsletter"} {
		amount := left / (3 - i)
		left -= amount
		if amount == 0 {
			continue
		}
		_, err := m.service.Credits.Consume(m.ctx, m.admin, billing.Consumption{Amount: amount, Reason: reason, IdempotencyKey: m.scenario.Name + reason})
		if err != nil {
			return err
		}
	}
	return nil
}
