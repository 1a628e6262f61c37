package db

import (
	"context"

	"usher/billing"
)

// paymentStore implements [billing.PaymentStore].
type paymentStore struct{ queries }

// Payments implements [billing.Tx].
func (q queries) Payments() billing.PaymentStore { return paymentStore{q} }

var paymentTable = tableOf[billing.Payment]("payments")

var (
	selectPayment = `select ` + paymentTable.list("") + ` from payments where id = $1`
	lockPayment   = selectPayment + ` for no key update`
)

// Get implements [billing.PaymentStore].
func (q paymentStore) Get(ctx context.Context, id string) (billing.Payment, error) {
	return get[billing.Payment](ctx, q.queries, "read payment", selectPayment, id)
}

// Lock implements [billing.PaymentStore].
func (q paymentStore) Lock(ctx context.Context, id string) (billing.Payment, error) {
	return get[billing.Payment](ctx, q.queries, "lock payment", lockPayment, id)
}

var putPayment = paymentTable.upsert("id") + `, revision = payments.revision + 1`

// Put implements [billing.PaymentStore].
func (q paymentStore) Put(ctx context.Context, p billing.Payment) error {
	return q.exec(ctx, "put payment", putPayment, paymentTable.values(p)...)
}
