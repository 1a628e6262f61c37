package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/env"
)

// Prices resolves the plans of the catalog at Stripe, finds out which plan other prices belong to,
// and holds the account of the secret key.
type Prices struct {
	*env.Env
	store          Store
	gateway        Gateway
	keyFingerprint string
	configured     catalog.Catalog // as the plan file has it

	catalog   atomic.Pointer[catalog.Catalog]
	account   atomic.Pointer[StripeAccount]
	foreign   foreignPrices // guarded by resolving
	resolving sync.Mutex    // one lookup of the account and the prices at a time
	complete  atomic.Bool   // every price of the catalog was found at Stripe, and fits
	// notOffered counts the prices of the plan file that were not found, or do not fit.
	notOffered atomic.Int64
	reported   atomic.Value // string: the last mismatches logged
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
// try again. A [*MismatchError] is in the chain if prices are of another kind than the plan file
// says.
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
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	return ps.rebuild(ctx, acct)
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
	acct := ps.knownAccount()
	found, err := ps.gateway.Prices(ctx, ps.configured.LookupKeys(), ps.configured.PriceIDs())
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	if err := ps.put(ctx, acct, found); err != nil {
		return err
	}
	_, missing := ps.configured.Resolved(found)
	mismatches := ps.configured.Mismatches(found)
	ps.notOffered.Store(int64(len(missing) + len(mismatches)))
	ps.complete.Store(len(missing)+len(mismatches) == 0)
	return pricesError(missing, mismatches)
}

// MismatchError means that prices at Stripe are other kinds of prices than the plan file says. They
// are not offered.
type MismatchError struct{ Mismatches []catalog.Mismatch }

// Error implements error: one line for each price.
func (e *MismatchError) Error() string {
	lines := make([]string, 0, len(e.Mismatches))
	for _, m := range e.Mismatches {
		lines = append(lines, m.String())
	}
	return strings.Join(lines, "\n")
}

// Explicit returns the error of the prices that the plan file names by id, which must not start;
// nil if there is none.
func (e *MismatchError) Explicit() error {
	explicit := slices.DeleteFunc(slices.Clone(e.Mismatches), func(m catalog.Mismatch) bool { return !m.Explicit() })
	if len(explicit) == 0 {
		return nil
	}
	return &MismatchError{explicit}
}

func pricesError(missing []string, mismatches []catalog.Mismatch) error {
	var errs []error
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("no active price at Stripe for %s: `usher plans push` creates what is missing", strings.Join(missing, ", ")))
	}
	if len(mismatches) > 0 {
		errs = append(errs, &MismatchError{mismatches})
	}
	return errors.Join(errs...)
}

// put stores prices as read from Stripe, with the plan that each belongs to, and makes them known.
// ps.resolving is locked.
func (ps *Prices) put(ctx context.Context, acct StripeAccount, found []catalog.StripePrice) error {
	decided, _ := ps.configured.Resolved(found)
	for i := range found {
		_, _, sold := decided.ByPrice(found[i].ID)
		_, packs := decided.PackByPrice(found[i].ID)
		found[i].Configured, found[i].CheckedAt = sold || packs, ps.Now()
	}
	decided = decided.WithFormer(found)
	for i := range found {
		found[i].PlanID = decided.Owner(found[i].ID)
	}
	if err := ps.store.Stripe().PutPrices(ctx, acct, found); err != nil {
		return fmt.Errorf("store the prices: %w", err)
	}
	return ps.rebuild(ctx, acct)
}

// rebuild makes the catalog of the plan file and all stored prices, those included that another
// replica has stored. ps.resolving is locked.
func (ps *Prices) rebuild(ctx context.Context, acct StripeAccount) error {
	stored, err := ps.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read stored prices: %w", err)
	}
	next, _ := ps.configured.Resolved(stored)
	next = next.WithFormer(stored)
	for _, price := range stored {
		if next.Owner(price.ID) == "" {
			ps.foreign.add(price.ID, price.CheckedAt)
		}
	}
	next = next.WithForeign(ps.foreign.since(ps.Now().Add(-foreignLifetime)))
	ps.catalog.Store(&next)
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

// retryStart repeats Start while the account or prices are missing, and reads the stored prices
// otherwise. A failed Start is no error: the next sweep retries.
func (ps *Prices) retryStart(ctx context.Context) error {
	if ps.account.Load() != nil && ps.complete.Load() {
		return ps.refresh(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	err := ps.Start(ctx)
	ps.reportMismatches(ctx, err)
	if err != nil && ctx.Err() == nil {
		ps.Log.DebugContext(ctx, "Stripe account or prices not loaded; retrying", "err", err)
	}
	return nil
}

// reportMismatches logs that prices are not offered because they do not fit, once for each change.
func (ps *Prices) reportMismatches(ctx context.Context, err error) {
	text := ""
	var mismatch *MismatchError
	if errors.As(err, &mismatch) {
		text = mismatch.Error()
	}
	if last, _ := ps.reported.Swap(text).(string); text != "" && text != last {
		ps.Log.ErrorContext(ctx, "prices not offered: they differ from the plan file", "err", text)
	}
}
