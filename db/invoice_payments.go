package db

import (
	"context"
	"time"

	"usher/billing"
)

// invoicePaymentStore implements [billing.InvoicePaymentStore].
type invoicePaymentStore struct{ queries }

// InvoicePayments implements [billing.Tx].
func (q queries) InvoicePayments() billing.InvoicePaymentStore { return invoicePaymentStore{q} }

var invoicePaymentTable = tableOf[billing.InvoicePayment]("invoice_payments")

var (
	insertInvoicePayment     = invoicePaymentTable.insert()
	insertInvoicePaymentOnce = insertInvoicePayment + ` on conflict do nothing`
	updateInvoicePayment     = invoicePaymentTable.update("id") + ` and status = 'open'`
)

// Insert implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) Insert(ctx context.Context, p billing.InvoicePayment) error {
	return q.exec(ctx, "insert invoice payment", insertInvoicePayment, invoicePaymentTable.values(p)...)
}

// InsertForCard implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) InsertForCard(ctx context.Context, p billing.InvoicePayment) (bool, error) {
	n, err := q.execCount(ctx, "insert invoice payment", insertInvoicePaymentOnce, invoicePaymentTable.values(p)...)
	return n > 0, err
}

// Put implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) Put(ctx context.Context, p billing.InvoicePayment) error {
	return q.exec(ctx, "write invoice payment", updateInvoicePayment, invoicePaymentTable.values(p)...)
}

var (
	selectOpenInvoicePayment = `select ` + invoicePaymentTable.list("") + ` from invoice_payments
	where invoice_id = $1 and status = 'open'`
	selectLatestInvoicePayment = `select ` + invoicePaymentTable.list("") + ` from invoice_payments
	where organization_id = $1 and account = $2 and livemode = $3 order by requested_at desc, id desc limit 1`
)

// Open implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) Open(ctx context.Context, invoiceID string) (billing.InvoicePayment, error) {
	return get[billing.InvoicePayment](ctx, q.queries, "read open invoice payment", selectOpenInvoicePayment, invoiceID)
}

// Latest implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) Latest(ctx context.Context, organizationID string, acct billing.StripeAccount) (billing.InvoicePayment, error) {
	return get[billing.InvoicePayment](ctx, q.queries, "read latest invoice payment", selectLatestInvoicePayment,
		organizationID, acct.ID, acct.Livemode)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimDueInvoicePayment = `with due as materialized (
		select id from invoice_payments where status = 'open' and next_attempt_at <= $3 and account = $1 and livemode = $2
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update invoice_payments set next_attempt_at = $4 where id = (select id from due)
	returning ` + invoicePaymentTable.list("")

// ClaimDue implements [billing.InvoicePaymentStore].
func (q invoicePaymentStore) ClaimDue(
	ctx context.Context, acct billing.StripeAccount, now, leaseUntil time.Time,
) (billing.InvoicePayment, error) {
	return get[billing.InvoicePayment](ctx, q.queries, "claim due invoice payment", claimDueInvoicePayment,
		acct.ID, acct.Livemode, now, leaseUntil)
}
