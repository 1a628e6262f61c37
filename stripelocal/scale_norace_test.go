//go:build !race

package stripelocal

// yearSubscribers is the number of subscriptions in the year of renewals.
const yearSubscribers = 1000

// The number of random calls, of those that must be accepted, and of calls that set up a fuzzed
// server.
const (
	RandomCalls      = 1500
	MinAcceptedCalls = 300
	SetupCalls       = 25
)
