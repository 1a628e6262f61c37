package billing_test

import (
	"context"
	"testing"

	"usher/billing"
)

// liveGateway is the same Stripe as a live account.
type liveGateway struct{ billing.Gateway }

func (g liveGateway) Account(ctx context.Context) (billing.StripeAccount, error) {
	acct, err := g.Gateway.Account(ctx)
	acct.Livemode = true
	return acct, err
}

// What was bought in test mode counts no more after going live on the same database, and it is
// there again in test mode. No ledger gets a line for the switch.
func TestCreditsBelongToAnAccountAndMode(t *testing.T) {
	env := newTestEnv(t)
	env.startBackground()
	env.subscribe("pro")
	env.pay(env.buyPack("credits_500"))
	env.waitForBalance(1500)
	if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 1200, IdempotencyKey: "k"}); err != nil {
		t.Fatal(err)
	}
	test := env.service
	before := env.checkLedger()

	options := env.options(env.store)
	options.Gateway, options.KeyFingerprint = liveGateway{env.gateway()}, "live"
	env.useService(env.startService(options))
	wantBalance(t, env, 0)
	if ledger := env.checkLedger(); ledger != "" {
		t.Errorf("the ledger of the live mode: %s", ledger)
	}
	if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 1, IdempotencyKey: "live"}); err == nil {
		t.Error("credits of the test mode were consumed")
	}
	wantBalance(t, env, 0)

	env.useService(test)
	wantBalance(t, env, 300)
	if ledger := env.checkLedger(); ledger != before {
		t.Errorf("the ledger of the test mode changed from %s to %s", before, ledger)
	}
	// The key of an earlier consumption is known in its own mode only.
	for range 2 {
		balance, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 1200, IdempotencyKey: "k"})
		if err != nil || balance != 300 {
			t.Errorf("repeated consumption: %d, %v", balance, err)
		}
	}
}
