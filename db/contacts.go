package db

import (
	"context"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
)

// Contacts implements [billing.ContactQueries].
func (q contactStore) List(ctx context.Context, organizationID string) ([]string, error) {
	return list[string](ctx, q.queries, "list billing contacts", `select email from billing_contacts where organization_id = $1 order by id`, organizationID)
}

const insertContact = `insert into billing_contacts (organization_id, email) values ($1, $2) on conflict do nothing`

// AddContact implements [billing.ContactQueries].
func (q contactStore) Add(ctx context.Context, organizationID, email string) error {
	return q.exec(ctx, "add billing contact", insertContact, organizationID, email)
}

// RemoveContact implements [billing.ContactQueries].
func (q contactStore) Remove(ctx context.Context, organizationID, email string) error {
	n, err := q.execCount(ctx, "remove billing contact", `delete from billing_contacts where organization_id = $1 and lower(email) = lower($2)`,
		organizationID, email)
	if err == nil && n == 0 {
		return apperr.ErrNotFound
	}
	return err
}

// MutedNotices implements [billing.ContactQueries].
func (q contactStore) Muted(ctx context.Context, organizationID string) ([]mail.Kind, error) {
	return list[mail.Kind](ctx, q.queries, "list muted notices", `select kind from muted_notices where organization_id = $1 order by kind`, organizationID)
}

// MuteNotices implements [billing.ContactQueries].
func (q contactStore) Mute(ctx context.Context, organizationID string, kinds []mail.Kind) error {
	if err := q.exec(ctx, "unmute notices", `delete from muted_notices where organization_id = $1`, organizationID); err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := q.exec(ctx, "mute notice", `insert into muted_notices (organization_id, kind) values ($1, $2)`, organizationID, kind); err != nil {
			return err
		}
	}
	return nil
}

// Same rule as billing.Access.CanManageBilling.
var selectBillingManagers = `select ` + userTable.list("u") + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1 and m.status = 'active' and (r.id = 'admin' or r.can_manage_billing)
	order by m.joined_at, m.id`

// BillingManagers implements [billing.ContactQueries].
func (q memberStore) BillingManagers(ctx context.Context, organizationID string) ([]account.User, error) {
	return list[account.User](ctx, q.queries, "list who manages billing", selectBillingManagers, organizationID)
}

// The same table as the customer links, with other columns.
var customerDetailsTable = tableOf[billing.CustomerDetails]("billing_customers")

var selectCustomerDetails = `select ` + customerDetailsTable.list("") + ` from billing_customers
	where organization_id = $1 and account = $2 and livemode = $3 and stripe_customer_id is not null and deleted_at is null`

// CustomerDetails implements [billing.CustomerDetailsQueries].
func (q customerStore) Details(ctx context.Context, organizationID string, acct billing.StripeAccount) (billing.CustomerDetails, error) {
	return get[billing.CustomerDetails](ctx, q.queries, "read customer details", selectCustomerDetails, organizationID, acct.ID, acct.Livemode)
}

const putCustomer = `update billing_customers set stripe_name = $4, stripe_email = $5, delinquent = $6, as_of = $7
	where stripe_customer_id = $1 and account = $2 and livemode = $3 and (as_of is null or as_of <= $7)`

// PutCustomer implements [billing.CustomerDetailsQueries].
func (q customerStore) Put(ctx context.Context, acct billing.StripeAccount, c billing.StripeCustomer) error {
	return q.exec(ctx, "put customer", putCustomer, c.ID, acct.ID, acct.Livemode, c.Name, c.Email, c.Delinquent, c.AsOf)
}

const requestCustomerDetails = `update billing_customers set details_version = details_version + 1, details_due_at = $4, details_failures = 0
	where organization_id = $1 and account = $2 and livemode = $3 and stripe_customer_id is not null and deleted_at is null`

// WantCustomerDetails implements [billing.CustomerDetailsQueries].
func (q customerStore) ScheduleUpdate(ctx context.Context, organizationID string, acct billing.StripeAccount, due time.Time) error {
	return q.exec(ctx, "want customer details", requestCustomerDetails, organizationID, acct.ID, acct.Livemode, due)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimCustomerDetails = `with due as materialized (
		select organization_id, generation from billing_customers
		where details_due_at <= $3 and account = $1 and livemode = $2 and stripe_customer_id is not null and deleted_at is null
		order by details_due_at limit 1 for no key update skip locked
	)
	update billing_customers c set details_due_at = $4 from due where c.organization_id = due.organization_id and c.generation = due.generation
	returning ` + customerDetailsTable.list("c")

// ClaimCustomerDetails implements [billing.CustomerDetailsQueries].
func (q customerStore) ClaimUpdate(
	ctx context.Context, acct billing.StripeAccount, now, leaseUntil time.Time,
) (billing.CustomerDetails, error) {
	return get[billing.CustomerDetails](ctx, q.queries, "claim customer details", claimCustomerDetails, acct.ID, acct.Livemode, now, leaseUntil)
}

// If the details changed during the call, the next push is due at once, whatever the result of this
// one.
const finishCustomerDetails = `update billing_customers set details_applied_version = $5, details_failures = $6, details_error = $7,
		details_due_at = case when details_version = $4 then $8::timestamptz else $9::timestamptz end
	where stripe_customer_id = $1 and account = $2 and livemode = $3`

// FinishCustomerDetails implements [billing.CustomerDetailsQueries].
func (q customerStore) FinishUpdate(ctx context.Context, acct billing.StripeAccount, d billing.CustomerDetails, now time.Time) error {
	return q.exec(ctx, "finish customer details", finishCustomerDetails,
		d.ID, acct.ID, acct.Livemode, d.Version, d.AppliedVersion, d.Failures, d.Error, d.DueAt, now)
}
