package db

import (
	"context"

	"usher/billing"
)

var (
	customerLinkTable = tableOf[billing.CustomerLink]("billing_customers")
	checkoutTable     = tableOf[billing.CheckoutSession]("checkout_sessions")
)

var selectCustomerLink = `select ` + customerLinkTable.list("") + ` from billing_customers
	where organization_id = $1 and account = $2 and livemode = $3 order by generation desc limit 1`

// CustomerLink implements [billing.CheckoutQueries].
func (q customerStore) Link(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q.queries, "read customer link", selectCustomerLink, organizationID, acct.ID, acct.Livemode)
}

const selectLastGeneration = `select coalesce(max(generation), 0) from billing_customers where organization_id = $1`

// LastGeneration implements [billing.CheckoutQueries].
func (q customerStore) LastGeneration(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q.queries, "read last customer generation", selectLastGeneration, organizationID)
}

var putCustomerLink = customerLinkTable.upsert("organization_id", "generation")

// PutLink implements [billing.CustomerStore]. A customer that another link already has is
// a conflict.
func (q customerStore) PutLink(ctx context.Context, l billing.CustomerLink) error {
	return q.exec(ctx, "put customer link", putCustomerLink, customerLinkTable.values(l)...)
}

var selectCustomerOwner = `select ` + customerLinkTable.list("") + ` from billing_customers
	where stripe_customer_id = $1 and account = $2 and livemode = $3`

// CustomerOwner implements [billing.CheckoutQueries].
func (q customerStore) Owner(
	ctx context.Context, customerID string, acct billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q.queries, "read customer owner", selectCustomerOwner, customerID, acct.ID, acct.Livemode)
}

const lockOwner = `select o.id from billing_customers c join organizations o on o.id = c.organization_id
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o`

// LockOwner implements [billing.CheckoutQueries].
func (q customerStore) LockOwner(ctx context.Context, customerID string, acct billing.StripeAccount) (string, error) {
	return get[string](ctx, q.queries, "lock the customer's organization", lockOwner, customerID, acct.ID, acct.Livemode)
}

// The condition equals the one of checkout_sessions_one_open_key, so there is at most one row.
var selectOpenCheckout = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where organization_id = $1 and account = $2 and livemode = $3 and mode = 'subscription' and status in ('reserved', 'open')`

// OpenCheckout implements [billing.CheckoutQueries].
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

// CheckoutByStripeID implements [billing.CheckoutQueries].
func (q checkoutStore) ByStripeID(ctx context.Context, organizationID, sessionID string) (billing.CheckoutSession, error) {
	return get[billing.CheckoutSession](ctx, q.queries, "read checkout", selectCheckoutByStripeID, organizationID, sessionID)
}
