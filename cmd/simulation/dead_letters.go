package main

import (
	"fmt"
	"slices"
)

// deadLetterTypes are the events of refunds. In even batches some of them become dead letters: they
// are stored, but nothing was applied, and they are not processed again.
var deadLetterTypes = []string{"charge.refunded", "credit_note.created"}

// deadLetterError marks the events that the simulation stored as dead letters.
const deadLetterError = "simulated dead letter"

const insertDeadLetter = `
	insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type,
		customer_id, subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, payload)
	select $1, $2, '2024-06-20', false, $3, now(), now(), $4, 'charge', $5, '', '', false,
		(select organization_id from billing_customers where stripe_customer_id = $5), 'failed', 100, $6, $7`

// isDeadLetter decides whether an event becomes a dead letter.
func (p *webhookProxy) isDeadLetter(e event, roll float64) bool {
	return p.env.losesEvents() && !p.faultsOver && roll < 0.4 && slices.Contains(deadLetterTypes, e.Type)
}

// storeDeadLetter stores an event that was not applied. It is delivered instead if that fails.
func (p *webhookProxy) storeDeadLetter(e event, payload []byte) {
	p.start(func() {
		_, err := p.env.store.DB().ExecContext(p.ctx, insertDeadLetter, e.ID, e.Type, p.env.account.ID, e.Data.Object.ID, e.customerID(), deadLetterError, string(payload))
		if err != nil {
			p.env.results.countFault(fmt.Sprintf("webhooks: dead letters not stored: %v", err), 1)
			p.deliver(payload, 0)
			return
		}
		p.env.results.countFault("webhooks: refunds as dead letters", 1)
	})
}
