package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// table builds the SQL that repeats the columns of a struct: select lists, inserts, updates and
// their arguments. The columns are those of the struct's db tags, see [fieldsOf], so that a new
// column is named once.
//
// Tables and their statements are package variables: the text of a statement is built when the
// program starts, and prepared once per connection.
type table[T any] struct {
	name    string
	columns []tableColumn
}

type tableColumn struct {
	name     string
	value    func(row reflect.Value) any
	sqlType  string // of the column's arguments in an array
	readable bool
	writable bool
	json     bool
}

// tableOf returns the table with the given name that stores T.
func tableOf[T any](name string) table[T] {
	t := table[T]{name: name}
	for _, f := range fieldsOf(reflect.TypeFor[T]()) {
		if !f.joined {
			t.columns = append(t.columns, tableColumn{
				name: f.name, value: f.argument, sqlType: f.sqlType(), readable: true, writable: !f.readonly, json: f.json,
			})
		}
	}
	return t
}

// computed adds a column that is written with the result of value and never read by its name.
func (t table[T]) computed(name string, value func(T) any) table[T] {
	columns := append([]tableColumn{}, t.columns...)
	t.columns = append(columns, tableColumn{
		name: name, value: func(row reflect.Value) any { return value(row.Interface().(T)) }, writable: true,
	})
	return t
}

// without returns the table without some columns. It panics if a column does not exist: tables are
// built when the program starts.
func (t table[T]) without(names ...string) table[T] {
	kept := make([]tableColumn, 0, len(t.columns))
	for _, c := range t.columns {
		if !slices.Contains(names, c.name) {
			kept = append(kept, c)
		}
	}
	if len(kept) != len(t.columns)-len(names) {
		panic("db: " + t.name + " has not all of the columns " + strings.Join(names, ", "))
	}
	t.columns = kept
	return t
}

// list returns the select list of the columns, qualified by alias unless that is empty.
func (t table[T]) list(alias string) string {
	return t.join(tableColumn.isReadable, func(c tableColumn, _ int) string { return qualified(alias, c.name) })
}

// nested returns the select list of the columns for a nested struct with the tag field.
func (t table[T]) nested(alias, field string) string {
	return t.join(tableColumn.isReadable, func(c tableColumn, _ int) string {
		return qualified(alias, c.name) + ` as "` + field + `.` + c.name + `"`
	})
}

// insert returns a statement that inserts one row; its arguments are those of [table.values].
func (t table[T]) insert() string {
	names := t.join(tableColumn.isWritable, func(c tableColumn, _ int) string { return c.name })
	placeholders := t.join(tableColumn.isWritable, func(_ tableColumn, n int) string { return placeholder(n) })
	return "insert into " + t.name + " (" + names + ") values (" + placeholders + ")"
}

// insertAll returns a statement that inserts many rows, in their order; its argument is that of
// [table.rows].
func (t table[T]) insertAll() string {
	names := t.join(tableColumn.isWritable, func(c tableColumn, _ int) string { return c.name })
	values := t.join(tableColumn.isWritable, func(c tableColumn, _ int) string {
		if c.json { // its null is a value
			return "coalesce(" + c.name + ", 'null')"
		}
		return c.name
	})
	return "insert into " + t.name + " (" + names + ") select " + values + " from " + t.recordset()
}

// recordset returns the rows of [table.rows] as a set that statements can read.
func (t table[T]) recordset() string { return "jsonb_populate_recordset(null::" + t.name + ", $1)" }

// insertArrays returns a statement that inserts many rows, in their order; its arguments are those
// of [table.arrays], after others.
func (t table[T]) insertArrays(others int) string {
	names := t.join(tableColumn.isWritable, func(c tableColumn, _ int) string { return c.name })
	return "insert into " + t.name + " (" + names + ") select " + names + " from " + t.unnest("rows", others)
}

// unnest returns the rows of [table.arrays] as a set that statements can read.
func (t table[T]) unnest(alias string, others int) string {
	names := t.join(tableColumn.isWritable, func(c tableColumn, _ int) string { return c.name })
	arrays := t.join(tableColumn.isWritable, func(c tableColumn, n int) string { return placeholder(others+n) + "::" + c.sqlType + "[]" })
	return "unnest(" + arrays + ") as " + alias + " (" + names + ")"
}

// width returns the number of writable columns.
func (t table[T]) width() (n int) {
	for _, c := range t.columns {
		if c.writable {
			n++
		}
	}
	return n
}

// upsert returns an insert that overwrites the columns of an existing row with the same key.
func (t table[T]) upsert(key ...string) string {
	return t.insert() + " on conflict (" + strings.Join(key, ", ") + ") do update set " + t.without(key...).excluded()
}

// excluded returns the set list of an upsert.
func (t table[T]) excluded() string { return t.setFrom("excluded") }

// setFrom returns the set list of an update with the columns of another row.
func (t table[T]) setFrom(alias string) string {
	return t.join(tableColumn.isWritable, func(c tableColumn, _ int) string { return c.name + " = " + alias + "." + c.name })
}

// update returns a statement that writes every column except the key's, which select the row; its
// arguments are those of [table.values].
func (t table[T]) update(key ...string) string {
	isKey := func(c tableColumn) bool { return slices.Contains(key, c.name) }
	assign := func(c tableColumn, n int) string { return c.name + " = " + placeholder(n) }
	set := t.join(func(c tableColumn) bool { return c.writable && !isKey(c) }, assign)
	where := t.join(isKey, assign)
	return "update " + t.name + " set " + set + " where " + strings.ReplaceAll(where, ", ", " and ")
}

// placeholder returns the placeholder of a column in the statements of insert and update.
func (t table[T]) placeholder(name string) string {
	return t.join(func(c tableColumn) bool { return c.name == name }, func(_ tableColumn, n int) string { return placeholder(n) })
}

// values returns the arguments of the writable columns of a row, in the order of the placeholders.
func (t table[T]) values(row T) []any {
	value := reflect.ValueOf(row)
	arguments := make([]any, 0, len(t.columns))
	for _, c := range t.columns {
		if c.writable {
			arguments = append(arguments, c.value(value))
		}
	}
	return arguments
}

// arrays returns the arguments of the writable columns of many rows: an array for each column, in
// the order of the placeholders. Computed columns are not supported.
func (t table[T]) arrays(rows []T) []any {
	var arrays []any
	values := make([]reflect.Value, len(rows))
	for i, row := range rows {
		values[i] = reflect.ValueOf(row)
	}
	for _, c := range t.columns {
		if !c.writable {
			continue
		}
		column := make([]any, len(rows))
		for i, row := range values {
			column[i] = c.value(row)
		}
		arrays = append(arrays, array(column))
	}
	return arrays
}

// rows returns the writable columns of many rows as one JSON argument. Columns of bytes are not
// supported.
func (t table[T]) rows(rows []T) (string, error) {
	all := make([]map[string]any, len(rows))
	for i, row := range rows {
		all[i] = make(map[string]any, len(t.columns))
		for _, c := range t.columns {
			if !c.writable {
				continue
			}
			value, err := jsonValue(c.value(reflect.ValueOf(row)))
			if err != nil {
				return "", fmt.Errorf("encode %s.%s: %w", t.name, c.name, err)
			}
			all[i][c.name] = value
		}
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// jsonValue returns an argument of a statement as a value to encode as JSON.
func jsonValue(argument any) (any, error) {
	switch a := argument.(type) {
	case jsonColumn:
		return a.value, nil
	case driver.Valuer:
		return a.Value()
	}
	return argument, nil
}

// join formats the columns that pass; n is the position of a column among the writable ones, from
// 1.
func (t table[T]) join(pass func(tableColumn) bool, format func(c tableColumn, n int) string) string {
	var parts []string
	n := 0
	for _, c := range t.columns {
		if c.writable {
			n++
		}
		if pass(c) {
			parts = append(parts, format(c, n))
		}
	}
	return strings.Join(parts, ", ")
}

func (c tableColumn) isReadable() bool { return c.readable }
func (c tableColumn) isWritable() bool { return c.writable }

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

func qualified(alias, name string) string {
	if alias == "" {
		return name
	}
	return alias + "." + name
}
