package billing

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	held := func(moment time.Time) Held { return Held{Exists: true, Moment: moment} }
	ended := Held{Exists: true, Moment: t0, Final: true}
	payload := func(moment time.Time) News { return News{Moment: moment, Payload: true, Linked: true} }
	idOnly := func(moment time.Time) News { return News{Moment: moment, Linked: true} }
	cases := []struct {
		name string
		held Held
		news News
		want Verdict
	}{
		{"first payload of a linked customer", Held{}, payload(t0), Apply},
		{"first news without payload", Held{}, idOnly(t0), Ask},
		{"first payload, link not written yet", Held{}, News{Moment: t0, Payload: true}, Ask},
		{"newer than the margin", held(t0), payload(t0.Add(SkewMargin + time.Second)), Apply},
		{"exactly the margin later", held(t0), payload(t0.Add(SkewMargin)), Ask},
		{"inside the margin, later", held(t0), payload(t0.Add(time.Second)), Ask},
		{"the same second", held(t0), payload(t0), Ask},
		{"inside the margin, earlier", held(t0), payload(t0.Add(-time.Second)), Ask},
		{"exactly the margin earlier", held(t0), payload(t0.Add(-SkewMargin)), Ask},
		{"older than the margin", held(t0), payload(t0.Add(-SkewMargin - time.Second)), Drop},
		{"newer, another API version", held(t0), idOnly(t0.Add(time.Minute)), Ask},
		{"older, another API version", held(t0), idOnly(t0.Add(-time.Minute)), Drop},
		{"newer, on a test clock", held(t0), News{Moment: t0.Add(time.Hour), Payload: true, Linked: true, TestClock: true}, Ask},
		{"older, on a test clock", held(t0), News{Moment: t0.Add(-time.Hour), Payload: true, Linked: true, TestClock: true}, Ask},
		{"newer, unknown link", held(t0), News{Moment: t0.Add(time.Hour), Payload: true}, Ask},
		{"after the end, not an end", ended, payload(t0.Add(time.Hour)), Drop},
		{"same second as the end, not an end", ended, payload(t0), Drop},
		{"the end again, same second", ended, News{Moment: t0, Payload: true, Linked: true, Final: true}, Ask},
		{"the end, later", held(t0), News{Moment: t0.Add(time.Minute), Payload: true, Linked: true, Final: true}, Apply},
		{"the end, same second", held(t0), News{Moment: t0, Payload: true, Linked: true, Final: true}, Ask},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.held, c.news); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
