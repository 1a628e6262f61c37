package db

import (
	"context"

	"usher/billing"

	"github.com/lib/pq"
)

// invoiceDetailStore implements [billing.InvoiceDetailStore].
type invoiceDetailStore struct{ queries }

// InvoiceDetails implements [billing.Tx].
func (q queries) InvoiceDetails() billing.InvoiceDetailStore { return invoiceDetailStore{q} }

var invoiceDetailTable = tableOf[billing.InvoiceDetails]("invoice_details")

// An event's payload does not say why a payment failed, so that it must not erase the reason.
var putInvoiceDetails = invoiceDetailTable.insert() + ` on conflict (invoice_id) do update set ` +
	invoiceDetailTable.without("invoice_id", "failure_code").excluded() + `, failure_code = coalesce(nullif(excluded.failure_code, ''), invoice_details.failure_code)`

// Put implements [billing.InvoiceDetailStore].
func (q invoiceDetailStore) Put(ctx context.Context, d billing.InvoiceDetails) error {
	return q.exec(ctx, "put invoice details", putInvoiceDetails, invoiceDetailTable.values(d)...)
}

var selectInvoiceDetails = `select ` + invoiceDetailTable.list("") + ` from invoice_details where organization_id = $1 and invoice_id = any($2)`

// List implements [billing.InvoiceDetailStore].
func (q invoiceDetailStore) List(ctx context.Context, organizationID string, invoiceIDs []string) ([]billing.InvoiceDetails, error) {
	return list[billing.InvoiceDetails](ctx, q.queries, "list invoice details", selectInvoiceDetails, organizationID, pq.Array(invoiceIDs))
}
