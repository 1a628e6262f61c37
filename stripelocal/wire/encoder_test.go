package wire

import "testing"

// A reused Encoder must write what a new one writes, whatever it has encoded before: fields that
// are added or removed, and objects without a type.
func TestReusedEncoderWritesTheSame(t *testing.T) {
	e := NewEncoder()
	hide := Expandable(func() any { return 1 })
	for range 2 {
		for _, o := range []Object{
			{"object": "x", "id": "x_1", "b": 1, "a": Object{"z": nil, "y": true}},
			{"object": "x", "id": "x_2", "c": 1, "a": Object{"z": nil, "w": true}},
			{"object": "x", "id": "x_3", "a": []any{Object{"object": "x", "id": "x_4", "b": 2, "a": hide}}, "c": "ü"},
			{"object": "x", "id": "x_5", "a": 2},
			{"b": 1, "a": 2}, {"a": 1, "c": 2}, {"a": hide, "b": 2}, {},
		} {
			if got, want := string(e.append(nil, o)), string(Encode(o)); got != want {
				t.Errorf("wrote %s, want %s", got, want)
			}
		}
	}
}

func TestEncodeOnceReusesTheResult(t *testing.T) {
	e := NewEncoder()
	first, second := Object{"a": 1}, Object{"a": 1}
	x, y, z := e.EncodeOnce(first), e.EncodeOnce(first), e.EncodeOnce(second)
	if &x[0] != &y[0] || &y[0] == &z[0] || string(z) != `{"a":1}` {
		t.Errorf("%s %s %s", x, y, z)
	}
	if again := e.EncodeOnce(Object{"a": 2}); string(again) != `{"a":2}` {
		t.Errorf("another object: %s", again)
	}
}
