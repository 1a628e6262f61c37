package db

import (
	"context"
	"time"

	"usher/billing"
)

const invoiceColumns = `id, organization_id, customer_id, subscription_id, account, livemode, test_clock, number, status, reason, currency,
	total, amount_paid, amount_due, attempts, next_attempt_at, hosted_url, created_at, finalized_at, paid_at, org_id, moment, revision`

type invoiceRow struct {
	ID             string     `db:"id"`
	OrganizationID string     `db:"organization_id"`
	CustomerID     string     `db:"customer_id"`
	SubscriptionID string     `db:"subscription_id"`
	Account        string     `db:"account"`
	Livemode       bool       `db:"livemode"`
	TestClock      bool       `db:"test_clock"`
	Number         string     `db:"number"`
	Status         string     `db:"status"`
	Reason         string     `db:"reason"`
	Currency       string     `db:"currency"`
	Total          int64      `db:"total"`
	AmountPaid     int64      `db:"amount_paid"`
	AmountDue      int64      `db:"amount_due"`
	Attempts       int        `db:"attempts"`
	NextAttemptAt  *time.Time `db:"next_attempt_at"`
	HostedURL      string     `db:"hosted_url"`
	CreatedAt      time.Time  `db:"created_at"`
	FinalizedAt    *time.Time `db:"finalized_at"`
	PaidAt         *time.Time `db:"paid_at"`
	OrgID          string     `db:"org_id"`
	Moment         time.Time  `db:"moment"`
	Revision       int64      `db:"revision"`
}

func (r invoiceRow) invoice() billing.Invoice {
	return billing.Invoice{
		ID: r.ID, OrganizationID: r.OrganizationID, CustomerID: r.CustomerID, SubscriptionID: r.SubscriptionID, Account: r.Account,
		Livemode: r.Livemode, TestClock: r.TestClock, Number: r.Number, Status: r.Status, Reason: r.Reason, Currency: r.Currency,
		Total: r.Total, AmountPaid: r.AmountPaid, AmountDue: r.AmountDue, Attempts: r.Attempts, NextAttemptAt: utc(r.NextAttemptAt),
		HostedURL: r.HostedURL, CreatedAt: r.CreatedAt.UTC(), FinalizedAt: utc(r.FinalizedAt), PaidAt: utc(r.PaidAt), OrgID: r.OrgID,
		Moment: r.Moment.UTC(), Revision: r.Revision,
	}
}

const (
	selectInvoice = `select ` + invoiceColumns + ` from invoices where id = $1`
	lockInvoice   = selectInvoice + ` for no key update`
)

// LockInvoice implements [billing.InvoiceQueries].
func (q queries) LockInvoice(ctx context.Context, id string) (billing.Invoice, error) {
	row, err := get[invoiceRow](ctx, q, "lock invoice", lockInvoice, id)
	return row.invoice(), err
}

// Invoice implements [billing.InvoiceQueries].
func (q queries) Invoice(ctx context.Context, id string) (billing.Invoice, error) {
	row, err := get[invoiceRow](ctx, q, "read invoice", selectInvoice, id)
	return row.invoice(), err
}

const selectOldestOpenInvoice = `select ` + invoiceColumns + ` from invoices
	where organization_id = $1 and subscription_id = $2 and status = 'open' order by finalized_at nulls last, created_at, id limit 1`

// OldestOpenInvoice implements [billing.InvoiceQueries].
func (q queries) OldestOpenInvoice(ctx context.Context, organizationID, subscriptionID string) (billing.Invoice, error) {
	row, err := get[invoiceRow](ctx, q, "read the oldest open invoice", selectOldestOpenInvoice, organizationID, subscriptionID)
	return row.invoice(), err
}

const putInvoice = `insert into invoices (` + invoiceColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, 1)
	on conflict (id) do update set
		organization_id = excluded.organization_id, customer_id = excluded.customer_id, subscription_id = excluded.subscription_id,
		account = excluded.account, livemode = excluded.livemode, test_clock = excluded.test_clock, number = excluded.number,
		status = excluded.status, reason = excluded.reason, currency = excluded.currency, total = excluded.total,
		amount_paid = excluded.amount_paid, amount_due = excluded.amount_due, attempts = excluded.attempts,
		next_attempt_at = excluded.next_attempt_at, hosted_url = excluded.hosted_url, created_at = excluded.created_at,
		finalized_at = excluded.finalized_at, paid_at = excluded.paid_at, org_id = excluded.org_id, moment = excluded.moment,
		revision = invoices.revision + 1`

// PutInvoice implements [billing.InvoiceQueries]. A snapshot without a moment is refused.
func (q queries) PutInvoice(ctx context.Context, i billing.Invoice) error {
	return q.exec(ctx, "put invoice", putInvoice,
		i.ID, i.OrganizationID, i.CustomerID, i.SubscriptionID, i.Account, i.Livemode, i.TestClock, i.Number, i.Status, i.Reason,
		i.Currency, i.Total, i.AmountPaid, i.AmountDue, i.Attempts, i.NextAttemptAt, i.HostedURL, i.CreatedAt, i.FinalizedAt, i.PaidAt,
		i.OrgID, timeOrNull(i.Moment))
}

const selectInvoices = `select ` + invoiceColumns + ` from invoices
	where organization_id = $1 and account = $2 and livemode = $3 and status <> 'draft' order by created_at desc, id desc limit $4`

// Invoices implements [billing.InvoiceQueries].
func (q queries) Invoices(
	ctx context.Context, organizationID string, account billing.StripeAccount, limit int,
) ([]billing.Invoice, error) {
	rows, err := list[invoiceRow](ctx, q, "list invoices", selectInvoices, organizationID, account.ID, account.Livemode, limit)
	return collect(rows, invoiceRow.invoice), err
}

const putProration = `insert into invoice_prorations (id, invoice_id, subscription_id, amount, period_start) values ($1, $2, $3, $4, $5)
	on conflict (invoice_id, id) do update set amount = excluded.amount, period_start = excluded.period_start`

// PutProration implements [billing.InvoiceQueries].
func (q queries) PutProration(ctx context.Context, invoiceID, subscriptionID string, line billing.InvoiceLine) error {
	return q.exec(ctx, "put proration", putProration, line.ID, invoiceID, subscriptionID, line.Amount, line.PeriodStart)
}
