package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"usher/stripelocal"
)

// rounds is the number of rounds a batch is played in. Days pass between two rounds.
const rounds = 4

// play plays all histories concurrently, round by round, and verifies the result.
func (e *environment) play(ctx context.Context) error {
	if err := e.createHistories(ctx); err != nil {
		return err
	}
	if err := e.insertBacklog(ctx); err != nil {
		return err
	}
	e.injectStripeErrors()
	e.injectStripeHangs()
	random := rand.New(rand.NewPCG(e.seed, 99))
	for round := range rounds {
		if err := e.playRound(ctx, round, random); err != nil {
			return err
		}
	}
	if err := e.finish(ctx); err != nil {
		return err
	}
	v := verifier{e}
	return errors.Join(v.verify(ctx), v.verifyBacklog(ctx), e.playMonths(ctx))
}

func (e *environment) playRound(ctx context.Context, round int, random *rand.Rand) error {
	e.round.Store(int64(round))
	if err := e.pushNewPrices(ctx, round); err != nil {
		return err
	}
	e.webhookProxy.deliverHeld(round)
	var group sync.WaitGroup
	if roll := random.Int(); roll%2 == 0 {
		group.Go(func() { e.exhaustPool(ctx, roll/2) })
	}
	if e.crashesLeft > 0 {
		e.crashesLeft--
		delay := time.Duration(100+random.IntN(900)) * time.Millisecond
		group.Go(func() { e.crashDatabase(ctx, delay) })
	}
	for _, h := range e.histories {
		group.Go(func() { h.playRound(round) })
	}
	group.Wait()
	if err := e.awaitDatabase(ctx); err != nil {
		return err
	}
	if err := e.advance(ctx, time.Duration(1+random.IntN(24))*24*time.Hour); err != nil {
		return err
	}
	if e.losesEvents() {
		e.reconcile(ctx, random)
	}
	return nil
}

// reconcile runs the reconciler on a random replica. A run that fails is repeated, as the hourly
// runs are; Stripe keeps events for 30 days.
func (e *environment) reconcile(ctx context.Context, random *rand.Rand) {
	for range 20 {
		if _, err := e.replicas[random.IntN(replicaCount)].perform(ctx, operation{Kind: reconcileAll}); err == nil {
			return
		}
	}
}

// advance moves the clocks of Stripe and of the replicas forward.
func (e *environment) advance(ctx context.Context, by time.Duration) error {
	e.stripe.AdvanceClock(e.stripe.Now().Add(by))
	offset := time.Until(e.stripe.Now()).Round(time.Second)
	for _, replica := range e.replicas {
		if err := replica.setClockOffset(ctx, offset); err != nil {
			return err
		}
	}
	return nil
}

// injectStripeErrors lets 1 % of the calls fail with each kind of error.
func (e *environment) injectStripeErrors() {
	faults := e.stripe.Faults()
	faults.Seed(e.seed)
	for _, kind := range []stripelocal.FaultKind{
		stripelocal.RateLimited, stripelocal.LockTimeout, stripelocal.ServerError, stripelocal.TimeoutBefore,
		stripelocal.TimeoutAfter,
	} {
		_, _ = faults.Add(stripelocal.Fault{Kind: kind, Path: "/v1/**", Chance: 0.01})
	}
}

// finish stops the faults and lets all work complete: delayed webhooks are delivered and the
// reconciler finds lost events. Before the reconciler runs, a batch that lost no event is verified.
func (e *environment) finish(ctx context.Context) error {
	e.stripe.Faults().Clear()
	e.round.Store(rounds) // no event is held for a later round from now on
	for _, replica := range e.replicas {
		if err := replica.stopCrashes(ctx); err != nil {
			return err
		}
	}
	if err := e.playFinalScenarios(ctx); err != nil {
		return err
	}
	if err := e.webhookProxy.flush(ctx); err != nil {
		return err
	}
	if err := e.awaitIdle(ctx); err != nil {
		return err
	}
	if err := (verifier{e}).verifyBeforeReconciliation(ctx); err != nil {
		return err
	}
	for range 2 { // the first run's repairs cause events whose effects the second run checks
		if err := e.reconcileAndAwaitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) reconcileAndAwaitIdle(ctx context.Context) error {
	if err := e.advance(ctx, 3*time.Hour); err != nil {
		return err
	}
	err := waitUntil(ctx, "a complete reconciliation", func() bool {
		_, err := e.replicas[0].perform(ctx, operation{Kind: reconcileAll})
		return err == nil
	})
	if err != nil {
		return err
	}
	return e.awaitIdle(ctx)
}

// selectUnfinishedWork lists what is not complete, with the last error.
const selectUnfinishedWork = `
	select 'event ' || id as item, error from stripe_events where outcome = 'pending' and ` + notBacklog + `
	union all select 'seats of ' || organization_id, sync_error from billing_seat_state where due_at is not null
	union all select 'duplicate ' || subscription_id, error from duplicate_subscriptions where status = 'ending'
	union all select 'plan change ' || id, error from plan_changes where status = 'open'
	union all select 'deletion of ' || o.id, d.error from organizations o left join deletions d on d.organization_id = o.id
		where o.deletes_at <= $1 and o.deleted_at is null
	union all select 'e-mail ' || id, error from emails where status = 'queued'`

// unfinished is an item of work that is not complete.
type unfinished struct {
	Item  string
	Error *string
}

// awaitIdle waits until no work is left. When the number of unfinished rows has not changed for 3
// seconds, the clock is advanced: the remaining work is scheduled for later.
func (e *environment) awaitIdle(ctx context.Context) error {
	var left []unfinished
	last, since := -1, time.Now()
	err := waitUntil(ctx, "all work to complete", func() bool {
		received := e.webhookProxy.receivedCount()
		if !e.webhookProxy.delivered() {
			return false
		}
		left = nil
		if err := e.store.DB().SelectContext(ctx, &left, selectUnfinishedWork, e.stripe.Now()); err != nil {
			return false
		}
		if len(left) != last {
			last, since = len(left), time.Now()
		}
		if len(left) > 0 && time.Since(since) > 3*time.Second {
			since = time.Now()
			_ = e.advance(ctx, 20*time.Minute)
		}
		// What was completed while the rows were read may have caused events.
		return len(left) == 0 && e.webhookProxy.delivered() && e.webhookProxy.receivedCount() == received
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, describeUnfinished(left))
	}
	return nil
}

func describeUnfinished(left []unfinished) string {
	var lines []string
	for _, work := range left {
		line := work.Item
		if work.Error != nil && *work.Error != "" {
			line += " (" + *work.Error + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

// pollInterval is the time between two checks of a condition.
const pollInterval = 20 * time.Millisecond

// waitUntil polls a condition for up to 2 minutes.
func waitUntil(ctx context.Context, description string, condition func() bool) error {
	for deadline := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("timed out waiting for %s", description)
		}
	}
	return nil
}
