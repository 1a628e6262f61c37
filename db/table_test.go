package db

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

type note struct {
	ID       int64    `db:"id,readonly"`
	Author   string   `db:"author_id,null"`
	Tags     []string `db:"tags,lines"`
	Data     any      `db:"data,json"`
	Editor   person   `db:"editor,joined,null"`
	Unstored string
}

type person struct {
	Name string     `db:"name"`
	Born *time.Time `db:"born"`
}

var noteTable = tableOf[note]("notes").
	computed("editor", func(n note) any { return n.Editor.Name })

func TestStatementsOfATable(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"n.id, n.author_id, n.tags, n.data":                noteTable.list("n"),
		"tags, data":                                       noteTable.without("id", "author_id").list(""),
		`p.name as "editor.name", p.born as "editor.born"`: tableOf[person]("people").nested("p", "editor"),
		"insert into notes (author_id, tags, data, editor) values ($1, $2, $3, $4)":                             noteTable.insert(),
		"insert into people (name, born) values ($1, $2) on conflict (name) do update set born = excluded.born": tableOf[person]("people").upsert("name"),
		"update notes set tags = $2, data = $3 where author_id = $1 and editor = $4":                            noteTable.update("author_id", "editor"),
		"$3": noteTable.placeholder("data"),
	} {
		wantEqual(t, got, want)
	}
	values := noteTable.values(note{Tags: []string{"a", "b"}, Data: 1, Editor: person{Name: "Ada"}})
	wantEqual(t, values, []any{nil, "a\nb", jsonColumn{any(1)}, "Ada"})
}

func TestUnknownColumnPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("an unknown column was accepted")
		}
	}()
	noteTable.without("id", "unknown")
}

func TestRowsAreRead(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "TimeZone", "Asia/Kolkata"), t.Context()
	const query = `select 7::bigint as id, null::text as author_id, E'a\nb' as tags, '{"k":[1]}'::jsonb as data,
		'Ada' as "editor.name", timestamptz '1815-12-10 00:00Z' as "editor.born"`
	born := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	want := note{ID: 7, Tags: []string{"a", "b"}, Data: map[string]any{"k": []any{1.0}}, Editor: person{"Ada", &born}}
	got, err := get[note](ctx, store.queries, "read", query)
	must(t, err)
	wantEqual(t, got, want)
	notes, err := list[note](ctx, store.queries, "list", query+` union all `+query)
	must(t, err)
	wantEqual(t, notes, []note{want, want})
	none, err := list[note](ctx, store.queries, "list", query+` where false`)
	must(t, err)
	wantEqual(t, none, []note{})
	_, err = get[note](ctx, store.queries, "read", query+` where false`)
	wantNotFound(t, err)
	absent, err := get[note](ctx, store.queries, "read", `select null::text as "editor.name", null::timestamptz as "editor.born", '' as tags`)
	must(t, err)
	wantEqual(t, absent, note{})
	instant, err := get[time.Time](ctx, store.queries, "read", `select timestamptz '1815-12-10 00:00Z'`)
	must(t, err)
	wantEqual(t, instant, born)
}

func TestColumnWithoutAFieldIsAnError(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	for _, query := range []string{`select 1 as unknown`, `select null::bigint as id`, `select 'x' as data`} {
		if n, err := get[note](t.Context(), store.queries, "read", query); err == nil {
			t.Errorf("%s: read %+v", query, n)
		}
	}
}

// A column that is listed twice would make the first insert fail.
func TestColumnsAreUnique(t *testing.T) {
	t.Parallel()
	for _, columns := range [][]tableColumn{memberTable.columns, invitationTable.columns, eventTable.columns, mailTable.columns, priceTable.columns} {
		var names []string
		for _, c := range columns {
			names = append(names, c.name)
		}
		slices.Sort(names)
		if !reflect.DeepEqual(names, slices.Compact(slices.Clone(names))) {
			t.Errorf("twice: %q", names)
		}
	}
}
