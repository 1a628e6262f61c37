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
	if err := q.exec(ctx, "put credit account", putCreditAccount, creditAccountTable.values(c)...); err != nil {
		return err
	}
	return q.stateChanged(ctx, c.OrganizationID)
}

var insertCreditEntry = creditEntryTable.insert() + ` on conflict (organization_id, source) do nothing`

// InsertEntry implements [billing.CreditStore].
func (q creditStore) InsertEntry(ctx context.Context, e billing.CreditEntry) (bool, error) {
	n, err := q.execCount(ctx, "insert credit entry", insertCreditEntry, creditEntryTable.values(e)...)
	return n == 1, err
}

const selectCreditEntryAccount = `select account, livemode from credit_entries where organization_id = $1 and source = $2`

// EntryAccount implements [billing.CreditStore].
func (q creditStore) EntryAccount(ctx context.Context, organizationID, source string) (billing.StripeAccount, error) {
	return get[billing.StripeAccount](ctx, q.queries, "find credit entry", selectCreditEntryAccount, organizationID, source)
}

const sumCreditEntries = `select coalesce(sum(amount), 0)::bigint as balance,
		coalesce(sum(-amount - plan_amount) filter (where kind = 'consume'), 0)::bigint as consumed
	from credit_entries where organization_id = $1 and account = $2 and livemode = $3`

type creditSumsRow struct {
	Balance  int `db:"balance"`
	Consumed int `db:"consumed"`
}

// Sums implements [billing.CreditStore].
func (q creditStore) Sums(ctx context.Context, organizationID string, acct billing.StripeAccount) (balance, packConsumed int, err error) {
	row, err := get[creditSumsRow](ctx, q.queries, "sum credit entries", sumCreditEntries, organizationID, acct.ID, acct.Livemode)
	return row.Balance, row.Consumed, err
}

var selectCreditEntries = `select ` + creditEntryTable.list("") + ` from credit_entries
	where organization_id = $1 and account = $2 and livemode = $3 order by id desc limit $4`

// Entries implements [billing.CreditStore].
func (q creditStore) Entries(ctx context.Context, organizationID string, acct billing.StripeAccount, limit int) ([]billing.CreditEntry, error) {
	return list[billing.CreditEntry](ctx, q.queries, "list credit entries", selectCreditEntries, organizationID, acct.ID, acct.Livemode, limit)
}

var selectCreditLevels = `select ` + creditEntryTable.list("") + ` from credit_entries
	where organization_id = $1 and account = $2 and livemode = $3 and (
		at >= $4 and kind <> 'consume'
		or id in (select max(id) from credit_entries where organization_id = $1 and account = $2 and livemode = $3 and at < $4)
		or id in (
			select max(id) from credit_entries where organization_id = $1 and account = $2 and livemode = $3 and at >= $4 and kind = 'consume'
			group by date_trunc('day', at, 'utc')
		)
	) order by id`

// Levels implements [billing.CreditStore].
func (q creditStore) Levels(
	ctx context.Context, organizationID string, acct billing.StripeAccount, since time.Time,
) ([]billing.CreditEntry, error) {
	return list[billing.CreditEntry](ctx, q.queries, "list credit levels", selectCreditLevels, organizationID, acct.ID, acct.Livemode, since)
}

const sumConsumedSince = `select coalesce(-sum(amount), 0) from credit_entries
	where organization_id = $1 and account = $2 and livemode = $3 and kind = 'consume' and at >= $4`

// Consumed implements [billing.CreditStore].
func (q creditStore) Consumed(ctx context.Context, organizationID string, acct billing.StripeAccount, since time.Time) (int, error) {
	return get[int](ctx, q.queries, "sum consumption since a time", sumConsumedSince, organizationID, acct.ID, acct.Livemode, since)
}

const selectDueCreditMonths = `select organization_id from credit_accounts
	where next_month_at <= $1 and account = $2 and livemode = $3 order by next_month_at limit $4`

// DueMonths implements [billing.CreditStore].
func (q creditStore) DueMonths(ctx context.Context, acct billing.StripeAccount, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due credit months", selectDueCreditMonths, now, acct.ID, acct.Livemode, limit)
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
	where f.organization_id = $1 and f.account = $2 and f.livemode = $3 order by f.at, f.source`

// Facts implements [billing.CreditStore].
func (q creditStore) Facts(ctx context.Context, organizationID string, acct billing.StripeAccount) ([]billing.CreditFact, error) {
	return list[billing.CreditFact](ctx, q.queries, "list credit facts", selectCreditFacts, organizationID, acct.ID, acct.Livemode)
}

const consumedOfPeriod = `select coalesce(sum(plan_amount), 0) from credit_entries
	where organization_id = $1 and period = $2 and kind = 'consume'`

// ConsumedOfPeriod implements [billing.CreditStore].
func (q creditStore) ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error) {
	return get[int](ctx, q.queries, "sum consumption", consumedOfPeriod, organizationID, period)
}
