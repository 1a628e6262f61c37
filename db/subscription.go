package db

import (
	"context"
	"fmt"

	"usher/billing"
)

var subscriptionTable = tableOf[billing.Subscription]("subscriptions")

var (
	selectSubscription = `select ` + subscriptionTable.list("") + ` from subscriptions where id = $1`
	lockSubscription   = selectSubscription + ` for no key update`
)

// LockSubscription implements [billing.SubscriptionQueries].
func (q subscriptionStore) Lock(ctx context.Context, id string) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "lock subscription", lockSubscription, id)
}

// Locks are taken in the order in which they are named, which is everybody's. Whoever had to wait for one sees both rows as they are afterwards.
var lockOwnerAndSubscription = `select o.id as owner, ` + subscriptionTable.list("s") + ` from billing_customers c
	join organizations o on o.id = c.organization_id
	join subscriptions s on s.id = $4
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o, s`

type ownedSubscriptionRow struct {
	billing.Subscription
	Owner string `db:"owner"`
}

// LockOwnerAndSubscription implements [billing.SubscriptionQueries].
func (q subscriptionStore) LockWithOwner(
	ctx context.Context, customerID string, acct billing.StripeAccount, id string,
) (string, billing.Subscription, error) {
	row, err := get[ownedSubscriptionRow](ctx, q.queries, "lock organization and subscription", lockOwnerAndSubscription, customerID, acct.ID, acct.Livemode, id)
	return row.Owner, row.Subscription, err
}

// Subscription implements [billing.SubscriptionQueries].
func (q subscriptionStore) Get(ctx context.Context, id string) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "read subscription", selectSubscription, id)
}

// One round trip whether the row is there or not, and for all there are then: the others are read as they were when the statement began. The first
// write makes revision 1.
var putSubscription = `with put as (` + subscriptionTable.upsert("id") + `, revision = subscriptions.revision + 1
	returning ` + subscriptionTable.list("") + `)
	select ` + subscriptionTable.list("") + ` from put
	union all select ` + subscriptionTable.list("") + ` from subscriptions
		where organization_id = ` + subscriptionTable.placeholder("organization_id") + ` and account = ` + subscriptionTable.placeholder("account") + `
			and livemode = ` + subscriptionTable.placeholder("livemode") + ` and id <> ` + subscriptionTable.placeholder("id") + `
	order by created_at, id`

// PutSubscription implements [billing.SubscriptionQueries]. A snapshot without a moment is refused.
func (q subscriptionStore) Put(ctx context.Context, s billing.Subscription) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "put subscription", putSubscription, subscriptionTable.values(s)...)
}

var selectCurrentSubscription = `select ` + subscriptionTable.list("") + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 and is_current`

// CurrentSubscription implements [billing.SubscriptionQueries].
func (q subscriptionStore) Current(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "read current subscription", selectCurrentSubscription,
		organizationID, acct.ID, acct.Livemode)
}

var selectSubscriptions = `select ` + subscriptionTable.list("") + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 order by created_at, id`

// Subscriptions implements [billing.SubscriptionQueries]; the oldest comes first.
func (q subscriptionStore) List(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list subscriptions", selectSubscriptions,
		organizationID, acct.ID, acct.Livemode)
}

// One statement, so that there is no moment with two current subscriptions or none. The unique index is checked row by row: counting
// what was cleared makes the clearing come first. Rows that are right already are not written.
const setCurrent = `with target as (
		select id from subscriptions where id = $2 and organization_id = $1 and account = $3 and livemode = $4
	), cleared as (
		update subscriptions set is_current = false
		where organization_id = $1 and account = $3 and livemode = $4 and is_current and id <> $2 and exists (select from target)
		returning id
	), chosen as (
		update subscriptions set is_current = true
		where id = (select id from target) and not is_current and (select count(*) from cleared) >= 0
		returning id
	)
	select count(*) from target`

// SetCurrent implements [billing.SubscriptionQueries]. A subscription that is not the organization's in this account and mode is not
// found, and nothing changes. The revision stays: it counts snapshots.
func (q subscriptionStore) SetCurrent(ctx context.Context, organizationID, subscriptionID string, acct billing.StripeAccount) error {
	const operation = "set current subscription"
	found, err := get[int](ctx, q.queries, operation, setCurrent, organizationID, subscriptionID, acct.ID, acct.Livemode)
	if err == nil && found == 0 {
		err = fmt.Errorf("%s: %w", operation, billing.ErrNotFound)
	}
	return err
}
