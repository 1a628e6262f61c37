package db

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
)

// An array reads back as its elements, like those of lib/pq.
func TestArrayReadsBack(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	texts := []string{"", "NULL", `a "quoted" text`, `back\slash\`, `\"`, "comma,{brace}", "line\nbreak", "Zoë 🎭", strings.Repeat(`{"a":"b"},`, 1000)}
	elements := make(array, len(texts))
	for i, text := range texts {
		elements[i] = text
	}
	var read []string
	if err := store.db.QueryRowContext(t.Context(), `select $1::text[]`, elements).Scan(pq.Array(&read)); err != nil {
		t.Fatal(err)
	}
	if strings.Join(read, "|") != strings.Join(texts, "|") {
		t.Errorf("got %q", read)
	}

	at := time.Date(2026, 11, 30, 23, 59, 59, 123456000, time.FixedZone("", -3*3600))
	var none *time.Time
	var named string
	for _, test := range []struct {
		kind     string
		elements array
		want     string
	}{
		{"bigint", array{int64(math.MinInt64), 7, nil}, `{-9223372036854775808,7,NULL}`},
		{"boolean", array{true, false}, `{t,f}`},
		{"double precision", array{0.1, 1e300}, `{0.1,1e+300}`},
		{"timestamptz", array{at, &at, none}, `{"2026-12-01 02:59:59.123456+00","2026-12-01 02:59:59.123456+00",NULL}`},
		{"jsonb", array{[]byte(`{"a": "\"\\"}`), nil}, `{"{\"a\": \"\\\"\\\\\"}",NULL}`},
		{"text", array{}, `{}`},
	} {
		if err := store.db.QueryRowContext(t.Context(), `select $1::`+test.kind+`[]::text`, test.elements).Scan(&named); err != nil || named != test.want {
			t.Errorf("%s: %s, %v, want %s", test.kind, named, err, test.want)
		}
	}
	if _, err := (array{make(chan int)}).Value(); err == nil {
		t.Error("an array of channels")
	}
}

func BenchmarkArray(b *testing.B) {
	elements := make(array, 32)
	for i := range elements {
		elements[i] = strings.Repeat(`{"a":"b"},`, 400)
	}
	for name, value := range map[string]func() error{
		"array": func() error { _, err := elements.Value(); return err },
		"pq":    func() error { _, err := pq.GenericArray{A: []any(elements)}.Value(); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := value(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
