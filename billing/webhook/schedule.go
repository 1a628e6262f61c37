package webhook

import "time"

// When messages are sent again, and when that ends.
const (
	// retryFor is how old a delivery becomes before it is given up. Each gets one attempt at least.
	retryFor = 3 * 24 * time.Hour
	// disableAfter is how long an endpoint may fail without a success in between.
	disableAfter = 5 * 24 * time.Hour
	// maxRetryAfter bounds what a receiver can ask for with Retry-After.
	maxRetryAfter = 6 * time.Hour
	// retention is how long messages are kept for the log and for sending them again.
	retention = 30 * 24 * time.Hour
	// secretOverlap is how long a replaced secret signs beside the new one.
	secretOverlap = 24 * time.Hour
)

// delays are the waits after one, two, … failures in a row, without jitter; the last one repeats.
var delays = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// delay returns the wait after a number of failures in a row, at least 1, with up to a quarter of
// jitter. A longer Retry-After is kept within reason.
func delay(failures int, retryAfter time.Duration, jitter func(limit time.Duration) time.Duration) time.Duration {
	wait := delays[min(failures, len(delays))-1]
	wait = max(wait, min(retryAfter, maxRetryAfter))
	return wait + jitter(wait/4)
}
