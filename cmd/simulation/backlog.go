package main

import (
	"fmt"
	"strconv"
)

// backlogSize is how many events of one organization wait from the beginning in the first batch of a storm. It shall keep nobody waiting: the
// others are judged while they wait.
const backlogSize = 100_000

const (
	backlogOrganization = "org_backlog"
	notOfBacklog        = `organization_id is distinct from '` + backlogOrganization + `'`
)

// pileUp writes the backlog: reminders to look at a customer whom nobody knows any more.
func (w *world) pileUp() error {
	if w.part.number != 0 || w.storm.only != 0 {
		return nil
	}
	const payload = `{"id":"evt_backlog","object":"event","api_version":"2024-06-20","created":1700000000,"livemode":false,"type":"customer.updated",
		"data":{"object":{"id":"cus_of_nobody","object":"customer"}}}`
	for _, statement := range []string{
		`insert into organizations (id, name, created_at) values ('` + backlogOrganization + `', 'Backlog', now())`,
		`insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type, customer_id, subscription_id,
				org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
			select 'evt_backlog_' || n, 'customer.updated', '2024-06-20', false, '', now() - interval '1 hour', now(), 'cus_of_nobody', 'customer',
				'cus_of_nobody', '', '', false, '` + backlogOrganization + `', 'pending', 0, '', now() - interval '1 hour', '` + payload + `'
			from generate_series(1, ` + strconv.Itoa(backlogSize) + `) n`,
	} {
		if _, err := w.store.DB().ExecContext(w.ctx, statement); err != nil {
			return fmt.Errorf("pile up a backlog: %w", err)
		}
	}
	w.count("events of one organization that wait beside", backlogSize)
	return nil
}

// judgeBacklog: all others' events are settled, and the backlog's are being settled beside.
func (w *world) judgeBacklog() error {
	if w.part.number != 0 || w.storm.only != 0 {
		return nil
	}
	var left int
	err := w.store.DB().GetContext(w.ctx, &left, `select count(*) from stripe_events where organization_id = '`+backlogOrganization+`' and outcome = 'pending'`)
	w.count("events of that organization settled meanwhile", backlogSize-left)
	if err == nil && left == backlogSize {
		w.diverged(nil, "the backlog is not worked on")
	}
	return err
}
