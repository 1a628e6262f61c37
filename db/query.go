package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/billing"
)

// get reads one row; no row is [billing.ErrNotFound] and the zero Row: sqlx has set the row's pointers by the time it finds none.
func get[Row any](ctx context.Context, q queries, operation, query string, args ...any) (Row, error) {
	var row Row
	if err := sqlx.GetContext(ctx, q.ext, &row, query, args...); err != nil {
		var none Row
		return none, wrap(ctx, operation, err)
	}
	return row, nil
}

// list reads all rows.
func list[Row any](ctx context.Context, q queries, operation, query string, args ...any) ([]Row, error) {
	var rows []Row
	err := sqlx.SelectContext(ctx, q.ext, &rows, query, args...)
	return rows, wrap(ctx, operation, err)
}

// exec runs a statement whose rows do not matter.
func (q queries) exec(ctx context.Context, operation, query string, args ...any) error {
	_, err := q.ext.ExecContext(ctx, query, args...)
	return wrap(ctx, operation, err)
}

// execOne runs a statement that has to touch a row; touching none is [billing.ErrNotFound].
func (q queries) execOne(ctx context.Context, operation, query string, args ...any) error {
	n, err := q.execCount(ctx, operation, query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", operation, billing.ErrNotFound)
	}
	return err
}

func (q queries) execCount(ctx context.Context, operation, query string, args ...any) (int64, error) {
	result, err := q.ext.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, wrap(ctx, operation, err)
	}
	n, err := result.RowsAffected()
	return n, wrap(ctx, operation, err)
}

// collect turns rows into what package billing calls them; no rows are an empty, non-nil slice.
func collect[Row, Out any](rows []Row, convert func(Row) Out) []Out {
	out := make([]Out, 0, len(rows))
	for _, row := range rows {
		out = append(out, convert(row))
	}
	return out
}

// textOrNull stores an empty text as null, where a column has to tell 'none' to a foreign key or a uniqueness rule.
func textOrNull(s string) sql.NullString {
	return sql.NullString{String: s, Valid: s != ""}
}

// timeOrNull stores the zero time as null.
func timeOrNull(t time.Time) sql.NullTime {
	return sql.NullTime{Time: t, Valid: !t.IsZero()}
}

// utc makes a time of the database comparable with == and readable whatever zone the session has.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// utcOrZero reads what timeOrNull stored.
func utcOrZero(t sql.NullTime) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}
