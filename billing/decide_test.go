package billing

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	stored := func(asOf time.Time) Stored { return Stored{Exists: true, AsOf: asOf} }
	ended := Stored{Exists: true, AsOf: t0, Final: true}
	payload := func(asOf time.Time) Observation { return Observation{AsOf: asOf, Payload: true, Linked: true} }
	withoutPayload := func(asOf time.Time) Observation { return Observation{AsOf: asOf, Linked: true} }
	cases := []struct {
		name     string
		stored   Stored
		observed Observation
		want     Verdict
	}{
		{"first payload of a linked customer", Stored{}, payload(t0), Apply},
		{"first observation without payload", Stored{}, withoutPayload(t0), Fetch},
		{"first payload, customer not linked", Stored{}, Observation{AsOf: t0, Payload: true}, Fetch},
		{"newer than the margin", stored(t0), payload(t0.Add(SkewMargin + time.Second)), Apply},
		{"exactly the margin later", stored(t0), payload(t0.Add(SkewMargin)), Fetch},
		{"inside the margin, later", stored(t0), payload(t0.Add(time.Second)), Fetch},
		{"the same second", stored(t0), payload(t0), Fetch},
		{"inside the margin, earlier", stored(t0), payload(t0.Add(-time.Second)), Fetch},
		{"exactly the margin earlier", stored(t0), payload(t0.Add(-SkewMargin)), Fetch},
		{"older than the margin", stored(t0), payload(t0.Add(-SkewMargin - time.Second)), Ignore},
		{"newer, another API version", stored(t0), withoutPayload(t0.Add(time.Minute)), Fetch},
		{"older, another API version", stored(t0), withoutPayload(t0.Add(-time.Minute)), Ignore},
		{"newer, on a test clock", stored(t0), Observation{AsOf: t0.Add(time.Hour), Payload: true, Linked: true, TestClock: true}, Fetch},
		{"older, on a test clock", stored(t0), Observation{AsOf: t0.Add(-time.Hour), Payload: true, Linked: true, TestClock: true}, Fetch},
		{"newer, customer not linked", stored(t0), Observation{AsOf: t0.Add(time.Hour), Payload: true}, Fetch},
		{"after cancellation, not final", ended, payload(t0.Add(time.Hour)), Ignore},
		{"same second as cancellation, not final", ended, payload(t0), Ignore},
		{"cancellation again, same second", ended, Observation{AsOf: t0, Payload: true, Linked: true, Final: true}, Fetch},
		{"cancellation, later", stored(t0), Observation{AsOf: t0.Add(time.Minute), Payload: true, Linked: true, Final: true}, Apply},
		{"cancellation, same second", stored(t0), Observation{AsOf: t0, Payload: true, Linked: true, Final: true}, Fetch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.stored, c.observed); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
