package stripelocal

import (
	"encoding/json"
	"slices"
)

// Base is the fields of every stored object. Seq is its position in the order of creation within
// its table. It never changes and orders lists.
type Base struct {
	ID      string
	Created int64
	Seq     int64
}

func (b *Base) base() *Base { return b }

type row interface{ base() *Base }

// table stores rows by id, in order of creation, and by any number of indexes.
type table[T row] struct {
	rows    map[string]T
	all     []T
	lastSeq int64
	indexes map[string]*index[T]
}

type index[T row] struct {
	key  func(T) string
	rows map[string][]T
}

func newTable[T row]() *table[T] {
	return &table[T]{rows: map[string]T{}, indexes: map[string]*index[T]{}}
}

// indexed adds an index. Rows with an empty key are not indexed. Rows whose key may change must be
// changed inside change.
func (t *table[T]) indexed(name string, key func(T) string) *table[T] {
	t.indexes[name] = &index[T]{key: key, rows: map[string][]T{}}
	return t
}

func (t *table[T]) get(id string) (T, bool) {
	r, ok := t.rows[id]
	return r, ok
}

func (t *table[T]) insert(r T) {
	t.lastSeq++
	r.base().Seq = t.lastSeq
	t.link(r)
}

func (t *table[T]) link(r T) {
	t.rows[r.base().ID] = r
	t.all = append(t.all, r)
	for _, ix := range t.indexes {
		ix.add(r)
	}
}

func (t *table[T]) remove(id string) {
	r, ok := t.rows[id]
	if !ok {
		return
	}
	delete(t.rows, id)
	t.all = withoutRow(t.all, r)
	for _, ix := range t.indexes {
		ix.drop(r)
	}
}

// change runs f on a row and updates the indexes.
func (t *table[T]) change(r T, f func()) {
	for _, ix := range t.indexes {
		ix.drop(r)
	}
	f()
	for _, ix := range t.indexes {
		ix.add(r)
	}
}

// by returns the rows of an index key, oldest first. The caller must not modify the slice.
func (t *table[T]) by(name, key string) []T { return t.indexes[name].rows[key] }

func (ix *index[T]) add(r T) {
	key := ix.key(r)
	if key == "" {
		return
	}
	rows := ix.rows[key]
	at := position(rows, r.base().Seq)
	ix.rows[key] = slices.Insert(rows, at, r)
}

func (ix *index[T]) drop(r T) {
	key := ix.key(r)
	rows := withoutRow(ix.rows[key], r)
	if len(rows) == 0 {
		delete(ix.rows, key)
		return
	}
	ix.rows[key] = rows
}

func withoutRow[T row](rows []T, r T) []T {
	at := position(rows, r.base().Seq)
	if at == len(rows) || rows[at].base().ID != r.base().ID {
		return rows
	}
	return slices.Delete(rows, at, at+1)
}

// position is the index of the first row with at least this Seq.
func position[T row](rows []T, seq int64) int {
	at, _ := slices.BinarySearchFunc(rows, seq, func(r T, seq int64) int {
		return int(r.base().Seq - seq)
	})
	return at
}

// MarshalJSON encodes the rows in order. An empty table is [], because null would decode to a nil
// table.
func (t *table[T]) MarshalJSON() ([]byte, error) {
	if len(t.all) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal(t.all)
}

// UnmarshalJSON fills an empty table and its indexes.
func (t *table[T]) UnmarshalJSON(raw []byte) error {
	var rows []T
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		t.lastSeq = max(t.lastSeq, r.base().Seq)
		t.link(r)
	}
	return nil
}

// removeOldest removes the oldest row in constant time.
func (t *table[T]) removeOldest() {
	first := t.all[0]
	delete(t.rows, first.base().ID)
	for _, ix := range t.indexes {
		ix.drop(first)
	}
	var none T
	t.all[0] = none
	t.all = t.all[1:]
}
