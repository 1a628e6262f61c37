package db

import (
	"context"
	"time"

	"usher/billing"
	"usher/billing/webhook"
)

// invoiceStore implements [billing.InvoiceStore].
type invoiceStore struct{ queries }

// Invoices implements [billing.Tx].
func (q queries) Invoices() billing.InvoiceStore { return invoiceStore{q} }

var invoiceTable = tableOf[billing.Invoice]("invoices")

var (
	selectInvoice = `select ` + invoiceTable.list("") + ` from invoices where id = $1`
	lockInvoice   = selectInvoice + ` for no key update`
)

// Lock implements [billing.InvoiceStore].
func (q invoiceStore) Lock(ctx context.Context, id string) (billing.Invoice, error) {
	return get[billing.Invoice](ctx, q.queries, "lock invoice", lockInvoice, id)
}

// Get implements [billing.InvoiceStore].
func (q invoiceStore) Get(ctx context.Context, id string) (billing.Invoice, error) {
	return get[billing.Invoice](ctx, q.queries, "read invoice", selectInvoice, id)
}

var selectOldestOpenInvoice = `select ` + invoiceTable.list("") + ` from invoices
	where organization_id = $1 and subscription_id = $2 and status = 'open' order by finalized_at nulls last, created_at, id limit 1`

// OldestOpen implements [billing.InvoiceStore].
func (q invoiceStore) OldestOpen(ctx context.Context, organizationID, subscriptionID string) (billing.Invoice, error) {
	return get[billing.Invoice](ctx, q.queries, "read the oldest open invoice", selectOldestOpenInvoice, organizationID, subscriptionID)
}

var selectOpenInvoicesOf = `select ` + invoiceTable.list("") + ` from invoices
	where organization_id = $1 and subscription_id = $2 and status = 'open' order by finalized_at nulls last, created_at, id`

// OpenOf implements [billing.InvoiceStore].
func (q invoiceStore) OpenOf(ctx context.Context, organizationID, subscriptionID string) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list open invoices of subscription", selectOpenInvoicesOf, organizationID, subscriptionID)
}

// The status before the write is read in the same round trip; the caller has locked the row or its
// organization.
var putInvoice = `with former as (select status from invoices where id = ` + invoiceTable.placeholder("id") + `),
		put as (` + invoiceTable.upsert("id") + `, revision = invoices.revision + 1)
	select coalesce((select status from former), '')`

// Put implements [billing.InvoiceStore]. A snapshot without a time (as_of) is an error.
func (q invoiceStore) Put(ctx context.Context, i billing.Invoice) error {
	former, err := get[string](ctx, q.queries, "put invoice", putInvoice, invoiceTable.values(i)...)
	if err != nil || former == i.Status {
		return err
	}
	if i.Status == billing.InvoicePaid {
		if err := q.changed(ctx, webhook.Change{OrganizationID: i.OrganizationID, Kind: webhook.ChangeInvoicePaid, ObjectID: i.ID}); err != nil {
			return err
		}
	}
	return q.stateChanged(ctx, i.OrganizationID) // an open invoice limits access
}

var selectInvoicesOf = `select ` + invoiceTable.list("i") + `,
		coalesce(p.refunded, 0) as refunded, coalesce(p.lost, 0) as lost, coalesce(p.disputed, 0) as disputed
	from invoices i
	left join lateral (
		select sum(refunded)::bigint as refunded, sum(lost)::bigint as lost, sum(disputed)::bigint as disputed from payments
		where organization_id = i.organization_id and invoice_id = i.id
	) p on true
	where i.organization_id = $1 and i.account = $2 and i.livemode = $3`

var (
	readInvoice    = selectInvoicesOf + ` and i.id = $4`
	selectInvoices = selectInvoicesOf + ` and i.status <> 'draft' order by i.created_at desc, i.id desc limit $4`
	invoicesSince  = selectInvoicesOf + ` and i.status <> 'draft' and coalesce(i.finalized_at, i.created_at) >= $4 order by i.created_at desc, i.id desc`
	searchInvoices = selectInvoicesOf + invoicesOfYear + ` order by i.created_at desc, i.id desc limit $5 offset $6`
	countInvoices  = `select count(*) from invoices i where i.organization_id = $1 and i.account = $2 and i.livemode = $3` + invoicesOfYear
)

// The year is that of the list: when the invoice was finalized, in UTC.
const (
	invoicesOfYear     = ` and i.status <> 'draft' and ($4 = 0 or extract(year from coalesce(i.finalized_at, i.created_at) at time zone 'utc') = $4)`
	selectInvoiceYears = `select distinct extract(year from coalesce(finalized_at, created_at) at time zone 'utc')::int as year from invoices
	where organization_id = $1 and account = $2 and livemode = $3 and status <> 'draft' order by year desc`
)

// Read implements [billing.InvoiceStore].
func (q invoiceStore) Read(ctx context.Context, organizationID string, acct billing.StripeAccount, id string) (billing.Invoice, error) {
	return get[billing.Invoice](ctx, q.queries, "read an organization's invoice", readInvoice, organizationID, acct.ID, acct.Livemode, id)
}

// Since implements [billing.InvoiceStore].
func (q invoiceStore) Since(
	ctx context.Context, organizationID string, acct billing.StripeAccount, since time.Time,
) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list invoices since a time", invoicesSince, organizationID, acct.ID, acct.Livemode, since)
}

// Search implements [billing.InvoiceStore].
func (q invoiceStore) Search(
	ctx context.Context, organizationID string, acct billing.StripeAccount, search billing.InvoiceSearch,
) ([]billing.Invoice, int, error) {
	total, err := get[int](ctx, q.queries, "count invoices", countInvoices, organizationID, acct.ID, acct.Livemode, search.Year)
	if err != nil || total == 0 {
		return nil, 0, err
	}
	found, err := list[billing.Invoice](ctx, q.queries, "search invoices", searchInvoices,
		organizationID, acct.ID, acct.Livemode, search.Year, search.Limit, search.Offset)
	return found, total, err
}

// Years implements [billing.InvoiceStore].
func (q invoiceStore) Years(ctx context.Context, organizationID string, acct billing.StripeAccount) ([]int, error) {
	return list[int](ctx, q.queries, "list the years of invoices", selectInvoiceYears, organizationID, acct.ID, acct.Livemode)
}

// List implements [billing.InvoiceStore].
func (q invoiceStore) List(
	ctx context.Context, organizationID string, acct billing.StripeAccount, limit int,
) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list invoices", selectInvoices, organizationID, acct.ID, acct.Livemode, limit)
}

const putProration = `insert into invoice_prorations (id, invoice_id, subscription_id, amount, period_start) values ($1, $2, $3, $4, $5)
	on conflict (invoice_id, id) do update set amount = excluded.amount, period_start = excluded.period_start`

// PutProration implements [billing.InvoiceStore].
func (q invoiceStore) PutProration(ctx context.Context, invoiceID, subscriptionID string, line billing.InvoiceLine) error {
	return q.exec(ctx, "put proration", putProration, line.ID, invoiceID, subscriptionID, line.Amount, line.PeriodStart)
}

var selectOpenInvoices = `select ` + invoiceTable.list("") + ` from invoices
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status in ('draft', 'open') order by id`

// Open implements [billing.InvoiceStore].
func (q invoiceStore) Open(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list open invoices", selectOpenInvoices, acct.ID, acct.Livemode, organizationID)
}

var selectPaidWithoutFact = `select ` + invoiceTable.list("") + ` from invoices
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status = 'paid' and subscription_id <> '' and id > $4
		and not exists (
			select from credit_facts f where f.organization_id = invoices.organization_id
				and f.source in ('invoice:' || invoices.id, 'upgrade:' || invoices.id)
		)
	order by id limit $5`

// PaidWithoutFact implements [billing.InvoiceStore].
func (q invoiceStore) PaidWithoutFact(
	ctx context.Context, acct billing.StripeAccount, organizationID, after string, limit int,
) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list paid invoices without credits", selectPaidWithoutFact,
		acct.ID, acct.Livemode, organizationID, after, limit)
}

const countPaidInvoices = `select count(*) from invoices where account = $1 and livemode = $2 and paid_at >= $3 and amount_paid > 0`

// CountPaid implements [billing.InvoiceStore].
func (q invoiceStore) CountPaid(ctx context.Context, acct billing.StripeAccount, since time.Time) (int, error) {
	return get[int](ctx, q.queries, "count paid invoices", countPaidInvoices, acct.ID, acct.Livemode, since)
}
