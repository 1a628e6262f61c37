package db

import (
	"context"
	"database/sql"
	"time"

	"usher/billing"
)

const (
	creditAccountColumns = `organization_id, balance, plan_id, plan_granted, plan_left, invoice_id, period_start, period_end, month,
		next_month_at, rest_consumed, turn`
	creditEntryColumns = `organization_id, at, kind, amount, balance, source, plan_id, reason, expires_at, period, plan_part`
)

type creditAccountRow struct {
	OrganizationID string       `db:"organization_id"`
	Balance        int          `db:"balance"`
	PlanID         string       `db:"plan_id"`
	PlanGranted    int          `db:"plan_granted"`
	PlanLeft       int          `db:"plan_left"`
	InvoiceID      string       `db:"invoice_id"`
	PeriodStart    sql.NullTime `db:"period_start"`
	PeriodEnd      sql.NullTime `db:"period_end"`
	Month          int          `db:"month"`
	NextMonthAt    *time.Time   `db:"next_month_at"`
	RestConsumed   int          `db:"rest_consumed"`
	Turn           int          `db:"turn"`
}

func (r creditAccountRow) account() billing.CreditAccount {
	return billing.CreditAccount{
		OrganizationID: r.OrganizationID, Balance: r.Balance, PlanID: r.PlanID, PlanGranted: r.PlanGranted, PlanLeft: r.PlanLeft,
		InvoiceID: r.InvoiceID, PeriodStart: utcOrZero(r.PeriodStart), PeriodEnd: utcOrZero(r.PeriodEnd), Month: r.Month,
		NextMonthAt: utc(r.NextMonthAt), RestConsumed: r.RestConsumed, Turn: r.Turn,
	}
}

const (
	selectCreditAccount = `select ` + creditAccountColumns + ` from credit_accounts where organization_id = $1`
	lockCreditAccount   = selectCreditAccount + ` for no key update`
)

// LockCreditAccount implements [billing.CreditQueries].
func (q queries) LockCreditAccount(ctx context.Context, organizationID string) (billing.CreditAccount, error) {
	row, err := get[creditAccountRow](ctx, q, "lock credit account", lockCreditAccount, organizationID)
	return row.account(), err
}

// CreditAccount implements [billing.CreditQueries].
func (q queries) CreditAccount(ctx context.Context, organizationID string) (billing.CreditAccount, error) {
	row, err := get[creditAccountRow](ctx, q, "read credit account", selectCreditAccount, organizationID)
	return row.account(), err
}

const putCreditAccount = `insert into credit_accounts (` + creditAccountColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	on conflict (organization_id) do update set
		balance = excluded.balance, plan_id = excluded.plan_id, plan_granted = excluded.plan_granted, plan_left = excluded.plan_left,
		invoice_id = excluded.invoice_id, period_start = excluded.period_start, period_end = excluded.period_end,
		month = excluded.month, next_month_at = excluded.next_month_at,
		rest_consumed = excluded.rest_consumed, turn = excluded.turn`

// PutCreditAccount implements [billing.CreditQueries].
func (q queries) PutCreditAccount(ctx context.Context, c billing.CreditAccount) error {
	return q.exec(ctx, "put credit account", putCreditAccount,
		c.OrganizationID, c.Balance, c.PlanID, c.PlanGranted, c.PlanLeft, c.InvoiceID, timeOrNull(c.PeriodStart), timeOrNull(c.PeriodEnd),
		c.Month, c.NextMonthAt, c.RestConsumed, c.Turn)
}

const insertCreditEntry = `insert into credit_entries (` + creditEntryColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (organization_id, source) do nothing`

// InsertCreditEntry implements [billing.CreditQueries].
func (q queries) InsertCreditEntry(ctx context.Context, e billing.CreditEntry) (bool, error) {
	n, err := q.execCount(ctx, "insert credit entry", insertCreditEntry,
		e.OrganizationID, e.At, e.Kind, e.Amount, e.Balance, e.Source, e.PlanID, e.Reason, e.ExpiresAt,
		e.Period, e.PlanPart)
	return n == 1, err
}

const hasCreditEntry = `select exists (select from credit_entries where organization_id = $1 and source = $2)`

// HasCreditEntry implements [billing.CreditQueries].
func (q queries) HasCreditEntry(ctx context.Context, organizationID, source string) (bool, error) {
	return get[bool](ctx, q, "look for credit entry", hasCreditEntry, organizationID, source)
}

type creditEntryRow struct {
	ID             int64      `db:"id"`
	OrganizationID string     `db:"organization_id"`
	At             time.Time  `db:"at"`
	Kind           string     `db:"kind"`
	Amount         int        `db:"amount"`
	Balance        int        `db:"balance"`
	Source         string     `db:"source"`
	PlanID         string     `db:"plan_id"`
	Reason         string     `db:"reason"`
	ExpiresAt      *time.Time `db:"expires_at"`
	Period         string     `db:"period"`
	PlanPart       int        `db:"plan_part"`
}

func (r creditEntryRow) entry() billing.CreditEntry {
	return billing.CreditEntry{
		ID: r.ID, OrganizationID: r.OrganizationID, At: r.At.UTC(), Kind: billing.CreditKind(r.Kind), Amount: r.Amount, Balance: r.Balance,
		Source: r.Source, PlanID: r.PlanID, Reason: r.Reason, ExpiresAt: utc(r.ExpiresAt),
		Period: r.Period, PlanPart: r.PlanPart,
	}
}

const selectCreditEntries = `select id, ` + creditEntryColumns + ` from credit_entries where organization_id = $1 order by id desc limit $2`

// CreditEntries implements [billing.CreditQueries].
func (q queries) CreditEntries(ctx context.Context, organizationID string, limit int) ([]billing.CreditEntry, error) {
	rows, err := list[creditEntryRow](ctx, q, "list credit entries", selectCreditEntries, organizationID, limit)
	return collect(rows, creditEntryRow.entry), err
}

const selectDueCreditMonths = `select organization_id from credit_accounts where next_month_at <= $1 order by next_month_at limit $2`

// DueCreditMonths implements [billing.CreditQueries].
func (q queries) DueCreditMonths(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q, "list due credit months", selectDueCreditMonths, now, limit)
}

const insertCreditFact = `insert into credit_facts
	(organization_id, source, kind, invoice_id, subscription_id, charge_id, plan_id, credits, at, period_start, period_end)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (organization_id, source) do nothing`

// InsertCreditFact implements [billing.CreditQueries].
func (q queries) InsertCreditFact(ctx context.Context, f billing.CreditFact) (bool, error) {
	n, err := q.execCount(ctx, "insert credit fact", insertCreditFact,
		f.OrganizationID, f.Source, f.Kind, f.InvoiceID, f.SubscriptionID, f.ChargeID, f.PlanID, f.Credits, f.At,
		timeOrNull(f.PeriodStart), timeOrNull(f.PeriodEnd))
	return n == 1, err
}

type creditFactRow struct {
	OrganizationID string       `db:"organization_id"`
	Source         string       `db:"source"`
	Kind           string       `db:"kind"`
	InvoiceID      string       `db:"invoice_id"`
	SubscriptionID string       `db:"subscription_id"`
	ChargeID       string       `db:"charge_id"`
	PlanID         string       `db:"plan_id"`
	Credits        int          `db:"credits"`
	At             time.Time    `db:"at"`
	PeriodStart    sql.NullTime `db:"period_start"`
	PeriodEnd      sql.NullTime `db:"period_end"`
	Paid           int64        `db:"paid"`
	Back           int64        `db:"back"`
}

func (r creditFactRow) fact() billing.CreditFact {
	return billing.CreditFact{
		OrganizationID: r.OrganizationID, Source: r.Source, Kind: billing.CreditFactKind(r.Kind), InvoiceID: r.InvoiceID,
		SubscriptionID: r.SubscriptionID, ChargeID: r.ChargeID, PlanID: r.PlanID, Credits: r.Credits, At: r.At.UTC(),
		PeriodStart: utcOrZero(r.PeriodStart), PeriodEnd: utcOrZero(r.PeriodEnd), Paid: r.Paid, Back: r.Back,
	}
}

const selectCreditFacts = `select f.organization_id, f.source, f.kind, f.invoice_id, f.subscription_id, f.charge_id, f.plan_id, f.credits, f.at,
		f.period_start, f.period_end, coalesce(p.paid, 0) as paid, coalesce(p.back, 0) as back
	from credit_facts f
	left join lateral (
		select sum(amount)::bigint as paid, sum(refunded + lost)::bigint as back from payments
		where organization_id = f.organization_id and (refunded > 0 or lost > 0)
			and (f.invoice_id <> '' and invoice_id = f.invoice_id or f.charge_id <> '' and id = f.charge_id)
	) p on true
	where f.organization_id = $1 order by f.at, f.source`

// CreditFacts implements [billing.CreditQueries].
func (q queries) CreditFacts(ctx context.Context, organizationID string) ([]billing.CreditFact, error) {
	rows, err := list[creditFactRow](ctx, q, "list credit facts", selectCreditFacts, organizationID)
	return collect(rows, creditFactRow.fact), err
}

const consumedOfPeriod = `select coalesce(sum(plan_part), 0) from credit_entries
	where organization_id = $1 and period = $2 and kind = 'consume'`

// ConsumedOfPeriod implements [billing.CreditQueries].
func (q queries) ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error) {
	return get[int](ctx, q, "add up consumption", consumedOfPeriod, organizationID, period)
}
