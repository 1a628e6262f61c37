package main

import (
	"context"
	"sync"
	"time"
)

// playFinalScenarios plays three situations on purpose, not at random, and only where the result is
// then verified by the events alone. Usher knows every earlier change at Stripe when they begin, so
// that the verifier can tell those changes from what the scenarios cause.
func (e *environment) playFinalScenarios(ctx context.Context) error {
	if e.losesEvents() {
		return nil
	}
	e.webhookProxy.deliverHeld(afterLastRound)
	for _, scenario := range []func(context.Context) error{
		e.awaitIdle, e.delaySeatResponses, e.loseSeatResponses,
	} {
		if err := scenario(ctx); err != nil {
			return err
		}
	}
	e.each(evenSeed, toggleCancellationRepeatedly)
	return nil
}

// delaySeatResponses changes the number of seats of every organization a second time while Stripe's
// response to the first change is delayed. No quantity is changed at Stripe meanwhile, so the
// ledger must not report such a change.
func (e *environment) delaySeatResponses(ctx context.Context) error {
	err := e.store.DB().GetContext(ctx, &e.ledgerStart, `select coalesce(max(id), 0) from seat_changes`)
	if err != nil {
		return err
	}
	release := e.faultProxy.delayResponses()
	e.each(everyHistory, toggleBillable)
	if err := e.advance(ctx, time.Minute); err != nil {
		return err
	}
	e.awaitSeatAttempts(ctx)
	e.each(everyHistory, toggleBillable)
	release()
	if err := e.advance(ctx, time.Minute); err != nil {
		return err
	}
	return e.awaitIdle(ctx)
}

// loseSeatResponses changes the number of seats in half of the histories, loses Stripe's responses,
// and changes the subscriptions at Stripe before the retry. Stripe replays the lost response under
// the same idempotency key, with the state from before the second change. Webhooks are held
// meanwhile: they would deliver the lost state.
func (e *environment) loseSeatResponses(ctx context.Context) error {
	e.webhookProxy.holdAll(true)
	defer e.webhookProxy.holdAll(false)
	e.faultProxy.dropResponses(true)
	e.each(oddSeed, toggleBillable)
	if err := e.advance(ctx, time.Minute); err != nil {
		return err
	}
	e.awaitSeatAttempts(ctx)
	e.each(oddSeed, toggleCancellation)
	e.faultProxy.dropResponses(false)
	if err := e.advance(ctx, 10*time.Minute); err != nil {
		return err
	}
	return e.awaitIdle(ctx)
}

const countUnattemptedSeats = `
	select count(*) from billing_seat_state where due_at is not null and not attempt_open`

// awaitSeatAttempts waits up to 12 seconds until every due change of seats has been sent to Stripe.
// A change that has not been sent by then is sent later and is not part of the scenario.
func (e *environment) awaitSeatAttempts(ctx context.Context) {
	for deadline := time.Now().Add(12 * time.Second); time.Now().Before(deadline); time.Sleep(pollInterval) {
		var left int
		err := e.store.DB().GetContext(ctx, &left, countUnattemptedSeats)
		if err == nil && left == 0 || ctx.Err() != nil {
			return
		}
	}
	e.results.countFault("scenario: seat changes not sent in time", 1)
}

// The last scenario of one half of the histories must not repair that of the other half.
func evenSeed(h *history) bool   { return h.seed%2 == 0 }
func oddSeed(h *history) bool    { return h.seed%2 == 1 }
func everyHistory(*history) bool { return true }

// each performs an action concurrently in all histories that match.
func (e *environment) each(matches func(*history) bool, a action) {
	var group sync.WaitGroup
	for _, h := range e.histories {
		if matches(h) {
			group.Go(func() { h.do(a) })
		}
	}
	group.Wait()
}
