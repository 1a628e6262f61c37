package billing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/phrase"
)

// PlanChanges changes the plan of an organization's subscription. Preview shows what a change
// costs by Stripe's own calculation and stores it, Apply makes exactly that change. An upgrade is
// made at once and charged; a downgrade begins with the next period, by a subscription schedule.
type PlanChanges struct {
	*core
	subscriptions *Subscriptions
	invoices      *Invoices
}

// PlanChangeGateway previews and makes plan changes.
type PlanChangeGateway interface {
	// PreviewPlanChange returns the invoice that the update would create at once or, if it creates
	// none, the next one.
	PreviewPlanChange(ctx context.Context, update PlanUpdate) (InvoicePreview, error)
	// ChangePlan sets price and quantity of the seat item. If the payment fails, the subscription
	// stays as it is and the answer has a pending update.
	ChangePlan(ctx context.Context, update PlanUpdate) (UpdatedSubscription, error)
	// SchedulePlan sets price and quantity of the seat item for the time after the current period.
	SchedulePlan(ctx context.Context, plan PlanSchedule) (scheduleID string, err error)
	// ReleaseSchedule detaches a schedule from its subscription, which continues unchanged. For
	// one that is no longer active it returns a StripeError with status 400.
	ReleaseSchedule(ctx context.Context, id string) error
}

// PlanUpdate is an update of price and quantity of the seat item.
type PlanUpdate struct {
	SubscriptionID string
	ItemID         string
	PriceID        string
	Quantity       int
	Proration      catalog.Proration // always_invoice or none
	// ProratedAt is the time up to which the former price counts as used; nil: now. Not with none.
	ProratedAt *time.Time
	// TrialEnd keeps the trial of a subscription in trial.
	TrialEnd *time.Time
	// Discounts are, for a preview, the discounts (di_…) that count; nil: those of the
	// subscription.
	Discounts      *[]string
	IdempotencyKey string
}

// PlanSchedule is a change of price and quantity of the seat item at the end of the period.
type PlanSchedule struct {
	SubscriptionID string
	ScheduleID     string // the schedule to update; empty: create one
	FromPriceID    string // the seat item's price until then
	PriceID        string
	Quantity       int
	At             time.Time // the end of the current period
	IdempotencyKey string    // of the creation
}

// PlanChangeKind is when a plan change takes effect and what it costs then.
type PlanChangeKind string

// The kinds of plan change.
const (
	// PlanUpgrade is made at once; the difference is charged.
	PlanUpgrade PlanChangeKind = "upgrade"
	// PlanDowngrade is made at the end of the period.
	PlanDowngrade PlanChangeKind = "downgrade"
	// PlanTrialChange is made at once in a trial. The trial continues, and nothing is charged.
	PlanTrialChange PlanChangeKind = "trial"
)

// PlanChangeStatus is the progress of a plan change.
type PlanChangeStatus string

// The statuses of a plan change.
const (
	PlanChangePreviewed PlanChangeStatus = "previewed" // shown to a person, not confirmed
	PlanChangeOpen      PlanChangeStatus = "open"      // confirmed; Stripe's answer is not stored yet
	PlanChangePending   PlanChangeStatus = "pending"   // its payment failed or needs confirmation
	PlanChangeScheduled PlanChangeStatus = "scheduled" // it begins with the next period
	PlanChangeApplied   PlanChangeStatus = "applied"
	// PlanChangeWithdrawn means that the organization kept its plan, or that the pending payment
	// was not made in time.
	PlanChangeWithdrawn PlanChangeStatus = "withdrawn"
	PlanChangeFailed    PlanChangeStatus = "failed" // refused by Stripe; nothing changed
)

// PlanChange is a previewed or confirmed change of a subscription's plan. The parameters are fixed
// when it is previewed, so a repeated request is the same.
type PlanChange struct {
	ID             string           `db:"id"` // chg_…; also the confirm token and the idempotency key
	OrganizationID string           `db:"organization_id"`
	SubscriptionID string           `db:"subscription_id"`
	ItemID         string           `db:"item_id"`
	Kind           PlanChangeKind   `db:"kind"`
	Status         PlanChangeStatus `db:"status"`
	FromPriceID    string           `db:"from_price_id"`
	PriceID        string           `db:"price_id"`
	Quantity       int              `db:"quantity"` // for the new price
	PeriodEnd      time.Time        `db:"period_end"`
	ProratedAt     *time.Time       `db:"prorated_at"` // upgrade only
	TrialEnd       *time.Time       `db:"trial_end"`   // change in a trial only
	// AmountDue is what was confirmed: the amount due of Stripe's preview, in the minor unit.
	AmountDue int64  `db:"amount_due"`
	Currency  string `db:"currency"`
	// Charged is the amount due of the invoice that the change created; nil: none was created.
	Charged *int64 `db:"charged"`
	// Digest is what the preview showed, see [PlanPreview]; empty: of the release before.
	Digest      string     `db:"digest"`
	InvoiceID   string     `db:"invoice_id"`
	ScheduleID  string     `db:"schedule_id"`
	RequestedBy string     `db:"requested_by"` // user id
	PreviewedAt time.Time  `db:"previewed_at"`
	ConfirmedAt *time.Time `db:"confirmed_at"`
	DoneAt      *time.Time `db:"done_at"`
	SeatVersion int64      `db:"seat_version"` // the SyncVersion at which Quantity was counted
	Attempts    int        `db:"attempts"`     // of the worker, since the last success
	Error       string     `db:"error"`
	RequestID   string     `db:"request_id"` // Stripe's
	// NextAttemptAt is when the worker looks at it again; nil: never.
	NextAttemptAt *time.Time `db:"next_attempt_at"`
}

// running reports whether the change is under way.
func (c PlanChange) running() bool {
	return c.Status == PlanChangeOpen || c.Status == PlanChangePending || c.Status == PlanChangeScheduled
}

// begun reports whether a confirmation was accepted, so that a second one repeats it.
func (c PlanChange) begun() bool { return c.running() || c.Status == PlanChangeApplied }

// update returns the request of an upgrade or a change in a trial.
func (c PlanChange) update() PlanUpdate {
	update := PlanUpdate{
		SubscriptionID: c.SubscriptionID, ItemID: c.ItemID, PriceID: c.PriceID, Quantity: c.Quantity,
		Proration: catalog.ProrationNone, TrialEnd: c.TrialEnd, IdempotencyKey: "plan:" + c.ID,
	}
	if c.Kind == PlanUpgrade {
		update.Proration, update.ProratedAt = catalog.ProrationAlwaysInvoice, c.ProratedAt
	}
	return update
}

// schedule returns the request of a downgrade.
func (c PlanChange) schedule(scheduleID string, quantity int) PlanSchedule {
	return PlanSchedule{
		SubscriptionID: c.SubscriptionID, ScheduleID: scheduleID, FromPriceID: c.FromPriceID, PriceID: c.PriceID,
		Quantity: quantity, At: c.PeriodEnd, IdempotencyKey: "schedule:" + c.ID,
	}
}

// PlanOffer is a plan at a price.
type PlanOffer struct {
	Plan  catalog.Plan
	Price catalog.Price
}

// amount returns the price of one period for a number of billed members.
func (o PlanOffer) amount(billed int) int64 {
	return o.Price.Amount.Minor * int64(o.Plan.Quantity(billed))
}

// classifyPlanChange decides when a change takes effect. It is a pure function. A longer interval
// or a higher amount for the same members is an upgrade, a shorter interval or a lower amount a
// downgrade; an equal amount is made at once. In a trial every change is made at once.
func classifyPlanChange(current Subscription, from, to PlanOffer, billed int) PlanChangeKind {
	switch {
	case current.Status == StatusTrialing:
		return PlanTrialChange
	case from.Price.Interval == catalog.Monthly && to.Price.Interval == catalog.Yearly:
		return PlanUpgrade
	case from.Price.Interval == catalog.Yearly && to.Price.Interval == catalog.Monthly:
		return PlanDowngrade
	case to.amount(billed) < from.amount(billed):
		return PlanDowngrade
	}
	return PlanUpgrade
}

// checkPlanChange returns why a subscription cannot be changed to an offer now, as CodeConflict
// with what helps. It is a pure function.
func checkPlanChange(current Subscription, from, to PlanOffer, billed int) error {
	if err := checkChangeable(current); err != nil {
		return err
	}
	switch {
	case from.Plan.ID == "":
		return apperr.Errorf(apperr.CodeConflict, "Your present plan is no longer offered, so it cannot be changed here. Please write to us.")
	case current.PriceID == to.Price.ID:
		return apperr.Errorf(apperr.CodeConflict, "That is your plan already.")
	case !strings.EqualFold(from.Price.Amount.Currency, to.Price.Amount.Currency):
		return apperr.Errorf(apperr.CodeConflict, "Your plan is billed in %s and %s is offered in %s. A running plan keeps its currency.",
			currencyName(from), to.Plan.Name, currencyName(to))
	}
	if len(current.OtherItems()) > 0 && from.Price.Interval != to.Price.Interval {
		// All items of a subscription have one interval
		// (https://docs.stripe.com/billing/subscriptions/multiple-products).
		return apperr.Errorf(apperr.CodeConflict, "Your subscription has further items that are billed %s, so its interval cannot be changed here. Please write to us.",
			phrase.In(intervalAdverb(from.Price.Interval)))
	}
	return to.Plan.RequireSeats(billed)
}

// checkChangeable returns why the state of a subscription does not allow a change of its plan.
func checkChangeable(current Subscription) error {
	if end, ending := current.EndsAt(); ending {
		return apperr.Errorf(apperr.CodeConflict, "Your plan ends on %s. Keep it first, then change it.", phrase.Date(end))
	}
	switch current.Status {
	case StatusActive, StatusTrialing:
	case StatusPastDue, StatusUnpaid:
		return apperr.Errorf(apperr.CodeConflict, "The last invoice is not paid. Pay it first, then change the plan.")
	case StatusPaused:
		return apperr.Errorf(apperr.CodeConflict, "Your plan is paused. Add a card first, then change the plan.")
	case StatusIncomplete:
		return apperr.Errorf(apperr.CodeConflict, "The first payment is not finished. Finish it first, then change the plan.")
	default:
		return apperr.Errorf(apperr.CodeConflict, MessageNoPlan)
	}
	switch {
	case current.ItemID == "":
		return apperr.Errorf(apperr.CodeConflict, "Your plan cannot be changed here. Please write to us.")
	case current.ScheduledPriceID != "" && current.ScheduledAt != nil:
		return apperr.Errorf(apperr.CodeConflict, "A change of your plan is set for %s already. Keep the present plan first, then choose again.",
			phrase.Date(*current.ScheduledAt))
	case current.ScheduleID != "":
		return apperr.Errorf(apperr.CodeConflict, "An earlier change of your plan is being completed. Please try again in a minute.")
	}
	return nil
}

// PlanChangeable reports whether the state of the subscription allows a change of its plan.
func (s Subscription) PlanChangeable() bool { return checkChangeable(s) == nil }

// currencyName returns the currency of an offer as people write it, such as USD.
func currencyName(o PlanOffer) string { return strings.ToUpper(o.Price.Amount.Currency) }

// dateOf formats a date for a message.
func dateOf(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// changeQuantity returns the quantity that the seat sync would want under a plan: the recounted
// members, at least a quantity accepted from Stripe. Seats kept only because they are paid for the
// period belong to the former price. An imported subscription keeps its quantity.
func changeQuantity(plan catalog.Plan, state SeatState, billed int) int {
	if state.UnconfirmedSubscriptionID != "" {
		return state.DesiredSeats
	}
	quantity := plan.Quantity(billed)
	if plan.PerSeat && plan.AcceptQuantity {
		quantity = max(quantity, state.AcceptedQuantity)
	}
	return quantity
}

// offer finds the plan and price to change to. Error: CodeInvalid.
func (pc *PlanChanges) offer(planID string, interval catalog.Interval) (PlanOffer, error) {
	plan, known := pc.Catalog().Plan(planID)
	price, offered := plan.Price(interval)
	if !known || !offered || price.ID == "" {
		return PlanOffer{}, apperr.Errorf(apperr.CodeInvalid, "There is no such plan.")
	}
	return PlanOffer{plan, price}, nil
}

// offerOf returns the offer that a price belongs to; the zero offer if the catalog does not know
// it.
func (pc *PlanChanges) offerOf(priceID string) PlanOffer {
	plan, price, _ := pc.Catalog().ByPrice(priceID)
	return PlanOffer{plan, price}
}

// refetchCurrent reads the organization's current subscription from Stripe, so that a change
// starts from what is true there. Errors: CodeConflict without a live subscription; CodeStripe.
func (pc *PlanChanges) refetchCurrent(ctx context.Context, a account.Access) (Subscription, error) {
	current, known, err := apperr.Found(pc.store.Subscriptions().Current(ctx, a.Organization.ID, pc.knownAccount()))
	if err != nil {
		return current, fmt.Errorf("look up subscription: %w", err)
	}
	if !known || current.Status.Ended() {
		return current, apperr.Errorf(apperr.CodeConflict, MessageNoPlan)
	}
	fresh, err := pc.subscriptions.refetch(ctx, current.ID)
	if err != nil {
		return current, apperr.StripeFailed("refetch subscription", err)
	}
	return fresh, nil
}
