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
	values := []any{nil, "", "a", true, false, 0, int64(0), int64(1), 1, ref{}, ref{"customer", "a"}, object{"a": 1}, object{"a": int64(1)}, []any{}, []any{"a"}}
	for _, x := range values {
		for _, y := range values {
			if got, want := sameValue(x, y), string(encode(x)) == string(encode(y)); got != want {
				t.Errorf("%#v and %#v: %v, want %v", x, y, got, want)
			}
		}
	}
}
