package db

import (
	"context"

	"usher/billing"
)

var paymentTable = tableOf[billing.Payment]("payments")

var (
	selectPayment = `select ` + paymentTable.list("") + ` from payments where id = $1`
	lockPayment   = selectPayment + ` for no key update`
)

// Payment implements [billing.PaymentQueries].
func (q queries) Payment(ctx context.Context, id string) (billing.Payment, error) {
	return get[billing.Payment](ctx, q, "read payment", selectPayment, id)
}

// LockPayment implements [billing.PaymentQueries].
func (q queries) LockPayment(ctx context.Context, id string) (billing.Payment, error) {
	return get[billing.Payment](ctx, q, "lock payment", lockPayment, id)
}

var putPayment = paymentTable.upsert("id") + `, revision = payments.revision + 1`

// PutPayment implements [billing.PaymentQueries].
func (q queries) PutPayment(ctx context.Context, p billing.Payment) error {
	return q.exec(ctx, "put payment", putPayment, paymentTable.values(p)...)
}
