package billing

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	held := func(moment time.Time) Stored { return Stored{Exists: true, AsOf: moment} }
	ended := Stored{Exists: true, AsOf: t0, Final: true}
	payload := func(moment time.Time) Observation { return Observation{AsOf: moment, Payload: true, Linked: true} }
	idOnly := func(moment time.Time) Observation { return Observation{AsOf: moment, Linked: true} }
	cases := []struct {
		name string
		held Stored
		news Observation
		want Verdict
	}{
		{"first payload of a linked customer", Stored{}, payload(t0), Apply},
		{"first news without payload", Stored{}, idOnly(t0), Fetch},
		{"first payload, link not written yet", Stored{}, Observation{AsOf: t0, Payload: true}, Fetch},
		{"newer than the margin", held(t0), payload(t0.Add(SkewMargin + time.Second)), Apply},
		{"exactly the margin later", held(t0), payload(t0.Add(SkewMargin)), Fetch},
		{"inside the margin, later", held(t0), payload(t0.Add(time.Second)), Fetch},
		{"the same second", held(t0), payload(t0), Fetch},
		{"inside the margin, earlier", held(t0), payload(t0.Add(-time.Second)), Fetch},
		{"exactly the margin earlier", held(t0), payload(t0.Add(-SkewMargin)), Fetch},
		{"older than the margin", held(t0), payload(t0.Add(-SkewMargin - time.Second)), Ignore},
		{"newer, another API version", held(t0), idOnly(t0.Add(time.Minute)), Fetch},
		{"older, another API version", held(t0), idOnly(t0.Add(-time.Minute)), Ignore},
		{"newer, on a test clock", held(t0), Observation{AsOf: t0.Add(time.Hour), Payload: true, Linked: true, TestClock: true}, Fetch},
		{"older, on a test clock", held(t0), Observation{AsOf: t0.Add(-time.Hour), Payload: true, Linked: true, TestClock: true}, Fetch},
		{"newer, unknown link", held(t0), Observation{AsOf: t0.Add(time.Hour), Payload: true}, Fetch},
		{"after the end, not an end", ended, payload(t0.Add(time.Hour)), Ignore},
		{"same second as the end, not an end", ended, payload(t0), Ignore},
		{"the end again, same second", ended, Observation{AsOf: t0, Payload: true, Linked: true, Final: true}, Fetch},
		{"the end, later", held(t0), Observation{AsOf: t0.Add(time.Minute), Payload: true, Linked: true, Final: true}, Apply},
		{"the end, same second", held(t0), Observation{AsOf: t0, Payload: true, Linked: true, Final: true}, Fetch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.held, c.news); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
