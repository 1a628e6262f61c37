//go:build race

package stripelocal

// yearCrowd is smaller under the race detector, which takes ten times as long.
const yearCrowd = 100

// The walks are shorter too: what they find wrong they find without the
// detector, and what the detector looks for are two things at once, of which a
// walk has none.
const (
	WalkSteps    = 400
	WalkTaken    = 80
	FurnishCalls = 5
)
