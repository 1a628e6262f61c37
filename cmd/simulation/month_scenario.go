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
		if err := e.verifyMonth(ctx, consumed); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) consume(ctx context.Context, o operation) error {
	_, err := e.replicas[0].perform(ctx, o)
	return err
}

// verifyMonth waits until every balance is right, up to 20 seconds.
func (e *environment) verifyMonth(ctx context.Context, consumed map[*history]granted) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * pollInterval) {
		if err := e.awaitIdle(ctx); err != nil {
			return err
		}
		wrong, err := e.wrongBalances(ctx, consumed)
		if err != nil {
			return err
		}
		e.results.countMoney("months checked", "", 0, len(consumed))
		if len(wrong) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for h, text := range wrong {
				h.diverged("%s", text)
				delete(consumed, h)
			}
			return nil
		}
	}
}

// wrongBalances describes the balances that differ from what was granted since the consumption.
func (e *environment) wrongBalances(ctx context.Context, consumed map[*history]granted) (map[*history]string, error) {
	money, err := e.openMoneyOracle(ctx)
	if err != nil {
		return nil, err
	}
	wrong := map[*history]string{}
	for h, before := range consumed {
		is := money.grantedTo(h.organizationID)
		want := is.packs - before.packs + is.plan
		if is.month == before.month {
			want -= before.plan
		}
		balance, err := creditBalance(ctx, e.store, h)
		if err != nil {
			return nil, err
		}
		if balance != want {
			wrong[h] = fmt.Sprintf("after all credits of month %s were consumed, the balance of month %s is %d at %v, granted were %d",
				before.month, is.month, balance, e.stripe.Now().UTC(), want)
		}
	}
	return wrong, nil
}
