package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"usher/billing"
)

const subscriptionColumns = `id, organization_id, customer_id, account, livemode, test_clock, status, price_id, item_id, quantity,
	current_period_start, current_period_end, cancel_at_period_end, cancel_at, canceled_at, ended_at, trial_end,
	card_brand, card_last4, created_at, metadata_org_id, is_current, moment, revision`

type subscriptionRow struct {
	ID                 string       `db:"id"`
	OrganizationID     string       `db:"organization_id"`
	CustomerID         string       `db:"customer_id"`
	Account            string       `db:"account"`
	Livemode           bool         `db:"livemode"`
	TestClock          bool         `db:"test_clock"`
	Status             string       `db:"status"`
	PriceID            string       `db:"price_id"`
	ItemID             string       `db:"item_id"`
	Quantity           int          `db:"quantity"`
	CurrentPeriodStart sql.NullTime `db:"current_period_start"`
	CurrentPeriodEnd   sql.NullTime `db:"current_period_end"`
	CancelAtPeriodEnd  bool         `db:"cancel_at_period_end"`
	CancelAt           *time.Time   `db:"cancel_at"`
	CanceledAt         *time.Time   `db:"canceled_at"`
	EndedAt            *time.Time   `db:"ended_at"`
	TrialEnd           *time.Time   `db:"trial_end"`
	CardBrand          string       `db:"card_brand"`
	CardLast4          string       `db:"card_last4"`
	CreatedAt          time.Time    `db:"created_at"`
	MetadataOrgID      string       `db:"metadata_org_id"`
	IsCurrent          bool         `db:"is_current"`
	Moment             time.Time    `db:"moment"`
	Revision           int64        `db:"revision"`
}

func (r subscriptionRow) subscription() billing.Subscription {
	return billing.Subscription{
		ID: r.ID, OrganizationID: r.OrganizationID, CustomerID: r.CustomerID, Account: r.Account, Livemode: r.Livemode,
		TestClock: r.TestClock, Status: billing.SubscriptionStatus(r.Status), PriceID: r.PriceID, ItemID: r.ItemID,
		Quantity: r.Quantity, CurrentPeriodStart: utcOrZero(r.CurrentPeriodStart), CurrentPeriodEnd: utcOrZero(r.CurrentPeriodEnd),
		CancelAtPeriodEnd: r.CancelAtPeriodEnd, CancelAt: utc(r.CancelAt), CanceledAt: utc(r.CanceledAt), EndedAt: utc(r.EndedAt),
		TrialEnd: utc(r.TrialEnd), CardBrand: r.CardBrand, CardLast4: r.CardLast4, CreatedAt: r.CreatedAt.UTC(),
		MetadataOrgID: r.MetadataOrgID, IsCurrent: r.IsCurrent, Moment: r.Moment.UTC(), Revision: r.Revision,
	}
}

const (
	selectSubscription = `select ` + subscriptionColumns + ` from subscriptions where id = $1`
	lockSubscription   = selectSubscription + ` for no key update`
)

// LockSubscription implements [billing.SubscriptionQueries].
func (q queries) LockSubscription(ctx context.Context, id string) (billing.Subscription, error) {
	row, err := get[subscriptionRow](ctx, q, "lock subscription", lockSubscription, id)
	return row.subscription(), err
}

// Locks are taken in the order in which they are named, which is everybody's. Whoever had to wait for one sees both rows as they are afterwards.
var lockOwnerAndSubscription = `select o.id as owner, s.` + strings.Join(strings.Fields(subscriptionColumns), " s.") + ` from billing_customers c
	join organizations o on o.id = c.organization_id
	join subscriptions s on s.id = $4
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o, s`

type ownedSubscriptionRow struct {
	subscriptionRow
	Owner string `db:"owner"`
}

// LockOwnerAndSubscription implements [billing.SubscriptionQueries].
func (q queries) LockOwnerAndSubscription(
	ctx context.Context, customerID string, account billing.StripeAccount, id string,
) (string, billing.Subscription, error) {
	row, err := get[ownedSubscriptionRow](ctx, q, "lock organization and subscription", lockOwnerAndSubscription, customerID, account.ID, account.Livemode, id)
	return row.Owner, row.subscription(), err
}

// Subscription implements [billing.SubscriptionQueries].
func (q queries) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	row, err := get[subscriptionRow](ctx, q, "read subscription", selectSubscription, id)
	return row.subscription(), err
}

// One round trip whether the row is there or not, and for all there are then: the others are read as they were when the statement began. The first
// write makes revision 1.
const putSubscription = `with put as (insert into subscriptions (` + subscriptionColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, false, $22, 1)
	on conflict (id) do update set
		organization_id = excluded.organization_id, customer_id = excluded.customer_id, account = excluded.account,
		livemode = excluded.livemode, test_clock = excluded.test_clock, status = excluded.status,
		price_id = excluded.price_id, item_id = excluded.item_id, quantity = excluded.quantity,
		current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end,
		cancel_at_period_end = excluded.cancel_at_period_end, cancel_at = excluded.cancel_at,
		canceled_at = excluded.canceled_at, ended_at = excluded.ended_at, trial_end = excluded.trial_end,
		card_brand = excluded.card_brand, card_last4 = excluded.card_last4, created_at = excluded.created_at,
		metadata_org_id = excluded.metadata_org_id, moment = excluded.moment, revision = subscriptions.revision + 1
	returning ` + subscriptionColumns + `)
	select ` + subscriptionColumns + ` from put
	union all select ` + subscriptionColumns + ` from subscriptions where organization_id = $2 and account = $4 and livemode = $5 and id <> $1
	order by created_at, id`

// PutSubscription implements [billing.SubscriptionQueries]. A snapshot without a moment is refused.
func (q queries) PutSubscription(ctx context.Context, s billing.Subscription) ([]billing.Subscription, error) {
	rows, err := list[subscriptionRow](ctx, q, "put subscription", putSubscription,
		s.ID, s.OrganizationID, s.CustomerID, s.Account, s.Livemode, s.TestClock, s.Status, s.PriceID, s.ItemID, s.Quantity,
		timeOrNull(s.CurrentPeriodStart), timeOrNull(s.CurrentPeriodEnd), s.CancelAtPeriodEnd, s.CancelAt, s.CanceledAt, s.EndedAt,
		s.TrialEnd, s.CardBrand, s.CardLast4, s.CreatedAt, s.MetadataOrgID, timeOrNull(s.Moment))
	return collect(rows, subscriptionRow.subscription), err
}

const selectCurrentSubscription = `select ` + subscriptionColumns + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 and is_current`

// CurrentSubscription implements [billing.SubscriptionQueries].
func (q queries) CurrentSubscription(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) (billing.Subscription, error) {
	row, err := get[subscriptionRow](ctx, q, "read current subscription", selectCurrentSubscription,
		organizationID, account.ID, account.Livemode)
	return row.subscription(), err
}

const selectSubscriptions = `select ` + subscriptionColumns + ` from subscriptions
	where organization_id = $1 and account = $2 and livemode = $3 order by created_at, id`

// Subscriptions implements [billing.SubscriptionQueries]; the oldest comes first.
func (q queries) Subscriptions(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) ([]billing.Subscription, error) {
	rows, err := list[subscriptionRow](ctx, q, "list subscriptions", selectSubscriptions,
		organizationID, account.ID, account.Livemode)
	return collect(rows, subscriptionRow.subscription), err
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
func (q queries) SetCurrent(ctx context.Context, organizationID, subscriptionID string, account billing.StripeAccount) error {
	const operation = "set current subscription"
	found, err := get[int](ctx, q, operation, setCurrent, organizationID, subscriptionID, account.ID, account.Livemode)
	if err == nil && found == 0 {
		err = fmt.Errorf("%s: %w", operation, billing.ErrNotFound)
	}
	return err
}
