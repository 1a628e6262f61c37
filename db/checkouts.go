package db

import (
	"context"
	"time"

	"usher/billing"
)

// checkoutStore implements [billing.CheckoutStore].
type checkoutStore struct{ queries }

// Checkouts implements [billing.Tx].
func (q queries) Checkouts() billing.CheckoutStore { return checkoutStore{q} }

var checkoutTable = tableOf[billing.CheckoutSession]("checkout_sessions")

// The condition equals the one of checkout_sessions_one_open_key, so there is at most one row.
var selectOpenCheckout = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where organization_id = $1 and account = $2 and livemode = $3 and mode = 'subscription' and status in ('reserved', 'open')`

// Open implements [billing.CheckoutStore].
func (q checkoutStore) Open(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) (billing.CheckoutSession, error) {
	return get[billing.CheckoutSession](ctx, q.queries, "read open checkout", selectOpenCheckout, organizationID, acct.ID, acct.Livemode)
}

// The organization of a session never changes, and a final status is never overwritten, even by a
// slower writer with an older state.
var putCheckout = checkoutTable.insert() + ` on conflict (id) do update set ` + checkoutTable.without("id", "organization_id").excluded() + `
	where checkout_sessions.organization_id = excluded.organization_id and checkout_sessions.status in ('reserved', 'open')`

// Put implements [billing.CheckoutStore]. A second reserved or open subscription checkout
// is a conflict. Final sessions and sessions of another organization are not changed.
func (q checkoutStore) Put(ctx context.Context, s billing.CheckoutSession) error {
	return q.exec(ctx, "put checkout", putCheckout, checkoutTable.values(s)...)
}

var selectCheckoutByStripeID = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where stripe_session_id = $2 and organization_id = $1`

// ByStripeID implements [billing.CheckoutStore].
func (q checkoutStore) ByStripeID(ctx context.Context, organizationID, sessionID string) (billing.CheckoutSession, error) {
	return get[billing.CheckoutSession](ctx, q.queries, "read checkout", selectCheckoutByStripeID, organizationID, sessionID)
}

// A completed pack session becomes a credit fact of its own source; sessions with a fact need no
// request.
var selectUnfinishedCheckouts = `select ` + checkoutTable.list("") + ` from checkout_sessions s
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_session_id is not null
		and (status = 'open' or (mode = 'payment' and status = 'complete' and created_at >= $4 and not exists (
			select 1 from credit_facts f where f.organization_id = s.organization_id and f.source = 'pack:' || s.stripe_session_id)))
	order by id`

// Unfinished implements [billing.CheckoutStore].
func (q checkoutStore) Unfinished(
	ctx context.Context, acct billing.StripeAccount, organizationID string, since time.Time,
) ([]billing.CheckoutSession, error) {
	return list[billing.CheckoutSession](ctx, q.queries, "list unfinished checkouts", selectUnfinishedCheckouts, acct.ID, acct.Livemode, organizationID, since)
}
