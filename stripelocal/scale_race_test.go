//go:build race

package stripelocal

// yearSubscribers is smaller with the race detector, which is ten times slower.
const yearSubscribers = 100

// The number of random calls is smaller too. They are sequential, so the race detector finds
// nothing more in them.
const (
	RandomCalls      = 480
	MinAcceptedCalls = 80
	SetupCalls       = 5
)
