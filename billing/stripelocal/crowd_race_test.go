//go:build race

package stripelocal

// yearCrowd is smaller under the race detector, which takes ten times as long.
const yearCrowd = 100
