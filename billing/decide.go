package billing

import "time"

// SkewMargin is the difference from which one time counts as later than another. Event times have
// whole seconds, and Stripe's machines do not share one clock.
const SkewMargin = 3 * time.Second

// Verdict is what to do with an observation of an object.
type Verdict string

// The verdicts of [Decide].
const (
	Apply Verdict = "apply" // the observation is the newer state: write it
	// Fetch means that the object is fetched from Stripe, outside any transaction, and the answer
	// applied.
	Fetch  Verdict = "fetch"
	Ignore Verdict = "ignore" // the stored snapshot is newer
)

// Stored is the part of the stored snapshot that a decision needs.
type Stored struct {
	Exists bool
	AsOf   time.Time
	// Final means that the object can never change again (a canceled subscription, a voided
	// invoice).
	Final bool
}

// Observation is the part of an update that a decision needs.
type Observation struct {
	AsOf time.Time // when it was true at Stripe, by Stripe's clock
	// Payload means that the update carries the whole object in a shape of our API version.
	Payload bool
	// TestClock means that the object runs on a test clock, so its times are not comparable.
	TestClock bool
	// Linked means that the object's customer is linked to an organization.
	Linked bool
	// Final means that the object has ended, and no later state can follow.
	Final bool
}

// Decide compares an observation with the stored snapshot. It is a pure function.
//
// An observation whose owner is not linked, or that runs on a test clock, is fetched. An
// observation earlier than the snapshot by more than [SkewMargin] is ignored, and so is one that
// would revive an ended object. A payload of our API version that is later by more than the margin,
// or has no snapshot to compare with, is applied. Everything else is fetched.
func Decide(stored Stored, observed Observation) Verdict {
	switch {
	case !observed.Linked || observed.TestClock:
		return Fetch
	case !stored.Exists:
		return applyOrFetch(observed)
	case observed.AsOf.Before(stored.AsOf.Add(-SkewMargin)):
		return Ignore
	case stored.Final && !observed.Final:
		// An ended object stays ended: an update that still arrives was sent before the end.
		return Ignore
	case observed.AsOf.After(stored.AsOf.Add(SkewMargin)):
		return applyOrFetch(observed)
	}
	return Fetch
}

func applyOrFetch(observed Observation) Verdict {
	if observed.Payload {
		return Apply
	}
	return Fetch
}
