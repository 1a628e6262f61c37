package db

import (
	"context"

	"usher/billing"
	"usher/billing/webhook"
)

// paymentAttemptStore implements [billing.PaymentAttemptStore].
type paymentAttemptStore struct{ queries }

// PaymentAttempts implements [billing.Tx].
func (q queries) PaymentAttempts() billing.PaymentAttemptStore { return paymentAttemptStore{q} }

var paymentAttemptTable = tableOf[billing.PaymentAttempt]("payment_attempts")

// The result does not depend on the order in which an attempt is reported. xmax is 0 for a row that
// was inserted.
var putPaymentAttempt = paymentAttemptTable.insert() + ` on conflict (account, livemode, id) do update set
		at = least(payment_attempts.at, excluded.at),
		number = greatest(payment_attempts.number, excluded.number),
		payment_method_id = case when payment_attempts.payment_method_id = '' then excluded.payment_method_id else payment_attempts.payment_method_id end,
		next_attempt_at = case when excluded.as_of >= coalesce(payment_attempts.as_of, '-infinity') then excluded.next_attempt_at
			else payment_attempts.next_attempt_at end,
		as_of = greatest(payment_attempts.as_of, excluded.as_of)
	returning xmax = 0`

// Put implements [billing.PaymentAttemptStore].
func (q paymentAttemptStore) Put(ctx context.Context, a billing.PaymentAttempt) (bool, error) {
	fresh, err := get[bool](ctx, q.queries, "put payment attempt", putPaymentAttempt, paymentAttemptTable.values(a)...)
	if err != nil || !fresh || a.Outcome == billing.AttemptActionRequired { // that is no failure yet
		return fresh, err
	}
	return fresh, q.changed(ctx, webhook.Change{
		OrganizationID: a.OrganizationID, Kind: webhook.ChangeInvoicePaymentFailed, ObjectID: a.InvoiceID, FactID: a.ID,
	})
}

var selectPaymentAttempts = `select ` + paymentAttemptTable.list("") + ` from payment_attempts
	where organization_id = $1 and invoice_id = $2 order by at desc, number desc, seq desc`

// List implements [billing.PaymentAttemptStore].
func (q paymentAttemptStore) List(ctx context.Context, organizationID, invoiceID string) ([]billing.PaymentAttempt, error) {
	return list[billing.PaymentAttempt](ctx, q.queries, "list payment attempts", selectPaymentAttempts, organizationID, invoiceID)
}
