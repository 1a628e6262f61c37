package main

import (
	"context"
	"fmt"
)

// backlogSize is the number of pending events of one organization in the first batch. They must not
// delay the other organizations, which are verified while the backlog is processed.
const backlogSize = 100_000

// backlogPart is the number of events inserted by one statement. On a busy machine, all of them
// would take longer than a statement may.
const backlogPart = 5_000

const (
	backlogOrganization = "org_backlog"
	notBacklog          = `organization_id is distinct from '` + backlogOrganization + `'`
)

// insertBacklog inserts the pending events: updates of a customer that does not exist.
func (e *environment) insertBacklog(ctx context.Context) error {
	if !e.hasBacklog() {
		return nil
	}
	const payload = `{"id":"evt_backlog","object":"event","api_version":"2024-06-20","created":1700000000,"livemode":false,
		"type":"customer.updated","data":{"object":{"id":"cus_unknown","object":"customer"}}}`
	insert := func(statement string, args ...any) error {
		if _, err := e.store.DB().ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("insert the backlog: %w", err)
		}
		return nil
	}
	if err := insert(`insert into organizations (id, name, created_at) values ('` + backlogOrganization + `', 'Backlog', now())`); err != nil {
		return err
	}
	for n := 0; n < backlogSize; n += backlogPart {
		err := insert(`
			insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type,
				customer_id, subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
			select 'evt_backlog_' || n, 'customer.updated', '2024-06-20', false, '', now() - interval '1 hour', now(),
				'cus_unknown', 'customer', 'cus_unknown', '', '', false, '`+backlogOrganization+`', 'pending', 0, '',
				now() - interval '1 hour', '`+payload+`'
			from generate_series($1::int, $2) n`, n+1, n+backlogPart)
		if err != nil {
			return err
		}
	}
	e.results.countFault("backlog: pending events of one organization", backlogSize)
	return nil
}

// verifyBacklog checks that a part of the backlog has been processed beside the histories' events.
func (v verifier) verifyBacklog(ctx context.Context) error {
	if !v.env.hasBacklog() {
		return nil
	}
	var left int
	err := v.env.store.DB().GetContext(ctx, &left, `
		select count(*) from stripe_events where organization_id = $1 and outcome = 'pending'`, backlogOrganization)
	if err != nil {
		return fmt.Errorf("count the backlog: %w", err)
	}
	v.env.results.countFault("backlog: events processed meanwhile", backlogSize-left)
	if left == backlogSize {
		v.env.results.diverged("no event of the backlog was processed")
	}
	return nil
}
