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

// Prices resolves the plans of the catalog at Stripe and holds the account of the secret key.
type Prices struct {
	*env.Env
	store          Store
	gateway        Gateway
	keyFingerprint string

	catalog   atomic.Pointer[catalog.Catalog]
	account   atomic.Pointer[StripeAccount]
	resolving sync.Mutex  // one lookup of the account and the prices at a time
	complete  atomic.Bool // every price of the catalog was found at Stripe
}

// Catalog returns the plans as last resolved at Stripe. It does not block.
func (ps *Prices) Catalog() catalog.Catalog { return *ps.catalog.Load() }

// planOf returns the plan of a subscription's price; the zero plan if the catalog does not know it.
func (ps *Prices) planOf(s Subscription) catalog.Plan {
	plan, _, _ := ps.Catalog().ByPrice(s.PriceID)
	return plan
}

// Start loads the Stripe account and the catalog's prices, first from the store, then from Stripe.
// After an error, the stored account and prices stay in use, and [Worker.Run] and every checkout
// try again.
func (ps *Prices) Start(ctx context.Context) error {
	if err := ps.loadStored(ctx); err != nil {
		return err
	}
	if err := ps.loadAccount(ctx); err != nil {
		return err
	}
	return ps.resolvePrices(ctx)
}

// loadStored loads the account and the prices that an earlier run has stored.
func (ps *Prices) loadStored(ctx context.Context) error {
	acct, known, err := apperr.Found(ps.store.Stripe().Account(ctx, ps.keyFingerprint))
	if err != nil || !known {
		return err
	}
	ps.account.Store(&acct)
	prices, err := ps.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read stored prices: %w", err)
	}
	plans, _ := ps.Catalog().Resolved(prices)
	ps.catalog.Store(&plans)
	return nil
}

// loadAccount fetches the account of the secret key and stores it.
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

// resolvePrices fetches the catalog's prices from Stripe and stores them.
func (ps *Prices) resolvePrices(ctx context.Context) error {
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	plans, acct := ps.Catalog(), ps.knownAccount()
	found, err := ps.gateway.Prices(ctx, plans.LookupKeys(), plans.PriceIDs())
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	if err := ps.store.Stripe().PutPrices(ctx, acct, found); err != nil {
		return fmt.Errorf("store the prices: %w", err)
	}
	stored, err := ps.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read stored prices: %w", err)
	}
	next, missing := plans.Resolved(found)
	next = next.WithFormer(stored)
	ps.catalog.Store(&next)
	ps.complete.Store(len(missing) == 0)
	if len(missing) > 0 {
		return fmt.Errorf("no active price at Stripe for %s: `usher plans push` creates what is missing", strings.Join(missing, ", "))
	}
	return nil
}

// requireAccount returns the Stripe account. It fetches the account if Stripe was unavailable at
// the start.
func (ps *Prices) requireAccount(ctx context.Context) (StripeAccount, error) {
	if ps.account.Load() == nil {
		if err := ps.loadAccount(ctx); err != nil {
			return StripeAccount{}, apperr.StripeFailed("load account", err)
		}
	}
	return *ps.account.Load(), nil
}

// knownAccount returns the account without a call to Stripe; the zero account, which has no rows,
// while it is not known.
func (ps *Prices) knownAccount() StripeAccount {
	if acct := ps.account.Load(); acct != nil {
		return *acct
	}
	return StripeAccount{}
}

// retryStart repeats Start while the account or prices are missing. A failure is no error: the next
// sweep retries.
func (ps *Prices) retryStart(ctx context.Context) error {
	if ps.account.Load() != nil && ps.complete.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := ps.Start(ctx); err != nil && ctx.Err() == nil {
		ps.Log.DebugContext(ctx, "Stripe account or prices not loaded; retrying", "err", err)
	}
	return nil
}
