package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"usher/billing/account"
)

// printPlan prints the random actions of all histories, as if every step succeeded. A history that
// is played can differ: its next draws depend on which steps fail.
func printPlan(o options, out io.Writer) {
	for _, b := range o.batches() {
		for n := range b.histories {
			printHistory(b.historySeed(n), out)
		}
	}
}

func printHistory(seed uint64, out io.Writer) {
	h, p := newHistory(seed), planner{seed, out}
	h.usher, h.stripe, h.sessions, h.results = p, p, newCheckoutSessions(), newResults()
	h.announce = func(actionName string) { fmt.Fprintf(out, "  %s\n", actionName) }
	for round := range rounds {
		fmt.Fprintf(out, "history %d, round %d\n", seed, round+1)
		h.playRound(round)
	}
}

// planner implements [application] and [stripeAPI] for one history. It prints every step, lets it
// succeed and changes nothing.
type planner struct {
	seed uint64
	out  io.Writer
}

func (p planner) perform(replica int, o operation) (string, error) {
	fmt.Fprintf(p.out, "    replica %d: %v\n", replica+1, o)
	switch o.Kind {
	case startCheckout, startPackCheckout:
		return "https://stripe.example/c/pay/cs_planned cs_planned", nil
	case previewSeats:
		return plannedSeats, nil
	case confirmSeats, undoSeats:
		return strings.Replace(plannedSeats, "{", `{"Outcome": "confirmed", `, 1), nil
	case completeCheckout:
		return "", errors.New("refused") // completing a foreign session would be a divergence
	}
	return "", nil
}

func (p planner) performTogether(operations []operation) []string {
	results := make([]string, len(operations))
	for n, o := range operations {
		results[n], _ = p.perform(n%replicaCount, o)
	}
	return results
}

func (p planner) members(organizationID string) []account.Member {
	var members []account.Member
	for n := range membersPerHistory {
		id := userID(p.seed, n)
		members = append(members, account.Member{
			ID: "mem_" + id, OrganizationID: organizationID, UserID: id, Status: account.MemberActive, Billable: n == 0,
		})
	}
	return members
}

func (planner) roles(string) []account.Role {
	return []account.Role{{ID: account.RoleAdmin}, {ID: account.RoleMember}}
}

func (planner) pendingInvitations(string) []account.Invitation {
	return []account.Invitation{{ID: "inv_planned"}}
}

func (planner) invitationToken(string) string { return "token" }

func (p planner) think() { fmt.Fprintln(p.out, "    think") }

func (planner) customerID(string) string { return "cus_planned" }

// plannedSeats is the preview of every change of seats.
const plannedSeats = `{"Shown": {"ID": "sp_planned", "Subscription": "sub_planned"}}`

// plannedResponse has the fields of all responses that histories read.
const plannedResponse = `{"id": "id_planned", "url": "https://stripe.example/c/pay/cs_planned",
	"data": [{"id": "id_planned", "amount": 2900, "items": {"data": [{"id": "si_planned"}]}}]}`

func (p planner) call(_, method, path string, form url.Values, result any) {
	fmt.Fprintf(p.out, "    Stripe: %s %s %s\n", method, path, readable(form))
	if result != nil {
		_ = json.Unmarshal([]byte(plannedResponse), result)
	}
}

func (p planner) submit(address string, form url.Values) {
	fmt.Fprintf(p.out, "    Stripe: submit %s %s\n", address, readable(form))
}

// readable returns a form in its encoded order, without escapes.
func readable(form url.Values) string {
	text, _ := url.QueryUnescape(form.Encode())
	return text
}

func (planner) now() int64 { return 0 }

func (planner) priceID(lookupKey string) string { return "price_" + lookupKey }
