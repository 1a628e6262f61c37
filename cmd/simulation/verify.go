package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/billing"
)

// verifier compares an environment's database with Stripe, with the members and with the oracle.
// Its methods record divergences; their errors mean that the comparison itself failed.
type verifier struct{ env *environment }

// verify compares every history after all work has completed.
func (v verifier) verify(ctx context.Context) error {
	o, err := v.env.openOracle(ctx)
	if err != nil {
		return err
	}
	defer o.store.Close()
	money, err := v.env.openMoneyOracle(ctx)
	if err != nil {
		return err
	}
	for _, h := range v.env.histories {
		if err := money.verify(ctx, h); err != nil {
			return err
		}
		if err := v.verifyState(ctx, h); err != nil {
			return err
		}
		if err := v.verifyCredits(ctx, h, o); err != nil {
			return err
		}
	}
	v.verifyMails()
	return nil
}

// verifyBeforeReconciliation compares a batch that lost no event before the reconciler runs, which
// could repair a wrong decision.
func (v verifier) verifyBeforeReconciliation(ctx context.Context) error {
	if v.env.losesEvents() {
		return nil
	}
	results := v.env.results
	before := results.divergenceCount()
	for _, h := range v.env.histories {
		results.verifiedEarly++
		if err := errors.Join(v.verifyState(ctx, h), v.verifyLedger(ctx, h)); err != nil {
			return err
		}
	}
	results.prefixDivergences(before, "before the reconciliation, ")
	return nil
}

// verifyState checks that the stored subscriptions equal Stripe's, that the quantity is the number
// of billed members, that at most one subscription is current, and that no event has failed.
func (v verifier) verifyState(ctx context.Context, h *history) error {
	links, err := v.env.store.Customers().Links(ctx, v.env.account, h.organizationID)
	if err != nil {
		return err
	}
	sold, err := v.env.store.Checkouts().SubscriptionIDs(ctx, h.organizationID)
	if err != nil {
		return err
	}
	counts := subscriptionCounts{sold: sold}
	for _, link := range links {
		listed, err := v.env.gateway.Subscriptions(ctx, link.StripeCustomerID)
		if err != nil {
			return err
		}
		for _, atStripe := range listed {
			v.verifySubscription(ctx, h, atStripe, &counts)
		}
	}
	if counts.current > 1 {
		h.diverged("%d subscriptions are current", counts.current)
	}
	if counts.paid > 1 {
		h.diverged("%d plans sold in Usher are paid at the same time", counts.paid)
	}
	return v.verifyEvents(ctx, h)
}

// subscriptionCounts counts an organization's subscriptions.
type subscriptionCounts struct {
	sold    []string // ids of those that a Checkout of Usher has sold
	current int      // in Usher
	paid    int      // at Stripe, of those sold in Usher
}

func (v verifier) verifySubscription(ctx context.Context, h *history, atStripe billing.Subscription, counts *subscriptionCounts) {
	atStripe = atStripe.Classified(v.env.plans)
	stored, err := v.env.store.Subscriptions().Get(ctx, atStripe.ID)
	if err != nil {
		h.diverged("%s is %s at Stripe and not in Usher: %v", atStripe.ID, atStripe.Status, err)
		return
	}
	if stored.IsCurrent {
		counts.current++
	}
	living := atStripe.Status == billing.StatusActive || atStripe.Status == billing.StatusTrialing
	if living && slices.Contains(counts.sold, atStripe.ID) {
		counts.paid++
	}
	if stored.Status != atStripe.Status || stored.Quantity != atStripe.Quantity || stored.PriceID != atStripe.PriceID ||
		stored.CancelAtPeriodEnd != atStripe.CancelAtPeriodEnd || !stored.CurrentPeriodEnd.Equal(atStripe.CurrentPeriodEnd) {
		h.diverged("stored %s, at Stripe %s", summary(stored), summary(atStripe))
	}
	if stored.IsCurrent && atStripe.Status.SeatsSynced() {
		v.verifySeats(ctx, h, atStripe)
	}
}

func summary(s billing.Subscription) string {
	cancel := ""
	if s.CancelAtPeriodEnd {
		cancel = ", canceled at period end"
	}
	return fmt.Sprintf("%s ×%d %s until %v%s", s.Status, s.Quantity, s.PriceID, s.CurrentPeriodEnd, cancel)
}

// verifySeats checks that the quantity is the number of billed members, or 1 for a flat plan. It
// may be larger where removed seats stay paid.
func (v verifier) verifySeats(ctx context.Context, h *history, atStripe billing.Subscription) {
	billed, err := v.env.store.Members().CountBillable(ctx, h.organizationID)
	want := max(1, billed)
	plan, _, _ := v.env.plans.ByPrice(atStripe.PriceID)
	if !soldPlans[plan.ID].perSeat {
		want = 1
	}
	paid := soldPlans[plan.ID].atRenewal && atStripe.Quantity > want
	if err != nil || atStripe.Quantity != want && !paid {
		h.diverged("%d members are billed and the quantity at Stripe is %d (%v)", billed, atStripe.Quantity, err)
	}
}

func (v verifier) verifyEvents(ctx context.Context, h *history) error {
	var failed int
	err := v.env.store.DB().GetContext(ctx, &failed, `
		select count(*) from stripe_events where organization_id = $1 and outcome = 'failed' and error <> $2`,
		h.organizationID, deadLetterError)
	if failed > 0 {
		h.diverged("%d events have failed", failed)
	}
	return err
}

// verifyLedger checks that the ledger reports no change of a quantity at Stripe since
// [environment.delaySeatResponses]: there was none.
func (v verifier) verifyLedger(ctx context.Context, h *history) error {
	var lines []string
	err := v.env.store.DB().SelectContext(ctx, &lines, `
		select format('%s %s: %s to %s', version, reason, from_seats, to_seats) from seat_changes
		where organization_id = $1 and id > $2 order by id`, h.organizationID, v.env.ledgerStart)
	if ledger := strings.Join(lines, "; "); strings.Contains(ledger, billing.ReasonResent) {
		h.diverged("the ledger reports a change at Stripe that was not made: %s (at Stripe: %s)", ledger, v.quantitiesAtStripe(ctx, h))
	}
	return err
}

// quantitiesAtStripe lists what the events of the organization's subscriptions show, with the
// idempotency key of the request; none: somebody else's.
func (v verifier) quantitiesAtStripe(ctx context.Context, h *history) string {
	var lines []string
	err := v.env.store.DB().SelectContext(ctx, &lines, `
		select format('%s %s × %s, schedule %s, by %s', to_char(created, 'MM-DD HH24:MI:SS'), p #>> '{data,object,items,data,0,price,lookup_key}',
			p #>> '{data,object,items,data,0,quantity}', p #>> '{data,object,schedule}', p #>> '{request,idempotency_key}')
		from (select created, id, payload::jsonb as p from stripe_events where organization_id = $1 and type like 'customer.subscription.%') e
		order by created, id`, h.organizationID)
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "; ")
}

// verifyCredits checks that the balance equals the oracle's and the sum of the ledger.
func (v verifier) verifyCredits(ctx context.Context, h *history, o *oracle) error {
	want, err := o.balance(ctx, h)
	if err != nil {
		return err
	}
	balance, err := creditBalance(ctx, v.env.store, h)
	if err != nil {
		return err
	}
	var sum int
	err = v.env.store.DB().GetContext(ctx, &sum, `
		select coalesce(sum(amount), 0) from credit_entries where organization_id = $1`, h.organizationID)
	if err != nil {
		return err
	}
	if balance != want || balance != sum {
		h.diverged("the balance is %d credits, the ledger's sum %d, the oracle's balance %d", balance, sum, want)
	}
	return nil
}

// verifyMails checks that an e-mail is repeated at most once for each crash.
func (v verifier) verifyMails() {
	crashes := v.env.results.kills + v.env.results.databaseCrashes
	for id, deliveries := range v.env.mails.deliveries {
		if deliveries > 1+crashes {
			v.env.results.diverged(fmt.Sprintf("the e-mail %s was sent %d times", id, deliveries))
		}
	}
}
