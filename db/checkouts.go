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

const setCheckoutSubscription = `update checkout_sessions set subscription_id = $2 where id = $1 and subscription_id is null`

// SetSubscription implements [billing.CheckoutStore]. It also writes final sessions: one that is
// stored as expired may have been paid.
func (q checkoutStore) SetSubscription(ctx context.Context, id, subscriptionID string) (bool, error) {
	n, err := q.execCount(ctx, "set the subscription of a checkout", setCheckoutSubscription, id, subscriptionID)
	return n == 1, err
}

const selectCheckoutSubscriptions = `select subscription_id from checkout_sessions
	where organization_id = $1 and subscription_id is not null order by subscription_id`

// SubscriptionIDs implements [billing.CheckoutStore].
func (q checkoutStore) SubscriptionIDs(ctx context.Context, organizationID string) ([]string, error) {
	return list[string](ctx, q.queries, "list the subscriptions of checkouts", selectCheckoutSubscriptions, organizationID)
}

var selectUnlinkedCheckouts = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where organization_id = $1 and account = $2 and livemode = $3 and mode = 'subscription' and status = 'complete'
		and subscription_id is null and stripe_session_id is not null
	order by id`

// Unlinked implements [billing.CheckoutStore].
func (q checkoutStore) Unlinked(ctx context.Context, organizationID string, acct billing.StripeAccount) ([]billing.CheckoutSession, error) {
	return list[billing.CheckoutSession](ctx, q.queries, "list unlinked checkouts", selectUnlinkedCheckouts, organizationID, acct.ID, acct.Livemode)
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
