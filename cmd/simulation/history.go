package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"usher/billing/account"
)

// history is what happens to one organization. All its random decisions come from its own source,
// so that its seed repeats it. Methods that draw from the source must keep the number and the order
// of draws: a seed then plays the same history in every version.
type history struct {
	seed           uint64
	random         *rand.Rand
	organizationID string
	founderID      string   // the user who performs operations, unless another is named
	done           []string // the names of its actions
	announce       func(actionName string)
	stripeCalls    int // for idempotency keys

	behaviors map[string]string // how its changes at Stripe are prorated, by idempotency key
	foreign   map[string]int64  // the quantities of its foreign subscriptions
	ended     map[string]bool   // ids of subscriptions and customers that it ended
	deletions []int64           // when it requested the organization's deletion, in Unix seconds
	codes     map[string]string // promotion codes by Checkout session
	waiting   *seatChange       // previewed in an earlier round, and not confirmed yet
	seats     []confirmedSeats

	usher    application
	stripe   stripeAPI
	sessions *checkoutSessions
	results  *results
}

// application is Usher, as the people of an organization use it. Refused operations are not errors
// of the simulation; lists are empty when the database cannot be read.
type application interface {
	// perform performs an operation once, through one of the replicas.
	perform(replica int, o operation) (result string, err error)
	// performTogether performs operations at the same time, each through another replica. The
	// results of failed operations are empty.
	performTogether(operations []operation) (results []string)
	members(organizationID string) []account.Member
	roles(organizationID string) []account.Role
	pendingInvitations(organizationID string) []account.Invitation
	// invitationToken returns the token from the newest invitation e-mail to an address.
	invitationToken(address string) string
	// think waits until the amounts of a preview are calculated again before they are confirmed.
	think()
	// customerID returns the organization's customer at Stripe, or "".
	customerID(organizationID string) string
}

// stripeAPI is Stripe, as its dashboard, its portal and other applications use it.
type stripeAPI interface {
	// call calls the API until it responds, under an idempotency key. A refusal leaves result
	// empty.
	call(key, method, path string, form url.Values, result any)
	// submit submits the form of a page.
	submit(address string, form url.Values)
	// now returns the time in Unix seconds.
	now() int64
	// priceID returns the price with a lookup key.
	priceID(lookupKey string) string
}

func newHistory(seed uint64) *history {
	return &history{
		seed: seed, random: rand.New(rand.NewPCG(seed, 3)),
		organizationID: fmt.Sprintf("org_%d", seed), founderID: userID(seed, 0),
		announce:  func(string) {},
		behaviors: map[string]string{}, foreign: map[string]int64{}, ended: map[string]bool{}, codes: map[string]string{},
	}
}

// playRound performs some actions. In the first round it usually starts with a subscription.
func (h *history) playRound(round int) {
	if h.waiting != nil {
		h.do(action{"confirm old seats", (*history).confirmOldSeats})
	}
	if round == 0 || h.random.IntN(4) == 0 {
		h.do(action{"subscribe", (*history).subscribe})
	}
	for range 1 + h.random.IntN(3) {
		h.do(randomActions[h.random.IntN(len(randomActions))])
	}
}

func (h *history) do(a action) {
	h.done = append(h.done, a.name)
	h.announce(a.name)
	a.do(h)
}

// perform performs an operation through a random replica. It is not retried if it fails.
func (h *history) perform(o operation) { _ = h.performThrough(h.random.IntN(replicaCount), o) }

func (h *history) performThrough(replica int, o operation) (result string) {
	result, _ = h.usher.perform(replica, h.complete(o))
	return result
}

// complete fills in the organization and, if no user is named, the founder.
func (h *history) complete(o operation) operation {
	if o.UserID == "" {
		o.UserID = h.founderID
	}
	o.OrganizationID = h.organizationID
	return o
}

// diverged records a divergence, with the actions before it and the command that repeats it.
func (h *history) diverged(format string, args ...any) {
	h.results.diverged(h.describe(format, args...))
}

func (h *history) describe(format string, args ...any) string {
	return fmt.Sprintf("%s: %s (after %s; go run ./cmd/simulation -only %d)",
		h.organizationID, fmt.Sprintf(format, args...), strings.Join(h.done, ", "), h.seed)
}
