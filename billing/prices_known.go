package billing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usher/billing/catalog"
)

// Bounds of what is remembered of prices that belong to no plan.
const (
	// foreignLifetime is the time after which a foreign price is read from Stripe again: its
	// metadata, or that of its product, may name a plan by then.
	foreignLifetime = time.Hour
	foreignLimit    = 10_000
)

// ensureKnown fetches the prices that this process does not know, active or archived, and decides
// which plan each belongs to. Other replicas may have created them since this one has started. A
// price without a plan, and an id that Stripe does not know, is foreign for a time. It must not be
// called in a transaction.
func (ps *Prices) ensureKnown(ctx context.Context, priceIDs []string) error {
	if len(ps.unknown(priceIDs)) == 0 {
		return nil
	}
	acct, err := ps.requireAccount(ctx)
	if err != nil {
		return err
	}
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	unknown := ps.unknown(priceIDs)
	if len(unknown) == 0 {
		return nil
	}
	found, err := ps.gateway.Prices(ctx, nil, unknown)
	if err != nil {
		return &unknownPriceError{unknown, err}
	}
	for _, id := range unknown {
		if !slices.ContainsFunc(found, func(p catalog.StripePrice) bool { return p.ID == id }) {
			ps.foreign.add(id, ps.Now())
		}
	}
	return ps.put(ctx, acct, found)
}

// unknownPriceError means that prices could not be read from Stripe, so that what was paid for them
// can't be interpreted yet.
type unknownPriceError struct {
	ids []string
	err error
}

// Error implements error.
func (e *unknownPriceError) Error() string {
	return "the price is not known yet: " + strings.Join(e.ids, ", ") + ": " + e.err.Error()
}

// Unwrap returns why the prices could not be read.
func (e *unknownPriceError) Unwrap() error { return e.err }

// unknown returns the ids that the catalog does not know, each once.
func (ps *Prices) unknown(priceIDs []string) []string {
	plans := ps.Catalog()
	known := func(id string) bool { return plans.Recognize(id) != catalog.PriceUnknown }
	ids := slices.DeleteFunc(slices.Clone(priceIDs), known)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// refresh makes the prices known that other replicas have stored, and foreign ones unknown again
// after foreignLifetime.
func (ps *Prices) refresh(ctx context.Context) error {
	ps.resolving.Lock()
	defer ps.resolving.Unlock()
	return ps.rebuild(ctx, ps.knownAccount())
}

// pruneForeign removes the stored prices that belong to no plan and are no longer remembered.
func (ps *Prices) pruneForeign(ctx context.Context) error {
	err := ps.store.Stripe().PrunePrices(ctx, ps.knownAccount(), ps.Now().Add(-foreignLifetime))
	if err != nil {
		return fmt.Errorf("prune prices: %w", err)
	}
	return nil
}

// foreignPrices holds when each foreign price was read from Stripe.
type foreignPrices struct{ checked map[string]time.Time }

func (f *foreignPrices) add(id string, at time.Time) {
	if f.checked == nil {
		f.checked = map[string]time.Time{}
	}
	if f.checked[id].Before(at) {
		f.checked[id] = at
	}
}

// since drops what was read before a time, and the oldest beyond foreignLimit, and returns the ids
// of the rest.
func (f *foreignPrices) since(oldest time.Time) []string {
	maps.DeleteFunc(f.checked, func(_ string, at time.Time) bool { return at.Before(oldest) })
	newestFirst := func(a, b string) int { return cmp.Or(f.checked[b].Compare(f.checked[a]), cmp.Compare(a, b)) }
	ids := slices.SortedFunc(maps.Keys(f.checked), newestFirst)
	for _, id := range ids[min(len(ids), foreignLimit):] {
		delete(f.checked, id)
	}
	return ids[:min(len(ids), foreignLimit)]
}
