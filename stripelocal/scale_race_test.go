//go:build race

package stripelocal

// yearSubscribers is smaller with the race detector, which is ten times slower.
const yearCrowd = 100

// The number of random calls is smaller too. They are sequential, so the race detector finds
// nothing more in them.
const (
	WalkSteps    = 400
	WalkTaken    = 80
	FurnishCalls = 5
)
