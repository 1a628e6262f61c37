package db

import (
	"context"

	"usher/billing"
)

// upcomingInvoiceStore implements [billing.UpcomingInvoiceStore].
type upcomingInvoiceStore struct{ queries }

// UpcomingInvoices implements [billing.Tx].
func (q queries) UpcomingInvoices() billing.UpcomingInvoiceStore { return upcomingInvoiceStore{q} }

var upcomingInvoiceTable = tableOf[billing.UpcomingInvoice]("upcoming_invoices")

var selectUpcomingInvoice = `select ` + upcomingInvoiceTable.list("") + ` from upcoming_invoices
	where organization_id = $1 and subscription_id = $2`

// Get implements [billing.UpcomingInvoiceStore].
func (q upcomingInvoiceStore) Get(ctx context.Context, organizationID, subscriptionID string) (billing.UpcomingInvoice, error) {
	return get[billing.UpcomingInvoice](ctx, q.queries, "read upcoming invoice", selectUpcomingInvoice, organizationID, subscriptionID)
}

// Replicas may fetch at the same time: the later answer is kept.
var putUpcomingInvoice = upcomingInvoiceTable.upsert("subscription_id") + ` where upcoming_invoices.fetched_at <= excluded.fetched_at`

// Put implements [billing.UpcomingInvoiceStore].
func (q upcomingInvoiceStore) Put(ctx context.Context, i billing.UpcomingInvoice) error {
	return q.exec(ctx, "write upcoming invoice", putUpcomingInvoice, upcomingInvoiceTable.values(i)...)
}
