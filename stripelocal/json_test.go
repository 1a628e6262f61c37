package stripelocal

import (
	"encoding/json"
	"testing"
)

// What is written by hand must be what encoding/json writes.
func TestStringsAreWrittenAsJSON(t *testing.T) {
	for _, s := range []string{"", "plain", "2 × Pro (at $10.00 / month)", "a\"b\\c", "<&>", "\u2028", "x\u2029", "\xff", "ab\x7f", "\n\x00", "日本語"} {
		want, _ := json.Marshal(s)
		if got := string(encode(s)); got != string(want) {
			t.Errorf("%q is written %s, want %s", s, got, want)
		}
	}
}

func TestSameValueIsSameJSON(t *testing.T) {
	hide := hidden(func() any { return 1 })
	values := []any{
		nil, "", "a", true, false, 0, int64(0), int64(1), 1, reference{}, refTo("customer", "a"), object{"a": 1}, object{"a": int64(1)}, []any{}, []any{"a"},
		object{}, object{"b": hide}, object{"a": 1, "b": hide}, object{"a": 1, "b": nil}, object{"c": nil}, object{"a": object{"a": 1}}, []any{object{"a": 1}}, []object{{"a": 1}},
		map[string]string{}, map[string]string(nil), map[string]string{"a": "b"}, object{"a": "b"}, []string{"a"}, json.RawMessage(`{"a":1}`),
	}
	for _, x := range values {
		for _, y := range values {
			if got, want := sameValue(x, y), string(encode(x)) == string(encode(y)); got != want {
				t.Errorf("%#v and %#v: %v, want %v", x, y, got, want)
			}
		}
	}
}
