package db

import (
	"context"
	"time"

	"usher/billing"
)

// creditStore implements [billing.CreditStore].
type creditStore struct{ queries }

// Credits implements [billing.Tx].
func (q queries) Credits() billing.CreditStore { return creditStore{q} }

var (
	creditAccountTable = tableOf[billing.CreditAccount]("credit_accounts")
	creditEntryTable   = tableOf[billing.CreditEntry]("credit_entries")
	creditFactTable    = tableOf[billing.CreditFact]("credit_facts")
)

var (
	selectCreditAccount = `select ` + creditAccountTable.list("") + ` from credit_accounts where organization_id = $1`
	lockCreditAccount   = selectCreditAccount + ` for no key update`
)

// LockAccount implements [billing.CreditStore].
func (q creditStore) LockAccount(ctx context.Context, organizationID string) (billing.CreditAccount, error) {
	return get[billing.CreditAccount](ctx, q.queries, "lock credit account", lockCreditAccount, organizationID)
}

// Account implements [billing.CreditStore].
func (q creditStore) Account(ctx context.Context, organizationID string) (billing.CreditAccount, error) {
	return get[billing.CreditAccount](ctx, q.queries, "read credit account", selectCreditAccount, organizationID)
}

var putCreditAccount = creditAccountTable.upsert("organization_id")

// PutAccount implements [billing.CreditStore].
func (q creditStore) PutAccount(ctx context.Context, c billing.CreditAccount) error {
	return q.exec(ctx, "put credit account", putCreditAccount, creditAccountTable.values(c)...)
}

var insertCreditEntry = creditEntryTable.insert() + ` on conflict (organization_id, source) do nothing`

// InsertEntry implements [billing.CreditStore].
func (q creditStore) InsertEntry(ctx context.Context, e billing.CreditEntry) (bool, error) {
	n, err := q.execCount(ctx, "insert credit entry", insertCreditEntry, creditEntryTable.values(e)...)
	return n == 1, err
}

const hasCreditEntry = `select exists (select from credit_entries where organization_id = $1 and source = $2)`

// HasEntry implements [billing.CreditStore].
func (q creditStore) HasEntry(ctx context.Context, organizationID, source string) (bool, error) {
	return get[bool](ctx, q.queries, "find credit entry", hasCreditEntry, organizationID, source)
}

var selectCreditEntries = `select ` + creditEntryTable.list("") + ` from credit_entries where organization_id = $1 order by id desc limit $2`

// Entries implements [billing.CreditStore].
func (q creditStore) Entries(ctx context.Context, organizationID string, limit int) ([]billing.CreditEntry, error) {
	return list[billing.CreditEntry](ctx, q.queries, "list credit entries", selectCreditEntries, organizationID, limit)
}

const selectDueCreditMonths = `select organization_id from credit_accounts where next_month_at <= $1 order by next_month_at limit $2`

// DueMonths implements [billing.CreditStore].
func (q creditStore) DueMonths(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due credit months", selectDueCreditMonths, now, limit)
}

var insertCreditFact = creditFactTable.insert() + ` on conflict (organization_id, source) do nothing`

// InsertFact implements [billing.CreditStore].
func (q creditStore) InsertFact(ctx context.Context, f billing.CreditFact) (bool, error) {
	n, err := q.execCount(ctx, "insert credit fact", insertCreditFact, creditFactTable.values(f)...)
	return n == 1, err
}

// Refunds are compared with the invoice's total, not with the charges: the customer's balance may
// have paid a part. A charge is returned at most once, by refunds and lost disputes together.
var selectCreditFacts = `select ` + creditFactTable.list("f") + `,
		coalesce(i.total, p.paid, 0) as paid,
		coalesce(p.back, 0) + coalesce(i.credited_unrefunded + i.credited_before_payment, 0) as back
	from credit_facts f
	left join invoices i on f.invoice_id <> '' and i.id = f.invoice_id and i.organization_id = f.organization_id
	left join lateral (
		select sum(amount)::bigint as paid, sum(least(amount, refunded + lost))::bigint as back from payments
		where organization_id = f.organization_id and (refunded > 0 or lost > 0)
			and (f.invoice_id <> '' and invoice_id = f.invoice_id or f.charge_id <> '' and id = f.charge_id)
	) p on true
	where f.organization_id = $1 order by f.at, f.source`

// Facts implements [billing.CreditStore].
func (q creditStore) Facts(ctx context.Context, organizationID string) ([]billing.CreditFact, error) {
	return list[billing.CreditFact](ctx, q.queries, "list credit facts", selectCreditFacts, organizationID)
}

const consumedOfPeriod = `select coalesce(sum(plan_amount), 0) from credit_entries
	where organization_id = $1 and period = $2 and kind = 'consume'`

// ConsumedOfPeriod implements [billing.CreditStore].
func (q creditStore) ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error) {
	return get[int](ctx, q.queries, "sum consumption", consumedOfPeriod, organizationID, period)
}
