package scenario

import (
	"errors"
	"net/http"
	"net/url"

	"usher/billing"
	"usher/billing/catalog"
	"usher/stripelocal"
)

func paymentStates() []Scenario {
	return []Scenario{
		{
			Name: "card-declined", Group: groupPayments, Title: "Past due: card declined", Needs: needsMain,
			Sentence: "The renewal was declined two days ago; Stripe tries again.",
			make:     func(m *maker) error { return m.pastDue(2, tokenDeclines, "") },
		},
		{
			Name: "insufficient-funds", Group: groupPayments, Title: "Past due: insufficient funds", Needs: needsMain,
			Sentence: "The last attempt failed because the account behind the card had too little money.",
			make:     func(m *maker) error { return m.pastDue(2, tokenDeclines, "pm_card_chargeDeclinedInsufficientFunds") },
		},
		{
			Name: "card-expired", Group: groupPayments, Title: "Past due: card expired", Needs: needsMain,
			Sentence: "The last attempt failed because the card has expired.",
			make:     func(m *maker) error { return m.pastDue(2, tokenDeclines, "pm_card_chargeDeclinedExpiredCard") },
		},
		{
			Name: "renewal-3ds", Group: groupPayments, Title: "Past due: needs 3-D Secure", Needs: needsMain,
			Sentence: "The bank wants the renewal confirmed; nothing is tried until somebody does.",
			make:     func(m *maker) error { return m.pastDue(2, tokenConfirms, "") },
		},
		{
			Name: "no-access", Group: groupPayments, Title: "Past due, access ended", Needs: needsMain,
			Sentence: "The renewal has been unpaid for ten days: access has ended, Stripe still tries.",
			make:     func(m *maker) error { return m.pastDue(10, tokenDeclines, "") },
		},
		{
			Name: "unpaid", Group: groupPayments, Title: "Unpaid", Needs: needsMain,
			Sentence: "Every attempt failed: access has ended, and the invoice can still be paid.",
			make:     unpaid,
		},
		{
			Name: "paused", Group: groupPayments, Title: "Paused without a card", Needs: needsMain,
			Sentence: "The trial ended without a card: the plan is paused until there is one.",
			make: func(m *maker) error {
				if err := m.trial(m.now().AddDate(0, 0, -9), "", pausing("7")); err != nil {
					return err
				}
				if err := m.advance(m.now()); err != nil {
					return err
				}
				return m.status(billing.StatusPaused)
			},
		},
		{
			Name: "seats-declined", Group: groupPayments, Title: "Payment for a seat declined",
			Needs:    needs(`proration_on_increase = "always_invoice"`, chargesAtOnce),
			Sentence: "A new seat is charged at once and the card was declined: the seat is not paid.",
			make:     seatsDeclined,
		},
	}
}

// started founds the organization and starts the main plan a month and some days ago, on a test
// clock.
func (m *maker) started(days int) error {
	if err := m.found(cast()); err != nil {
		return err
	}
	if err := m.customer(m.now().AddDate(0, -1, -days)); err != nil {
		return err
	}
	if err := m.subscribe(m.main(), catalog.Monthly, tokenPays, nil); err != nil {
		return err
	}
	return m.status(billing.StatusActive)
}

// pastDue leaves the renewal unpaid since some days. last is a card with which somebody tried to
// pay it after that; empty: nobody did.
func (m *maker) pastDue(days int, card, last string) error {
	if err := m.started(days); err != nil {
		return err
	}
	if err := m.useCard(card); err != nil {
		return err
	}
	if err := m.advance(m.now()); err != nil {
		return err
	}
	if err := m.overview("the unpaid renewal", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusPastDue && o.OpenInvoice != nil && o.Trouble != nil
	}); err != nil || last == "" {
		return err
	}
	return m.tryToPay(last)
}

// tryToPay pays the open invoice with a card that is refused.
func (m *maker) tryToPay(card string) error {
	o, err := m.service.Overviews.Get(m.ctx, m.admin)
	if err != nil {
		return err
	}
	before := len(o.Trouble.Attempts)
	err = m.post("/v1/invoices/"+o.OpenInvoice.ID+"/pay", url.Values{"payment_method": {card}}, nil)
	var refused *refusal
	if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusPaymentRequired) {
		return err
	}
	return m.overview("the failed attempt", func(o billing.Overview) bool { return o.Trouble != nil && len(o.Trouble.Attempts) > before })
}

func unpaid(m *maker) error {
	if err := m.started(17); err != nil {
		return err
	}
	if err := m.failRetries(stripelocal.AfterDunningUnpaid); err != nil {
		return err
	}
	return m.overview("the end of the retries", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusUnpaid && o.OpenInvoice != nil && o.Trouble != nil
	})
}

// failRetries lets the renewal and every retry fail, up to the present. What follows the last retry
// is a setting of the account, which is put back: one scenario at a time has its own.
func (m *maker) failRetries(afterwards string) error {
	if err := m.useCard(tokenDeclines); err != nil {
		return err
	}
	m.board.dunning.Lock()
	defer m.board.dunning.Unlock()
	stripe := m.board.options.Stripe
	before := stripe.AfterDunning()
	if err := stripe.SetAfterDunning(afterwards); err != nil {
		return err
	}
	return errors.Join(m.advance(m.now()), stripe.SetAfterDunning(before))
}

func seatsDeclined(m *maker) error {
	plan, _ := findPlan(m.plans(), chargesAtOnce)
	if err := m.found(cast()[:4]); err != nil {
		return err
	}
	if err := m.buy(plan, catalog.Monthly, cardPays); err != nil {
		return err
	}
	if err := m.useCard(tokenDeclines); err != nil {
		return err
	}
	if _, err := m.join(cast()[4], 4); err != nil {
		return err
	}
	return m.overview("the declined payment", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncError || o.Trouble != nil })
}
