package main

import (
	"context"
	"fmt"
	"time"
)

// The last scenario passes this many steps of this many days: more than a month, so that a month of
// credits begins for everybody, on any day.
const (
	monthSteps = 12
	stepDays   = 3
)

// playMonths lets every organization consume all its credits and then passes more than a month.
// Nobody may get credits before the next month or the next paid period begins.
func (e *environment) playMonths(ctx context.Context) error {
	if e.losesEvents() {
		return nil
	}
	money, err := e.openMoneyOracle(ctx)
	if err != nil {
		return err
	}
	consumed := map[*history]granted{}
	for _, h := range e.histories {
		credits := money.grantedTo(h.organizationID)
		o := h.complete(operation{Kind: consumeCredits, Amount: credits.sum()})
		if credits.sum() == 0 || e.consume(ctx, o) == nil {
			consumed[h] = credits
		}
	}
	for range monthSteps {
		if err := e.advance(ctx, stepDays*24*time.Hour); err != nil {
			return err
		}
		if err := e.verifyMonth(ctx, money, consumed); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) consume(ctx context.Context, o operation) error {
	_, err := e.replicas[0].perform(ctx, o)
	return err
}

// monthTimeout is how long the replicas may take until the balances are right.
const monthTimeout = 20 * time.Second

// verifyMonth waits until every balance is what was granted since the consumption.
func (e *environment) verifyMonth(ctx context.Context, money *moneyOracle, consumed map[*history]granted) error {
	if err := e.awaitIdle(ctx); err != nil {
		return err
	}
	for deadline := time.Now().Add(monthTimeout); ; time.Sleep(10 * pollInterval) {
		if err := money.refresh(ctx); err != nil {
			return err
		}
		wrong, err := e.awaitBalances(ctx, money, consumed, time.Now().Add(monthTimeout/4))
		if err != nil {
			return err
		}
		if len(wrong) == 0 || time.Now().After(deadline) {
			e.results.countMoney("months checked", "", 0, len(consumed))
			for h, text := range wrong {
				h.diverged("%s", text)
				delete(consumed, h)
			}
			return nil
		}
	}
}

// awaitBalances compares the balances until they are right or the time is over, and describes those
// that are wrong.
func (e *environment) awaitBalances(ctx context.Context, money *moneyOracle, consumed map[*history]granted, deadline time.Time) (map[*history]string, error) {
	wrong := map[*history]string{}
	for h, before := range consumed {
		is := money.grantedTo(h.organizationID)
		want := is.packs - before.packs + is.plan
		if is.month == before.month {
			want -= before.plan
		}
		for {
			balance, err := creditBalance(ctx, e.store, h)
			if err != nil {
				return nil, err
			}
			if balance == want {
				break
			}
			if time.Now().After(deadline) {
				wrong[h] = fmt.Sprintf("after all credits of month %s were consumed, the balance of month %s is %d at %v, granted were %d",
					before.month, is.month, balance, e.stripe.Now().UTC(), want)
				break
			}
			time.Sleep(10 * pollInterval)
		}
	}
	return wrong, nil
}
