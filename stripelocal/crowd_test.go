//go:build !race

package stripelocal

// yearCrowd is how many subscriptions the year of renewals is shown with.
const yearCrowd = 1000

// How many calls a random walk makes, how many of them must be taken, and how
// many calls furnish a fuzzed server.
const (
	WalkSteps    = 1500
	WalkTaken    = 300
	FurnishCalls = 25
)
