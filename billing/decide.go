package billing

import "time"

// SkewMargin is how far two moments must lie apart before one is clearly later. Event times have whole seconds and Stripe's machines
// are not one clock.
const SkewMargin = 3 * time.Second

// Verdict is what to do with news of an object.
type Verdict string

// The verdicts of [Decide].
const (
	Apply Verdict = "apply" // the news is the newer state: write it
	Ask   Verdict = "ask"   // it cannot be told: fetch the object from Stripe, outside any transaction, and apply the answer
	Drop  Verdict = "drop"  // what is held is newer
)

// Held is what a decision needs to know of our snapshot.
type Held struct {
	Exists bool
	Moment time.Time
	// Final tells that the object can never change again (a canceled subscription, a deleted customer).
	Final bool
}

// News is what a decision needs to know of something heard about an object.
type News struct {
	Moment time.Time // when it was true at Stripe, by Stripe's clock
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
func Decide(held Held, news News) Verdict {
	switch {
	case !news.Linked || news.TestClock:
		return Ask
	case !held.Exists:
		return applyOrAsk(news)
	case news.Moment.Before(held.Moment.Add(-SkewMargin)):
		return Drop
	case held.Final && !news.Final:
		// An object that has ended can't come back: whatever still arrives was sent before the end.
		return Drop
	case news.Moment.After(held.Moment.Add(SkewMargin)):
		return applyOrAsk(news)
	}
	return Ask
}

func applyOrAsk(news News) Verdict {
	if news.Payload {
		return Apply
	}
	return Ask
}
