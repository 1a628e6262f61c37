package wire

import (
	"encoding/json"
	"testing"
)

// The hand-written encoding must equal that of encoding/json.
func TestStringsAreWrittenAsJSON(t *testing.T) {
	for _, s := range []string{"", "plain", "2 × Pro (at $10.00 / month)", "a\"b\\c", "<&>", "\u2028", "x\u2029", "\xff", "ab\x7f", "\n\x00", "日本語"} {
		want, _ := json.Marshal(s)
		if got := string(Encode(s)); got != string(want) {
			t.Errorf("%q is encoded as %s, want %s", s, got, want)
		}
	}
}

func TestEqualMeansEqualJSON(t *testing.T) {
	hide := Expandable(func() any { return 1 })
	values := []any{
		nil, "", "a", true, false, 0, int64(0), int64(1), 1, Reference{}, Ref("customer", "a"), Object{"a": 1}, Object{"a": int64(1)}, []any{}, []any{"a"},
		Object{}, Object{"b": hide}, Object{"a": 1, "b": hide}, Object{"a": 1, "b": nil}, Object{"c": nil}, Object{"a": Object{"a": 1}}, []any{Object{"a": 1}}, []Object{{"a": 1}},
		map[string]string{}, map[string]string(nil), map[string]string{"a": "b"}, Object{"a": "b"}, []string{"a"}, json.RawMessage(`{"a":1}`),
	}
	for _, x := range values {
		for _, y := range values {
			if got, want := Equal(x, y), string(Encode(x)) == string(Encode(y)); got != want {
				t.Errorf("%#v and %#v: %v, want %v", x, y, got, want)
			}
		}
	}
}
