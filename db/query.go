package db

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"usher/billing/apperr"
)

// get reads one row; without a row it returns [apperr.ErrNotFound] and the zero Row.
func get[Row any](ctx context.Context, q queries, operation, query string, args ...any) (Row, error) {
	var row Row
	ctx, end := startSpan(ctx, operation)
	rows, err := read[Row](ctx, q, 1, query, args)
	end(err)
	if err == nil && len(rows) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return row, wrap(ctx, operation, err)
	}
	return rows[0], nil
}

// list reads all rows; the result is never nil.
func list[Row any](ctx context.Context, q queries, operation, query string, args ...any) ([]Row, error) {
	ctx, end := startSpan(ctx, operation)
	rows, err := read[Row](ctx, q, 0, query, args)
	end(err)
	return rows, wrap(ctx, operation, err)
}

// read runs a query and reads up to limit rows; 0 reads all.
func read[Row any](ctx context.Context, q queries, limit int, query string, args []any) ([]Row, error) {
	if err := q.leaveBatch(ctx); err != nil {
		return []Row{}, err
	}
	found, err := q.ext.QueryContext(ctx, query, args...)
	if err != nil {
		return []Row{}, err
	}
	defer func() { _ = found.Close() }()
	columns, err := found.Columns()
	if err != nil {
		return []Row{}, err
	}
	r, err := readerOf(reflect.TypeFor[Row](), columns)
	if err != nil {
		return []Row{}, err
	}
	rows := []Row{}
	for (limit == 0 || len(rows) < limit) && found.Next() {
		var row Row
		if err := r.read(reflect.ValueOf(&row).Elem(), found.Scan); err != nil {
			return []Row{}, err
		}
		rows = append(rows, row)
	}
	return rows, found.Err()
}

// exec runs a statement and ignores the number of rows.
func (q queries) exec(ctx context.Context, operation, query string, args ...any) error {
	_, err := q.execCount(ctx, operation, query, args...)
	return err
}

// execOne runs a statement that must affect a row; otherwise it returns [apperr.ErrNotFound].
func (q queries) execOne(ctx context.Context, operation, query string, args ...any) error {
	n, err := q.execCount(ctx, operation, query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", operation, apperr.ErrNotFound)
	}
	return err
}

func (q queries) execCount(ctx context.Context, operation, query string, args ...any) (int64, error) {
	if err := q.leaveBatch(ctx); err != nil {
		return 0, err
	}
	ctx, end := startSpan(ctx, operation)
	result, err := q.ext.ExecContext(ctx, query, args...)
	end(err)
	if err != nil {
		return 0, wrap(ctx, operation, err)
	}
	n, err := result.RowsAffected()
	return n, wrap(ctx, operation, err)
}

// textOrNull stores an empty text as null, for foreign keys and unique constraints.
func textOrNull(s string) sql.NullString {
	return sql.NullString{String: s, Valid: s != ""}
}

// timeOrNull stores the zero time as null.
func timeOrNull(t time.Time) sql.NullTime {
	return sql.NullTime{Time: t, Valid: !t.IsZero()}
}
