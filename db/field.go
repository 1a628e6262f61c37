package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// field is a struct field stored in a column or filled from one.
type field struct {
	name  string // of the column; nested structs are separated by dots: role.name
	index []int  // for [reflect.Value.FieldByIndex]; nil if the row is a single value
	kind  reflect.Type

	time     bool // a time.Time or *time.Time
	null     bool // the zero value is stored as null
	json     bool // stored as JSON
	lines    bool // a []string, stored as one text with a line for each
	joined   bool // read from a joined table, never written
	readonly bool // written by the database or by a statement of its own
}

// fieldsOf lists the fields with a tag db:"column,option…". The options are null, json, lines,
// joined and readonly, see [field]. Fields of an embedded struct without a tag are listed as fields
// of the outer struct. A struct with a tag is nested: its columns are named tag.column and inherit
// the tag's options.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("db")
		if !tagged && !(f.Anonymous && f.Type.Kind() == reflect.Struct) {
			continue
		}
		fields = append(fields, newField(f, tag).flatten()...)
	}
	return fields
}

func newField(f reflect.StructField, tag string) field {
	name, rest, _ := strings.Cut(tag, ",")
	options := strings.Split(rest, ",")
	return field{
		name: name, index: f.Index, kind: f.Type,
		time:     isTime(f.Type),
		null:     slices.Contains(options, "null"),
		json:     slices.Contains(options, "json"),
		lines:    slices.Contains(options, "lines"),
		joined:   slices.Contains(options, "joined"),
		readonly: slices.Contains(options, "readonly"),
	}
}

// flatten returns the fields of a nested or embedded struct, and f itself otherwise.
func (f field) flatten() []field {
	if f.kind.Kind() != reflect.Struct || f.kind == timeType || f.json {
		return []field{f}
	}
	inner := fieldsOf(f.kind)
	for i := range inner {
		inner[i].index = slices.Concat(f.index, inner[i].index)
		inner[i].null = inner[i].null || f.null
		if f.name != "" {
			inner[i].name, inner[i].joined = f.name+"."+inner[i].name, true
		}
	}
	return inner
}

var timeType = reflect.TypeFor[time.Time]()

func isTime(t reflect.Type) bool { return t == timeType || t == reflect.PointerTo(timeType) }

// in returns the field's value in a row, or the row itself if it is a single value.
func (f *field) in(row reflect.Value) reflect.Value {
	if f.index == nil {
		return row
	}
	return row.FieldByIndex(f.index)
}

// argument returns the statement argument for the field.
func (f field) argument(row reflect.Value) any {
	v := row.FieldByIndex(f.index)
	switch {
	case f.json:
		return jsonColumn{v.Interface()}
	case f.lines:
		return strings.Join(v.Interface().([]string), "\n")
	case f.null && v.IsZero():
		return nil
	}
	return v.Interface()
}

// sqlType returns the type of the field's argument as an element of an array.
func (f field) sqlType() string {
	kind := f.kind
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case f.json:
		return "jsonb"
	case f.time:
		return "timestamptz"
	case kind.Kind() == reflect.Bool:
		return "boolean"
	case kind.Kind() == reflect.Int, kind.Kind() == reflect.Int64:
		return "bigint"
	}
	return "text"
}

// target returns the scan destination for the field; [field.finish] copies from it.
func (f *field) target(v reflect.Value) any {
	switch {
	case f.json:
		return jsonColumn{v.Addr().Interface()}
	case f.lines:
		return linesColumn{v.Addr().Interface().(*[]string)}
	case f.null:
		return reflect.New(reflect.PointerTo(f.kind)).Interface()
	}
	return v.Addr().Interface()
}

// finish copies a nullable column into the field and converts times to UTC, so that they are
// comparable with == whatever the session's time zone.
func (f *field) finish(v reflect.Value, target any) {
	if f.null && !f.json && !f.lines {
		if p := reflect.ValueOf(target).Elem(); !p.IsNil() {
			v.Set(p.Elem())
		}
	}
	if !f.time {
		return
	}
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		*at = at.UTC()
	case **time.Time:
		if *at != nil {
			**at = (*at).UTC()
		}
	}
}

// reader holds the fields of a query's columns, in order.
type reader []*field

var fieldsByType sync.Map // from reflect.Type to map[string]*field

// readerOf returns the fields of t for a query's columns. A type that is not a struct is a single
// value, as is time.Time.
func readerOf(t reflect.Type, columns []string) (reader, error) {
	if t.Kind() != reflect.Struct || t == timeType {
		return reader{{kind: t, time: isTime(t)}}, nil
	}
	known, ok := fieldsByType.Load(t)
	if !ok {
		byName := map[string]*field{}
		for _, f := range fieldsOf(t) {
			byName[f.name] = &f
		}
		known, _ = fieldsByType.LoadOrStore(t, byName)
	}
	fields := make(reader, len(columns))
	for i, name := range columns {
		if fields[i], ok = known.(map[string]*field)[name]; !ok {
			return nil, fmt.Errorf("column %s has no field in %s", name, t)
		}
	}
	return fields, nil
}

// read fills row with scan, the method of [database/sql.Rows].
func (r reader) read(row reflect.Value, scan func(...any) error) error {
	targets := make([]any, len(r))
	for i, f := range r {
		targets[i] = f.target(f.in(row))
	}
	if err := scan(targets...); err != nil {
		return err
	}
	for i, f := range r {
		f.finish(f.in(row), targets[i])
	}
	return nil
}

// jsonColumn stores a value as JSON and reads JSON into a pointer.
type jsonColumn struct{ value any }

// Value implements [driver.Valuer].
func (c jsonColumn) Value() (driver.Value, error) {
	text, err := json.Marshal(c.value)
	return string(text), err
}

// Scan implements [database/sql.Scanner]; a null changes nothing.
func (c jsonColumn) Scan(column any) error {
	switch text := column.(type) {
	case nil:
		return nil
	case []byte:
		return json.Unmarshal(text, c.value)
	case string:
		return json.Unmarshal([]byte(text), c.value)
	}
	return fmt.Errorf("JSON column of type %T", column)
}

// linesColumn reads a text into lines; an empty text has none.
type linesColumn struct{ lines *[]string }

// Scan implements [database/sql.Scanner].
func (c linesColumn) Scan(column any) error {
	text, ok := column.(string)
	if !ok {
		return fmt.Errorf("text column of type %T", column)
	}
	*c.lines = nil
	if text != "" {
		*c.lines = strings.Split(text, "\n")
	}
	return nil
}
