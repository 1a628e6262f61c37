//go:build !race

package stripelocal

// yearCrowd is how many subscriptions the year of renewals is shown with.
const yearCrowd = 1000
