package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing"
)

// customerStore implements [billing.CustomerStore].
type customerStore struct{ queries }

// Customers implements [billing.Tx].
func (q queries) Customers() billing.CustomerStore { return customerStore{q} }

var customerLinkTable = tableOf[billing.CustomerLink]("billing_customers")

var selectCustomerLink = `select ` + customerLinkTable.list("") + ` from billing_customers
	where organization_id = $1 and account = $2 and livemode = $3 order by generation desc limit 1`

// Link implements [billing.CustomerStore].
func (q customerStore) Link(
	ctx context.Context, organizationID string, acct billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q.queries, "read customer link", selectCustomerLink, organizationID, acct.ID, acct.Livemode)
}

const selectLastGeneration = `select coalesce(max(generation), 0) from billing_customers where organization_id = $1`

// LastGeneration implements [billing.CustomerStore].
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

// Owner implements [billing.CustomerStore].
func (q customerStore) Owner(
	ctx context.Context, customerID string, acct billing.StripeAccount,
) (billing.CustomerLink, error) {
	return get[billing.CustomerLink](ctx, q.queries, "read customer owner", selectCustomerOwner, customerID, acct.ID, acct.Livemode)
}

const lockOwner = `select o.id as owner, o.has_webhooks from billing_customers c join organizations o on o.id = c.organization_id
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o`

// LockOwner implements [billing.CustomerStore].
func (q customerStore) LockOwner(ctx context.Context, customerID string, acct billing.StripeAccount) (string, error) {
	if row, ok := q.batch.owner(customerID, acct); ok {
		return row.Owner, nil
	}
	row, err := get[ownerRow](ctx, q.queries, "lock the customer's organization", lockOwner, customerID, acct.ID, acct.Livemode)
	if err == nil {
		q.webhooks.mark(row.Owner, row.HasWebhooks)
	}
	return row.Owner, err
}

// ownerRow is a locked organization.
type ownerRow struct {
	Owner       string `db:"owner"`
	HasWebhooks bool   `db:"has_webhooks"`
}

// The same table as the customer links, with other columns.
var customerDetailsTable = tableOf[billing.CustomerDetails]("billing_customers")

var selectCustomerDetails = `select ` + customerDetailsTable.list("") + ` from billing_customers
	where organization_id = $1 and account = $2 and livemode = $3 and stripe_customer_id is not null and deleted_at is null`

// Details implements [billing.CustomerStore].
func (q customerStore) Details(ctx context.Context, organizationID string, acct billing.StripeAccount) (billing.CustomerDetails, error) {
	return get[billing.CustomerDetails](ctx, q.queries, "read customer details", selectCustomerDetails, organizationID, acct.ID, acct.Livemode)
}

const putCustomer = `update billing_customers set stripe_name = $4, stripe_email = $5, delinquent = $6, as_of = $7
	where stripe_customer_id = $1 and account = $2 and livemode = $3 and (as_of is null or as_of <= $7)`

// Put implements [billing.CustomerStore].
func (q customerStore) Put(ctx context.Context, acct billing.StripeAccount, c billing.StripeCustomer) error {
	return q.exec(ctx, "put customer", putCustomer, c.ID, acct.ID, acct.Livemode, c.Name, c.Email, c.Delinquent, c.AsOf)
}

const scheduleCustomerUpdate = `update billing_customers set details_version = details_version + 1, details_due_at = $4, details_failures = 0
	where organization_id = $1 and account = $2 and livemode = $3 and stripe_customer_id is not null and deleted_at is null`

// ScheduleUpdate implements [billing.CustomerStore].
func (q customerStore) ScheduleUpdate(ctx context.Context, organizationID string, acct billing.StripeAccount, due time.Time) error {
	return q.exec(ctx, "schedule customer update", scheduleCustomerUpdate, organizationID, acct.ID, acct.Livemode, due)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimCustomerUpdate = `with due as materialized (
		select organization_id, generation from billing_customers
		where details_due_at <= $3 and account = $1 and livemode = $2 and stripe_customer_id is not null and deleted_at is null
		order by details_due_at limit 1 for no key update skip locked
	)
	update billing_customers c set details_due_at = $4 from due where c.organization_id = due.organization_id and c.generation = due.generation
	returning ` + customerDetailsTable.list("c")

// ClaimUpdate implements [billing.CustomerStore].
func (q customerStore) ClaimUpdate(
	ctx context.Context, acct billing.StripeAccount, now, leaseUntil time.Time,
) (billing.CustomerDetails, error) {
	return get[billing.CustomerDetails](ctx, q.queries, "claim customer update", claimCustomerUpdate, acct.ID, acct.Livemode, now, leaseUntil)
}

// If the details changed during the call, the next push is due at once, whatever the result of this
// one.
const finishCustomerUpdate = `update billing_customers set details_applied_version = $5, details_failures = $6, details_error = $7,
		details_due_at = case when details_version = $4 then $8::timestamptz else $9::timestamptz end
	where stripe_customer_id = $1 and account = $2 and livemode = $3`

// FinishUpdate implements [billing.CustomerStore].
func (q customerStore) FinishUpdate(ctx context.Context, acct billing.StripeAccount, d billing.CustomerDetails, now time.Time) error {
	return q.exec(ctx, "finish customer update", finishCustomerUpdate,
		d.ID, acct.ID, acct.Livemode, d.Version, d.AppliedVersion, d.Failures, d.Error, d.DueAt, now)
}

var selectCustomerLinks = `select ` + customerLinkTable.list("") + ` from billing_customers
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_customer_id is not null and deleted_at is null
	order by stripe_customer_id`

// Links implements [billing.CustomerStore].
func (q customerStore) Links(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.CustomerLink, error) {
	return list[billing.CustomerLink](ctx, q.queries, "list customer links", selectCustomerLinks, acct.ID, acct.Livemode, organizationID)
}

var selectCustomerLinksAfter = `select ` + customerLinkTable.list("c") + ` from billing_customers c
	where account = $1 and livemode = $2 and stripe_customer_id > $3 and deleted_at is null order by stripe_customer_id limit $4`

// LinksAfter implements [billing.CustomerStore].
func (q customerStore) LinksAfter(
	ctx context.Context, acct billing.StripeAccount, customerID string, limit int,
) ([]billing.CustomerLink, error) {
	return list[billing.CustomerLink](ctx, q.queries, "list customer links", selectCustomerLinksAfter, acct.ID, acct.Livemode, customerID, limit)
}

var selectSubscribedLinks = `select ` + customerLinkTable.list("c") + ` from billing_customers c
	where account = $1 and livemode = $2 and stripe_customer_id > $3 and deleted_at is null and (
		exists (select from subscriptions s where s.organization_id = c.organization_id and s.account = c.account and s.livemode = c.livemode
			and (s.status not in ('canceled', 'incomplete_expired') or s.ended_at >= $5))
		or exists (select from checkout_sessions p where p.organization_id = c.organization_id and p.mode = 'payment' and p.status = 'complete'))
	order by stripe_customer_id limit $4`

// LinksSubscribedSince implements [billing.CustomerStore].
func (q customerStore) LinksSubscribedSince(
	ctx context.Context, acct billing.StripeAccount, since time.Time, customerID string, limit int,
) ([]billing.CustomerLink, error) {
	return list[billing.CustomerLink](ctx, q.queries, "list customer links", selectSubscribedLinks, acct.ID, acct.Livemode, customerID, limit, since)
}

const countCustomerLinks = `select count(*) from billing_customers
	where account = $1 and livemode = $2 and stripe_customer_id is not null and deleted_at is null`

// CountLinks implements [billing.CustomerStore].
func (q customerStore) CountLinks(ctx context.Context, acct billing.StripeAccount) (int, error) {
	return get[int](ctx, q.queries, "count customer links", countCustomerLinks, acct.ID, acct.Livemode)
}

var selectCustomerOwners = `select ` + customerLinkTable.list("") + ` from billing_customers
	where stripe_customer_id = any($1) and account = $2 and livemode = $3`

// Owners implements [billing.CustomerStore].
func (q customerStore) Owners(
	ctx context.Context, customerIDs []string, acct billing.StripeAccount,
) ([]billing.CustomerLink, error) {
	return list[billing.CustomerLink](ctx, q.queries, "read customer owners", selectCustomerOwners, pq.Array(customerIDs), acct.ID, acct.Livemode)
}
