package billing

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/env"
)

// Prices resolves the plans of the catalog at Stripe and knows whose account the secret key belongs to.
type Prices struct {
	*env.Env
	store          Store
	gateway        Gateway
	keyFingerprint string

	catalog   atomic.Pointer[catalog.Catalog]
	account   atomic.Pointer[StripeAccount]
	resolving sync.Mutex  // one look-up of account and prices at a time
	complete  atomic.Bool // every price of the catalog was found at Stripe
}

// Catalog returns the plans as they were last resolved at Stripe. It never waits.
func (ps *Prices) Catalog() catalog.Catalog { return *ps.catalog.Load() }

// planOf returns the plan of a subscription's price; the zero plan if the catalog does not know it.
func (ps *Prices) planOf(s Subscription) catalog.Plan {
	plan, _, _ := ps.Catalog().ByPrice(s.PriceID)
	return plan
}

// Start learns whose Stripe account this is and which prices the catalogue means: first from what was remembered, then from Stripe. Its
// error tells what Stripe did not tell; the Service works on with what it remembers, and [Service.Work] and every checkout try again.
func (ps *Prices) Start(ctx context.Context) error {
	if err := ps.loadStored(ctx); err != nil {
		return err
	}
	if err := ps.loadAccount(ctx); err != nil {
		return err
	}
	return ps.resolvePrices(ctx)
}

// loadStored takes up what an earlier run learned of the account and the prices.
func (ps *Prices) loadStored(ctx context.Context) error {
	acct, known, err := apperr.Found(ps.store.Stripe().Account(ctx, ps.keyFingerprint))
	if err != nil || !known {
		return err
	}
	ps.account.Store(&acct)
	prices, err := ps.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read remembered prices: %w", err)
	}
	plans, _ := ps.Catalog().Resolved(prices)
	ps.catalog.Store(&plans)
	return nil
}

// loadAccount asks Stripe whose keys these are. What it says replaces what was remembered.
func (ps *Prices) loadAccount(ctx context.Context) error {
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	acct, err := ps.gateway.Account(ctx)
	if err != nil {
		return fmt.Errorf("read the Stripe account: %w", err)
	}
	ps.account.Store(&acct)
	return ps.store.Stripe().PutAccount(ctx, ps.keyFingerprint, acct)
}

// resolvePrices reads the catalogue's prices from Stripe.
func (ps *Prices) resolvePrices(ctx context.Context) error {
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	plans, acct := ps.Catalog(), ps.knownAccount()
	found, err := ps.gateway.Prices(ctx, plans.LookupKeys(), plans.PriceIDs())
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	if err := ps.store.Stripe().PutPrices(ctx, acct, found); err != nil {
		return fmt.Errorf("remember the prices: %w", err)
	}
	remembered, err := ps.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read remembered prices: %w", err)
	}
	next, missing := plans.Resolved(found)
	next = next.WithFormer(remembered)
	ps.catalog.Store(&next)
	ps.complete.Store(len(missing) == 0)
	if len(missing) > 0 {
		return fmt.Errorf("no active price at Stripe for %s: `usher plans push` creates what is missing", strings.Join(missing, ", "))
	}
	return nil
}

// requireAccount returns the Stripe account, learning it first where a start without Stripe has left it open.
func (ps *Prices) requireAccount(ctx context.Context) (StripeAccount, error) {
	if ps.account.Load() == nil {
		if err := ps.loadAccount(ctx); err != nil {
			return StripeAccount{}, apperr.StripeFailed("learn account", err)
		}
	}
	return *ps.account.Load(), nil
}

// knownAccount returns the account without waiting for Stripe; the zero account, to which no link belongs, while it is not known.
func (ps *Prices) knownAccount() StripeAccount {
	if acct := ps.account.Load(); acct != nil {
		return *acct
	}
	return StripeAccount{}
}

// retryStart learns what the start could not. Stripe being away is no error here: it is asked again soon.
func (ps *Prices) retryStart(ctx context.Context) error {
	if ps.account.Load() != nil && ps.complete.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := ps.Start(ctx); err != nil && ctx.Err() == nil {
		ps.Log.DebugContext(ctx, "account or prices are not known yet", "error", err)
	}
	return nil
}
