package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// RunningChange is a change of plan that was confirmed and has not ended: it is being sent to
// Stripe, its payment is not complete, or it is scheduled.
type RunningChange struct {
	PlanChange
	To PlanOffer
	// AwaitsConfirmation means that the bank asks for a confirmation of the payment; false while
	// the invoice is not stored.
	AwaitsConfirmation bool
}

// Due returns the amount that was confirmed.
func (c RunningChange) Due() catalog.Money {
	return catalog.Money{Minor: c.AmountDue, Currency: c.Currency}
}

// Running returns the change of plan that is under way, from the store; false: none is.
func (pc *PlanChanges) Running(ctx context.Context, a account.Access) (RunningChange, bool, error) {
	change, known, err := apperr.Found(pc.store.PlanChanges().Running(ctx, a.Organization.ID))
	if err != nil || !known {
		return RunningChange{}, false, err
	}
	running := RunningChange{PlanChange: change, To: pc.offerOf(change.PriceID)}
	if change.Status != PlanChangePending || change.InvoiceID == "" {
		return running, true, nil
	}
	invoice, known, err := apperr.Found(pc.store.Invoices().Get(ctx, change.InvoiceID))
	if err != nil {
		return running, false, fmt.Errorf("read invoice of plan change: %w", err)
	}
	running.AwaitsConfirmation = known && invoice.ActionRequired
	return running, true, nil
}

// Get returns a change of the organization's plan, from the store; false: it has none with this id.
func (pc *PlanChanges) Get(ctx context.Context, a account.Access, id string) (PlanChange, bool, error) {
	return apperr.Found(pc.store.PlanChanges().Get(ctx, a.Organization.ID, id))
}

// Cheaper lists the plans of the same interval and currency that cost less for the billed members,
// and take all of them; none while the plan cannot be changed.
func (pc *PlanChanges) Cheaper(o Overview) []PlanOffer {
	if o.Subscription == nil || o.Plan == nil || !o.Subscription.PlanChangeable() {
		return nil
	}
	current := PlanOffer{*o.Plan, o.Price}
	var cheaper []PlanOffer
	for _, plan := range pc.Catalog().Plans {
		price, offered := plan.Price(o.Price.Interval)
		offer := PlanOffer{plan, price}
		if offered && checkPlanChange(*o.Subscription, current, offer, o.Seats.Billable) == nil && price.ID != "" &&
			offer.amount(o.Seats.Billable) < current.amount(o.Seats.Billable) {
			cheaper = append(cheaper, offer)
		}
	}
	return cheaper
}

// Total returns the price of one period for a number of billed members, before discounts and tax.
func (o PlanOffer) Total(billed int) catalog.Money {
	return catalog.Money{Minor: o.amount(billed), Currency: o.Price.Amount.Currency}
}
