package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing"
)

func organizationID(n int) string { return fmt.Sprintf("org_%d", n) }
func customerID(n int) string     { return fmt.Sprintf("cus_%d", n) }
func subscriptionID(n int) string { return fmt.Sprintf("sub_%d", n) }

// insertOrganizations inserts the organizations, each with an admin, a customer and an active
// subscription whose seats are in sync with Stripe.
func (e *environment) insertOrganizations(ctx context.Context, priceID string) error {
	for _, statement := range []string{
		`insert into organizations (id, name, created_at)
			select 'org_' || n, 'Organization ' || n, now() from generate_series(1, $1::integer) n`,
		`insert into users (id, email, name, password_hash, created_at)
			select 'usr_' || n, n || '@example.com', 'Person', '', now() from generate_series(1, $1::integer) n`,
		`insert into organization_members (id, organization_id, user_id, role_id, billable, status, joined_at)
			select 'mem_' || n, 'org_' || n, 'usr_' || n, 'admin', true, 'active', now() from generate_series(1, $1::integer) n`,
	} {
		if _, err := e.store.DB().ExecContext(ctx, statement, e.organizations); err != nil {
			return fmt.Errorf("insert organizations: %w", err)
		}
	}
	start := time.Now().AddDate(0, 0, -1)
	err := e.store.InTx(ctx, func(tx billing.Tx) error {
		return e.insertSubscription(ctx, tx, subscriber{organizationID(1), customerID(1), subscriptionID(1), 1}, priceID, start)
	})
	if err != nil {
		return fmt.Errorf("insert subscription: %w", err)
	}
	for _, table := range []string{"billing_customers", "subscriptions", "billing_seat_state"} {
		if _, err := e.store.DB().ExecContext(ctx, copyRows(table), e.organizations); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	_, err = e.store.DB().ExecContext(ctx, `vacuum analyze`)
	return err
}

// copyRows copies the row of the first organization to the others, with their ids.
func copyRows(table string) string {
	return `insert into ` + table + ` select copied.* from ` + table + ` t, generate_series(2, $1::integer) n,
		lateral jsonb_populate_record(t,
			jsonb_strip_nulls(regexp_replace(to_jsonb(t)::text, '"(org|cus|sub)_1"', '"\1_' || n || '"', 'g')::jsonb)) copied
		where t.organization_id = 'org_1'`
}

// subscriber holds the ids of an organization with a subscription, and its seats.
type subscriber struct {
	organizationID, customerID, subscriptionID string
	seats                                      int
}

func (e *environment) insertSubscription(ctx context.Context, tx billing.Tx, s subscriber, priceID string, start time.Time) error {
	link := tx.Customers().PutLink(ctx, billing.CustomerLink{
		OrganizationID: s.organizationID, Generation: 1, StripeCustomerID: s.customerID, Account: e.account.ID, Livemode: e.account.Livemode,
		Email: "a@example.com", Name: "Organization", CreatedAt: start, UpdatedAt: start,
	})
	_, put := tx.Subscriptions().Put(ctx, billing.Subscription{
		ID: s.subscriptionID, OrganizationID: s.organizationID, CustomerID: s.customerID, Account: e.account.ID, Livemode: e.account.Livemode,
		Status: billing.StatusActive, PriceID: priceID, ItemID: "si_1", Quantity: s.seats,
		CurrentPeriodStart: start, CurrentPeriodEnd: start.AddDate(0, 1, 0), CreatedAt: start, MetadataOrgID: s.organizationID, AsOf: start,
	})
	return errors.Join(link, put, tx.Subscriptions().SetCurrent(ctx, s.organizationID, s.subscriptionID, e.account), tx.Seats().PutState(ctx, billing.SeatState{
		OrganizationID: s.organizationID, DesiredSeats: s.seats, LastAppliedSeats: &s.seats, LastSyncAt: &start, SyncVersion: 1, AppliedVersion: 1,
	}))
}

// backlogSize is the number of pending events of one organization.
const backlogSize = 100_000

// insertBacklog inserts pending events: updates of a customer that does not exist.
func (e *environment) insertBacklog(ctx context.Context) error {
	_, err := e.store.DB().ExecContext(ctx, `
		insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type,
			customer_id, subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
		select 'evt_backlog_' || n, 'customer.updated', '2024-06-20', false, '', now(), now(), 'cus_unknown', 'customer',
			'cus_unknown', '', '', false, 'org_1', 'pending', 0, '', now() - interval '1 hour',
			'{"id":"evt_backlog","object":"event","api_version":"2024-06-20","created":1700000000,"type":"customer.updated",
				"data":{"object":{"id":"cus_unknown","object":"customer"}}}'
		from generate_series(1, $1::integer) n`, backlogSize)
	return err
}
