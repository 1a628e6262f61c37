// Package scenario makes organizations in named states, for development: each has people of its own
// and shows one state of billing, such as a declined renewal. /dev/scenarios offers them, and the
// screenshots and the checks of accessibility visit their pages.
//
// A state is made the way it comes about in production: through the program's own services, and
// through the local Stripe's API, faults and test clocks. Nothing is written to the database
// directly. Where a state needs time, its customer has a test clock of its own, which begins in the
// past and ends at the present: one scenario's time moves no other.
//
// It holds no rules and no pages. [Registry] lists the scenarios; states_*.go make them; [Board]
// makes each once and knows who signs in.
package scenario
