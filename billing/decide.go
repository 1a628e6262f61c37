package billing

import "time"

// SkewMargin is how far two moments must lie apart before one is clearly later. Event times have whole seconds and Stripe's machines
// are not one clock.
const SkewMargin = 3 * time.Second

// Verdict is what to do with news of an object.
type Verdict string

// The verdicts of [Decide].
const (
	Apply  Verdict = "apply" // the news is the newer state: write it
	Fetch  Verdict = "ask"   // it cannot be told: fetch the object from Stripe, outside any transaction, and apply the answer
	Ignore Verdict = "drop"  // what is held is newer
)

// Stored is what a decision needs to know of our snapshot.
type Stored struct {
	Exists bool
	AsOf   time.Time
	// Final tells that the object can never change again (a canceled subscription, a deleted customer).
	Final bool
}

// Observation is what a decision needs to know of something heard about an object.
type Observation struct {
	AsOf time.Time // when it was true at Stripe, by Stripe's clock
	// Payload tells that the whole object came along in a shape of our API version.
	Payload bool
	// TestClock tells that the object runs on a test clock, so that its times are not comparable.
	TestClock bool
	// Linked tells that the object's owner here is known.
	Linked bool
	// Final tells that the news is an end nothing can follow (deleted).
	Final bool
}

// Decide tells what to do with news of an object beside the snapshot held. It is pure: the same question always has the same answer.
//
// Only a payload of our API version that is later than the snapshot by more than [SkewMargin] is applied, only news earlier by more
// than that is dropped; everything else is worth a question.
func Decide(held Stored, news Observation) Verdict {
	switch {
	case !news.Linked || news.TestClock:
		return Fetch
	case !held.Exists:
		return applyOrFetch(news)
	case news.AsOf.Before(held.AsOf.Add(-SkewMargin)):
		return Ignore
	case held.Final && !news.Final:
		// An object that has ended can't come back: whatever still arrives was sent before the end.
		return Ignore
	case news.AsOf.After(held.AsOf.Add(SkewMargin)):
		return applyOrFetch(news)
	}
	return Fetch
}

func applyOrFetch(news Observation) Verdict {
	if news.Payload {
		return Apply
	}
	return Fetch
}
