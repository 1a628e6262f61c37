package db

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"

	"usher/billing"
	"usher/billing/apperr"
)

// subscriptionStore implements [billing.SubscriptionStore].
type subscriptionStore struct{ queries }

// Subscriptions implements [billing.Tx].
func (q queries) Subscriptions() billing.SubscriptionStore { return subscriptionStore{q} }

var selectLiveSubscriptions = `select ` + subscriptionTable.list("") + ` from subscriptions
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status not in ('canceled', 'incomplete_expired')
		and not is_foreign
	order by id`

// Live implements [billing.SubscriptionStore].
func (q subscriptionStore) Live(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list live subscriptions", selectLiveSubscriptions, acct.ID, acct.Livemode, organizationID)
}

// The first line of the condition is that of subscriptions_second_idx, which has few rows: the
// current subscription is a live one if there is any.
const secondSubscriptions = `from subscriptions s
	where not is_current and not is_foreign and status not in ('canceled', 'incomplete_expired', 'incomplete')
		and not exists (select from duplicate_subscriptions d where d.subscription_id = s.id and d.status = 'ending')`

var selectSecondSubscriptions = `select ` + subscriptionTable.list("") + ` ` + secondSubscriptions + `
		and account = $1 and livemode = $2 and ($3 = '' or organization_id = $3)
	order by id`

// Second implements [billing.SubscriptionStore].
func (q subscriptionStore) Second(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list second subscriptions", selectSecondSubscriptions, acct.ID, acct.Livemode, organizationID)
}

var selectSubscriptionsOfDeleted = `select ` + subscriptionTable.list("s") + ` from subscriptions s
	join organizations o on o.id = s.organization_id
	where o.deleted_at is not null and s.account = $1 and s.livemode = $2 and ($3 = '' or o.id = $3)
		and not s.is_foreign and s.status not in ('canceled', 'incomplete_expired')
	order by s.id`

// OfDeleted implements [billing.SubscriptionStore].
func (q subscriptionStore) OfDeleted(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list subscriptions of deleted organizations", selectSubscriptionsOfDeleted, acct.ID, acct.Livemode, organizationID)
}

// The condition on the status equals the one of subscriptions_live_price_idx.
var selectLiveOfPrice = `select ` + subscriptionTable.list("") + ` from subscriptions
	where account = $1 and livemode = $2 and price_id = $3 and created_at between $4 and $5 and not test_clock and not is_foreign
		and status not in ('canceled', 'incomplete_expired') order by created_at, id`

// LiveOfPrice implements [billing.SubscriptionStore].
func (q subscriptionStore) LiveOfPrice(
	ctx context.Context, acct billing.StripeAccount, priceID string, from, to time.Time,
) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list live subscriptions", selectLiveOfPrice, acct.ID, acct.Livemode, priceID, from, to)
}

var selectLiveAtOtherPrices = `select ` + subscriptionTable.list("") + ` from subscriptions
	where account = $1 and livemode = $2 and (price_id <> all($3) or test_clock) and not is_foreign and id > $4
		and status not in ('canceled', 'incomplete_expired') order by id limit $5`

// LiveAtOtherPrices implements [billing.SubscriptionStore].
func (q subscriptionStore) LiveAtOtherPrices(
	ctx context.Context, acct billing.StripeAccount, priceIDs []string, id string, limit int,
) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list live subscriptions", selectLiveAtOtherPrices,
		acct.ID, acct.Livemode, pq.Array(priceIDs), id, limit)
}

var subscriptionTable = tableOf[billing.Subscription]("subscriptions")

var (
	selectSubscription = `select ` + subscriptionTable.list("") + ` from subscriptions where id = $1`
	lockSubscription   = selectSubscription + ` for no key update`
)

// Lock implements [billing.SubscriptionStore].
func (q subscriptionStore) Lock(ctx context.Context, id string) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "lock subscription", lockSubscription, id)
}

// The locks are taken in the order of the "for no key update" clause, organization first, as
// everywhere. A transaction that had to wait reads both rows as they are after the wait.
var lockOwnerAndSubscription = `select o.id as owner, o.has_webhooks, ` + subscriptionTable.list("s") + ` from billing_customers c
	join organizations o on o.id = c.organization_id
	join subscriptions s on s.id = $4
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o, s`

type ownedSubscriptionRow struct {
	billing.Subscription
	ownerRow
}

// LockWithOwner implements [billing.SubscriptionStore].
func (q subscriptionStore) LockWithOwner(
	ctx context.Context, customerID string, acct billing.StripeAccount, id string,
) (string, billing.Subscription, error) {
	if owner, stored, ok := q.batch.ownedSubscription(customerID, acct, id); ok {
		return owner, stored, nil
	}
	row, err := get[ownedSubscriptionRow](ctx, q.queries, "lock organization and subscription", lockOwnerAndSubscription, customerID, acct.ID, acct.Livemode, id)
	if err == nil {
		q.webhooks.mark(row.Owner, row.HasWebhooks)
	}
	return row.Owner, row.Subscription, err
}

// Get implements [billing.SubscriptionStore].
func (q subscriptionStore) Get(ctx context.Context, id string) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "read subscription", selectSubscription, id)
}

// One round trip for the write and for reading all subscriptions of the organization; the others
// are read as of the start of the statement. The first write has revision 1.
var putSubscription = `with put as (` + subscriptionTable.upsert("id") + `, revision = subscriptions.revision + 1
	returning ` + subscriptionTable.list("") + `)
	select ` + subscriptionTable.list("") + ` from put where not is_foreign
	union all select ` + subscriptionTable.list("") + ` from subscriptions
		where organization_id = ` + subscriptionTable.placeholder("organization_id") + ` and account = ` + subscriptionTable.placeholder("account") + `
			and livemode = ` + subscriptionTable.placeholder("livemode") + ` and id <> ` + subscriptionTable.placeholder("id") + `
			and not is_foreign
	order by created_at, id`

// Put implements [billing.SubscriptionStore]. A snapshot without a time (as_of) is an
// error.
func (q subscriptionStore) Put(ctx context.Context, s billing.Subscription) ([]billing.Subscription, error) {
	all, ok := q.batch.put(s)
	if !ok {
		var err error
		all, err = list[billing.Subscription](ctx, q.queries, "put subscription", putSubscription, subscriptionTable.values(s)...)
		if err != nil {
			return all, err
		}
	}
	if s.Foreign {
		return all, nil
	}
	return all, q.stateChanged(ctx, s.OrganizationID)
}

var selectCurrentSubscription = `select ` + subscriptionTable.list("") + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 and is_current and not is_foreign`

// Current implements [billing.SubscriptionStore].
func (q subscriptionStore) Current(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) (billing.Subscription, error) {
	return get[billing.Subscription](ctx, q.queries, "read current subscription", selectCurrentSubscription,
		organizationID, acct.ID, acct.Livemode)
}

var selectSubscriptions = `select ` + subscriptionTable.list("") + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 and is_foreign = $4 order by created_at, id`

// List implements [billing.SubscriptionStore], oldest first.
func (q subscriptionStore) List(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list subscriptions", selectSubscriptions,
		organizationID, acct.ID, acct.Livemode, false)
}

// Foreign implements [billing.SubscriptionStore], oldest first.
func (q subscriptionStore) Foreign(
	ctx context.Context, acct billing.StripeAccount, organizationID string,
) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list foreign subscriptions", selectSubscriptions,
		organizationID, acct.ID, acct.Livemode, true)
}

const clearCurrent = `update subscriptions set is_current = false
	where organization_id = $1 and account = $2 and livemode = $3 and is_current`

// ClearCurrent implements [billing.SubscriptionStore].
func (q subscriptionStore) ClearCurrent(ctx context.Context, organizationID string, acct billing.StripeAccount) error {
	if err := q.exec(ctx, "clear current subscription", clearCurrent, organizationID, acct.ID, acct.Livemode); err != nil {
		return err
	}
	return q.stateChanged(ctx, organizationID)
}

// One statement, so that there are never two current subscriptions or none. The unique index is
// checked row by row: counting the cleared rows orders the clearing before the setting. Rows that
// are already correct are not written.
const setCurrent = `with target as (
		select id from subscriptions where id = $2 and organization_id = $1 and account = $3 and livemode = $4 and not is_foreign
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

// SetCurrent implements [billing.SubscriptionStore]. A subscription of another organization,
// account or mode is not found, and nothing changes. The revision counts snapshots and does not
// change.
func (q subscriptionStore) SetCurrent(ctx context.Context, organizationID, subscriptionID string, acct billing.StripeAccount) error {
	const operation = "set current subscription"
	found, err := get[int](ctx, q.queries, operation, setCurrent, organizationID, subscriptionID, acct.ID, acct.Livemode)
	if err == nil && found == 0 {
		err = fmt.Errorf("%s: %w", operation, apperr.ErrNotFound)
	}
	if err != nil {
		return err
	}
	return q.stateChanged(ctx, organizationID)
}

// The condition on the card equals the one of subscriptions_card_expiry_idx.
var selectCardsExpiring = `select ` + subscriptionTable.list("") + ` from subscriptions s
	where account = $1 and livemode = $2 and card_expires_at <= $3 and card_expires_at is not null and is_current
		and status in ('active', 'trialing') and card_expires_at <= current_period_end
		and not cancel_at_period_end and cancel_at is null and not sends_invoices
		and not exists (
			select from card_expiry_notices n where n.organization_id = s.organization_id
				and n.payment_method_id = s.payment_method_id and n.expires_at = s.card_expires_at
		)
	order by card_expires_at, id limit $4`

// CardsExpiring implements [billing.SubscriptionStore].
func (q subscriptionStore) CardsExpiring(ctx context.Context, acct billing.StripeAccount, until time.Time, limit int) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list cards that expire", selectCardsExpiring, acct.ID, acct.Livemode, until, limit)
}

const insertCardNotice = `insert into card_expiry_notices (organization_id, payment_method_id, expires_at, noticed_at)
	values ($1, $2, $3, $4) on conflict do nothing`

// NoticeCard implements [billing.SubscriptionStore].
func (q subscriptionStore) NoticeCard(ctx context.Context, s billing.Subscription, now time.Time) (bool, error) {
	n, err := q.execCount(ctx, "insert card notice", insertCardNotice, s.OrganizationID, s.PaymentMethodID, s.CardExpiresAt, now)
	return n > 0, err
}
