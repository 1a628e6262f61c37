package db

import (
	"context"
	"database/sql"
	"time"

	"usher/billing"
)

const (
	creditAccountColumns = `organization_id, balance, plan_id, plan_granted, plan_left, invoice_id, period_start, period_end, month,
		next_month_at`
	creditEntryColumns = `organization_id, at, kind, amount, balance, source, plan_id, reason, expires_at`
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
}

func (r creditAccountRow) account() billing.CreditAccount {
	return billing.CreditAccount{
		OrganizationID: r.OrganizationID, Balance: r.Balance, PlanID: r.PlanID, PlanGranted: r.PlanGranted, PlanLeft: r.PlanLeft,
		InvoiceID: r.InvoiceID, PeriodStart: utcOrZero(r.PeriodStart), PeriodEnd: utcOrZero(r.PeriodEnd), Month: r.Month,
		NextMonthAt: utc(r.NextMonthAt),
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
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	on conflict (organization_id) do update set
		balance = excluded.balance, plan_id = excluded.plan_id, plan_granted = excluded.plan_granted, plan_left = excluded.plan_left,
		invoice_id = excluded.invoice_id, period_start = excluded.period_start, period_end = excluded.period_end,
		month = excluded.month, next_month_at = excluded.next_month_at`

// PutCreditAccount implements [billing.CreditQueries].
func (q queries) PutCreditAccount(ctx context.Context, c billing.CreditAccount) error {
	return q.exec(ctx, "put credit account", putCreditAccount,
		c.OrganizationID, c.Balance, c.PlanID, c.PlanGranted, c.PlanLeft, c.InvoiceID, timeOrNull(c.PeriodStart), timeOrNull(c.PeriodEnd),
		c.Month, c.NextMonthAt)
}

const insertCreditEntry = `insert into credit_entries (` + creditEntryColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (organization_id, source) do nothing`

// InsertCreditEntry implements [billing.CreditQueries].
func (q queries) InsertCreditEntry(ctx context.Context, e billing.CreditEntry) (bool, error) {
	n, err := q.execCount(ctx, "insert credit entry", insertCreditEntry,
		e.OrganizationID, e.At, e.Kind, e.Amount, e.Balance, e.Source, e.PlanID, e.Reason, e.ExpiresAt)
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
}

func (r creditEntryRow) entry() billing.CreditEntry {
	return billing.CreditEntry{
		ID: r.ID, OrganizationID: r.OrganizationID, At: r.At.UTC(), Kind: billing.CreditKind(r.Kind), Amount: r.Amount, Balance: r.Balance,
		Source: r.Source, PlanID: r.PlanID, Reason: r.Reason, ExpiresAt: utc(r.ExpiresAt),
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
