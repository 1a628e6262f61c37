package db

import (
	"context"
	"time"

	"usher/billing"
)

const paymentColumns = `id, organization_id, customer_id, invoice_id, account, livemode, test_clock, currency, amount, refunded, lost, moment, revision`

type paymentRow struct {
	ID             string    `db:"id"`
	OrganizationID string    `db:"organization_id"`
	CustomerID     string    `db:"customer_id"`
	InvoiceID      string    `db:"invoice_id"`
	Account        string    `db:"account"`
	Livemode       bool      `db:"livemode"`
	TestClock      bool      `db:"test_clock"`
	Currency       string    `db:"currency"`
	Amount         int64     `db:"amount"`
	Refunded       int64     `db:"refunded"`
	Lost           int64     `db:"lost"`
	Moment         time.Time `db:"moment"`
	Revision       int64     `db:"revision"`
}

func (r paymentRow) payment() billing.Payment {
	return billing.Payment{
		ID: r.ID, OrganizationID: r.OrganizationID, CustomerID: r.CustomerID, InvoiceID: r.InvoiceID, Account: r.Account, Livemode: r.Livemode,
		TestClock: r.TestClock, Currency: r.Currency, Amount: r.Amount, Refunded: r.Refunded, Lost: r.Lost, Moment: r.Moment.UTC(), Revision: r.Revision,
	}
}

const (
	selectPayment = `select ` + paymentColumns + ` from payments where id = $1`
	lockPayment   = selectPayment + ` for no key update`
)

// Payment implements [billing.PaymentQueries].
func (q queries) Payment(ctx context.Context, id string) (billing.Payment, error) {
	row, err := get[paymentRow](ctx, q, "read payment", selectPayment, id)
	return row.payment(), err
}

// LockPayment implements [billing.PaymentQueries].
func (q queries) LockPayment(ctx context.Context, id string) (billing.Payment, error) {
	row, err := get[paymentRow](ctx, q, "lock payment", lockPayment, id)
	return row.payment(), err
}

const putPayment = `insert into payments (` + paymentColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)
	on conflict (id) do update set
		organization_id = excluded.organization_id, customer_id = excluded.customer_id, invoice_id = excluded.invoice_id,
		account = excluded.account, livemode = excluded.livemode, test_clock = excluded.test_clock, currency = excluded.currency,
		amount = excluded.amount, refunded = excluded.refunded, lost = excluded.lost, moment = excluded.moment,
		revision = payments.revision + 1`

// PutPayment implements [billing.PaymentQueries].
func (q queries) PutPayment(ctx context.Context, p billing.Payment) error {
	return q.exec(ctx, "put payment", putPayment, p.ID, p.OrganizationID, p.CustomerID, p.InvoiceID, p.Account, p.Livemode, p.TestClock,
		p.Currency, p.Amount, p.Refunded, p.Lost, p.Moment)
}
