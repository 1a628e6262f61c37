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
func (q queries) CustomerLink(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q, "read customer link", selectCustomerLink, organizationID, account.ID, account.Livemode)
}

const selectLastGeneration = `select coalesce(max(generation), 0) from billing_customers where organization_id = $1`

// LastGeneration implements [billing.CheckoutQueries].
func (q queries) LastGeneration(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q, "read last customer generation", selectLastGeneration, organizationID)
}

var putCustomerLink = customerLinkTable.upsert("organization_id", "generation")

// PutCustomerLink implements [billing.CheckoutQueries]. A customer that another link already has is
// a conflict.
func (q queries) PutCustomerLink(ctx context.Context, l billing.CustomerLink) error {
	return q.exec(ctx, "put customer link", putCustomerLink, customerLinkTable.values(l)...)
}

var selectCustomerOwner = `select ` + customerLinkTable.list("") + ` from billing_customers
	where stripe_customer_id = $1 and account = $2 and livemode = $3`

// CustomerOwner implements [billing.CheckoutQueries].
func (q queries) CustomerOwner(
	ctx context.Context, customerID string, account billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q, "read customer owner", selectCustomerOwner, customerID, account.ID, account.Livemode)
}

const lockOwner = `select o.id from billing_customers c join organizations o on o.id = c.organization_id
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o`

// LockOwner implements [billing.CheckoutQueries].
func (q queries) LockOwner(ctx context.Context, customerID string, account billing.StripeAccount) (string, error) {
	return get[string](ctx, q, "lock the customer's organization", lockOwner, customerID, account.ID, account.Livemode)
}

// The condition equals the one of checkout_sessions_one_open_key, so there is at most one row.
var selectOpenCheckout = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where organization_id = $1 and account = $2 and livemode = $3 and mode = 'subscription' and status in ('reserved', 'open')`

// OpenCheckout implements [billing.CheckoutQueries].
func (q queries) OpenCheckout(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) (billing.CheckoutSession, error) {
	return get[billing.CheckoutSession](ctx, q, "read open checkout", selectOpenCheckout, organizationID, account.ID, account.Livemode)
}

// The organization of a session never changes, and a final status is never overwritten, even by a
// slower writer with an older state.
var putCheckout = checkoutTable.insert() + ` on conflict (id) do update set ` + checkoutTable.without("id", "organization_id").excluded() + `
	where checkout_sessions.organization_id = excluded.organization_id and checkout_sessions.status in ('reserved', 'open')`

// PutCheckout implements [billing.CheckoutQueries]. A second reserved or open subscription checkout
// is a conflict. Final sessions and sessions of another organization are not changed.
func (q queries) PutCheckout(ctx context.Context, s billing.CheckoutSession) error {
	return q.exec(ctx, "put checkout", putCheckout, checkoutTable.values(s)...)
}

var selectCheckoutByStripeID = `select ` + checkoutTable.list("") + ` from checkout_sessions
	where stripe_session_id = $2 and organization_id = $1`

// CheckoutByStripeID implements [billing.CheckoutQueries].
func (q queries) CheckoutByStripeID(ctx context.Context, organizationID, sessionID string) (billing.CheckoutSession, error) {
	return get[billing.CheckoutSession](ctx, q, "read checkout", selectCheckoutByStripeID, organizationID, sessionID)
}
