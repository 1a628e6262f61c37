package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/apperr"
)

// SchedulePlan schedules a price and quantity of the seat item for the end of the period. Stripe
// accepts no other parameter with from_subscription, so a schedule is created and then updated
// (https://docs.stripe.com/billing/subscriptions/subscription-schedules#managing). If the update
// is rejected, the schedule is released: it would only be in the way.
func (g *Gateway) SchedulePlan(ctx context.Context, plan billing.PlanSchedule) (string, error) {
	schedule, err := g.openSchedule(ctx, plan)
	if err != nil {
		return "", err
	}
	params, err := phaseParams(schedule, plan)
	if err == nil {
		_, _, err = call(ctx, "update subscription schedule", func(ctx context.Context) (*stripe.SubscriptionSchedule, error) {
			params.Context = ctx
			return g.schedules.Update(schedule.ID, params)
		})
	}
	if err != nil && plan.ScheduleID == "" && !isOutcomeUnknown(err) {
		if released := g.ReleaseSchedule(context.WithoutCancel(ctx), schedule.ID); released != nil {
			err = fmt.Errorf("%w; release the unfinished schedule: %w", err, released)
		}
	}
	return schedule.ID, err
}

// openSchedule reads the schedule that exists already, or creates one from the subscription.
func (g *Gateway) openSchedule(ctx context.Context, plan billing.PlanSchedule) (*stripe.SubscriptionSchedule, error) {
	id := plan.ScheduleID
	if id == "" {
		created, _, err := call(ctx, "create subscription schedule", func(ctx context.Context) (*stripe.SubscriptionSchedule, error) {
			params := &stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(plan.SubscriptionID)}
			params.Context = ctx
			params.SetIdempotencyKey(plan.IdempotencyKey)
			return g.schedules.New(params)
		})
		if err != nil {
			return nil, err
		}
		id = created.ID
	}
	// Read after the creation: a repeated creation replays an old answer.
	schedule, _, err := call(ctx, "read subscription schedule", func(ctx context.Context) (*stripe.SubscriptionSchedule, error) {
		params := &stripe.SubscriptionScheduleParams{}
		params.Context = ctx
		return g.schedules.Get(id, params)
	})
	return schedule, err
}

// ReleaseSchedule detaches a schedule from its subscription, which continues unchanged. One that
// is no longer active is rejected with status 400.
func (g *Gateway) ReleaseSchedule(ctx context.Context, id string) error {
	_, _, err := call(ctx, "release subscription schedule", func(ctx context.Context) (*stripe.SubscriptionSchedule, error) {
		params := &stripe.SubscriptionScheduleReleaseParams{}
		params.Context = ctx
		return g.schedules.Release(id, params)
	})
	return err
}

// phaseParams returns the current phase as it is, up to the end of the period, and one phase with
// the new price for one interval, after which the schedule releases the subscription. Items other
// than the seat item are kept in both.
func phaseParams(schedule *stripe.SubscriptionSchedule, plan billing.PlanSchedule) (*stripe.SubscriptionScheduleParams, error) {
	current := currentPhase(schedule)
	if current == nil && len(schedule.Phases) > 0 {
		current = schedule.Phases[0] // not started
	}
	if current == nil {
		return nil, &apperr.StripeError{Status: 400, Code: "no_current_phase", Message: "The schedule has no current phase."}
	}
	first := copyPhase(current, nil)
	first.StartDate, first.EndDate = stripe.Int64(current.StartDate), stripe.Int64(plan.At.Unix())
	first.TrialEnd = positive(current.TrialEnd)
	next := copyPhase(current, &plan)
	next.Iterations = stripe.Int64(1)
	next.ProrationBehavior = stripe.String("none")
	params := &stripe.SubscriptionScheduleParams{
		EndBehavior: stripe.String("release"), ProrationBehavior: stripe.String("none"),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{first, next},
	}
	params.AddMetadata("usher", "plan_change")
	return params, nil
}

// copyPhase returns the parameters of a phase. With a plan, its seat item gets the plan's price
// and quantity.
func copyPhase(phase *stripe.SubscriptionSchedulePhase, plan *billing.PlanSchedule) *stripe.SubscriptionSchedulePhaseParams {
	params := &stripe.SubscriptionSchedulePhaseParams{}
	for _, item := range phase.Items {
		if item == nil || item.Price == nil {
			continue
		}
		copied := &stripe.SubscriptionSchedulePhaseItemParams{Price: stripe.String(item.Price.ID)}
		if item.Quantity > 0 { // metered prices have none
			copied.Quantity = stripe.Int64(item.Quantity)
		}
		for _, rate := range item.TaxRates {
			copied.TaxRates = append(copied.TaxRates, stripe.String(rate.ID))
		}
		if plan != nil && item.Price.ID == plan.FromPriceID {
			copied.Price, copied.Quantity = stripe.String(plan.PriceID), stripe.Int64(int64(plan.Quantity))
		}
		params.Items = append(params.Items, copied)
	}
	for _, rate := range phase.DefaultTaxRates {
		params.DefaultTaxRates = append(params.DefaultTaxRates, stripe.String(rate.ID))
	}
	for _, discount := range phase.Discounts {
		params.Discounts = append(params.Discounts, discountParams(discount))
	}
	return params
}

// discountParams keeps an existing discount; a coupon alone would begin anew.
func discountParams(d *stripe.SubscriptionSchedulePhaseDiscount) *stripe.SubscriptionSchedulePhaseDiscountParams {
	switch {
	case d.Discount != nil:
		return &stripe.SubscriptionSchedulePhaseDiscountParams{Discount: stripe.String(d.Discount.ID)}
	case d.PromotionCode != nil:
		return &stripe.SubscriptionSchedulePhaseDiscountParams{PromotionCode: stripe.String(d.PromotionCode.ID)}
	case d.Coupon != nil:
		return &stripe.SubscriptionSchedulePhaseDiscountParams{Coupon: stripe.String(d.Coupon.ID)}
	}
	return &stripe.SubscriptionSchedulePhaseDiscountParams{}
}

// currentPhase returns the phase that current_phase names by its start.
func currentPhase(schedule *stripe.SubscriptionSchedule) *stripe.SubscriptionSchedulePhase {
	if schedule.CurrentPhase == nil {
		return nil
	}
	for _, phase := range schedule.Phases {
		if phase != nil && phase.StartDate == schedule.CurrentPhase.StartDate {
			return phase
		}
	}
	return nil
}

// nextPhase returns the phase that begins when the current one ends; nil: none.
func nextPhase(schedule *stripe.SubscriptionSchedule) *stripe.SubscriptionSchedulePhase {
	if schedule.CurrentPhase == nil {
		return nil
	}
	for _, phase := range schedule.Phases {
		if phase != nil && phase.StartDate == schedule.CurrentPhase.EndDate {
			return phase
		}
	}
	return nil
}

func positive(seconds int64) *int64 {
	if seconds <= 0 {
		return nil
	}
	return stripe.Int64(seconds)
}
