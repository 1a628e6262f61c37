package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

const (
	// pageParams are the parameters of every list; listParams add created.
	pageParams = " limit:int starting_after ending_before "
	listParams = pageParams + "created:range "
)

// listing is a list call: its rows in order of creation, a filter and a renderer.
type listing[T row] struct {
	resource string    // for "No such …" about a cursor
	table    *table[T] // resolves cursors
	rows     []T       // oldest first
	filter   func(T) bool
	render   func(T) wire.Object
}

// page returns one page, newest first.
func (l listing[T]) page(in *input) (any, error) {
	limit := in.IntOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	rows, more, err := l.selectPage(in, int(limit))
	if err != nil {
		return nil, err
	}
	data := make([]any, len(rows))
	for i, r := range rows {
		data[i] = l.render(r)
	}
	return wire.List(in.url, data, more), nil
}

// pageOf returns one page of a complete list object, in its own order.
func pageOf(rendered wire.Object, in *input) (any, error) {
	limit := in.IntOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	data, _ := rendered["data"].([]any)
	from, upTo := 0, len(data)
	for at, shown := range data {
		o, _ := shown.(wire.Object)
		if o["id"] == in.String("starting_after") {
			from = at + 1
		}
		if o["id"] == in.String("ending_before") {
			upTo = at
			from = max(0, at-int(limit))
		}
	}
	end := min(upTo, from+int(limit))
	rendered["data"], rendered["has_more"] = data[from:end], end < len(data) && !in.Has("ending_before") || from > 0 && in.Has("ending_before")
	return rendered, nil
}

func checkLimit(limit int64) error {
	switch {
	case limit < 1:
		return wire.Invalid("parameter_invalid_integer", "limit", "This value must be greater than or equal to 1.")
	case limit > 100:
		return wire.Invalid("parameter_invalid_integer", "limit", fmt.Sprintf("This value must be less than or equal to 100 (it currently is '%d').", limit))
	}
	return nil
}

func (l listing[T]) selectPage(in *input, limit int) ([]T, bool, error) {
	if in.Has("starting_after") && in.Has("ending_before") {
		return nil, false, wire.Invalid("", "", "You cannot use both `starting_after` and `ending_before`.")
	}
	if in.Has("ending_before") {
		return l.before(in, limit)
	}
	from := len(l.rows) - 1
	if in.Has("starting_after") {
		at, err := l.cursor(in, "starting_after")
		if err != nil {
			return nil, false, err
		}
		from = at - 1
	}
	rows, more := l.collect(in, from, -1, limit)
	return rows, more, nil
}

// before returns the page that ends before a cursor. It collects upwards from the cursor and
// reverses the result.
func (l listing[T]) before(in *input, limit int) ([]T, bool, error) {
	at, err := l.cursor(in, "ending_before")
	if err != nil {
		return nil, false, err
	}
	for at < len(l.rows) && l.rows[at].base().ID == in.String("ending_before") {
		at++
	}
	rows, more := l.collect(in, at, 1, limit)
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows, more, nil
}

// cursor returns the position of a cursor's object among the rows.
func (l listing[T]) cursor(in *input, name string) (int, error) {
	r, ok := l.table.get(in.String(name))
	if !ok {
		return 0, wire.NoSuch(l.resource, in.String(name), name)
	}
	return position(l.rows, r.base().Seq), nil
}

func (l listing[T]) collect(in *input, from, step, limit int) ([]T, bool) {
	var out []T
	for i := from; i >= 0 && i < len(l.rows); i += step {
		r := l.rows[i]
		if !in.Params.InRange("created", r.base().Created) || l.filter != nil && !l.filter(r) {
			continue
		}
		if len(out) == limit {
			return out, true
		}
		out = append(out, r)
	}
	return out, false
}
