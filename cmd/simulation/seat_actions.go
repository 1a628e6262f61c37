package main

import (
	"encoding/json"
	"maps"
	"slices"

	"usher/billing"
	"usher/billing/account"
)

// seatChange is a change of seats that a person was shown and has not confirmed.
type seatChange struct {
	request billing.SeatRequest
	shown   shownSeats
	at      int64  // before it was previewed, in Unix seconds
	moved   string // why it has to be refused; empty: it may be confirmed
}

// confirmedSeats is a change of seats that was confirmed, or that may have been.
type confirmedSeats struct {
	seatChange
	unknown bool // there was no answer
}

// changeSeats makes several changes of seats.
func (h *history) changeSeats() {
	for range 1 + h.random.IntN(3) {
		h.changeSeatsOnce()
	}
}

// changeSeatsOfPlan makes several changes of seats if the organization has a subscription.
func (h *history) changeSeatsOfPlan() {
	if h.stripeObjects().subscription != "" {
		h.changeSeats()
	}
}

// changeSeatsOnce previews a change of seats and confirms what was shown, unless days pass before.
// Meanwhile others may change what it costs.
func (h *history) changeSeatsOnce() {
	request, ok := h.anySeatRequest()
	if !ok {
		return
	}
	change, ok := h.previewSeats(request)
	if !ok {
		return
	}
	interruption := interruptions[h.random.IntN(len(interruptions))]
	h.results.countAction("seats: previewed, then " + interruption.name)
	if interruption.do == nil {
		h.waiting = &change
		return
	}
	interruption.do(h, &change)
	h.confirmSeats(change)
}

// previewSeats reports false if there is no preview.
func (h *history) previewSeats(request billing.SeatRequest) (seatChange, bool) {
	change := seatChange{request: request, at: h.stripe.now()}
	answer := h.performSeats(operation{Kind: previewSeats, Seats: request})
	change.shown = answer.Shown
	if answer.Outcome == "" && answer.Shown.ID != "" {
		return change, true
	}
	h.results.countAction("seats: no preview")
	return change, false
}

// performSeats performs an operation on seats through a random replica.
func (h *history) performSeats(o operation) (answer seatAnswer) {
	_ = json.Unmarshal([]byte(h.performThrough(h.random.IntN(replicaCount), o)), &answer)
	return answer
}

// anySeatRequest returns a change of one member or several, an invitation, or a removal.
func (h *history) anySeatRequest() (billing.SeatRequest, bool) {
	kind, yes := h.random.IntN(8), h.random.IntN(3) > 0
	request := billing.SeatRequest{Kind: billing.SeatMembers, Change: account.MemberChange{Billable: &yes}}
	switch kind {
	case 0:
		email := guestEmail(h.seed, h.random.IntN(guestsPerHistory))
		return billing.SeatRequest{Kind: billing.SeatInvitation, Invitation: account.NewInvitation{Email: email, Billable: yes}}, true
	case 1:
		request = billing.SeatRequest{Kind: billing.SeatRemoval}
	}
	request.MemberIDs = h.someMembers(kind >= 5)
	return request, len(request.MemberIDs) > 0
}

// someMembers picks a member other than the founder, or up to three.
func (h *history) someMembers(several bool) (ids []string) {
	members := h.usher.members(h.organizationID)
	for _, n := range h.random.Perm(len(members)) {
		if members[n].UserID != h.founderID && (len(ids) == 0 || several && len(ids) < 3) {
			ids = append(ids, members[n].ID)
		}
	}
	return ids
}

// confirmOldSeats confirms what was shown days ago. It has to be refused.
func (h *history) confirmOldSeats() {
	change := *h.waiting
	h.waiting = nil
	if change.shown.Subscription != "" {
		change.moved = "days have passed"
	}
	h.confirmSeats(change)
}

// confirmTries limits how often a person repeats a confirmation that has no answer.
const confirmTries = 3

// confirmSeats confirms a change. A person who is shown another amount may confirm that one.
func (h *history) confirmSeats(change seatChange) {
	before := h.readMembership()
	answer := h.confirm(change)
	h.results.countAction("seats: " + outcomeText(answer))
	switch answer.Outcome {
	case seatsConfirmed:
		h.afterConfirmation(change, answer, before)
	case seatsUnknown:
		h.seats = append(h.seats, confirmedSeats{change, true})
	default:
		h.verifyUnchanged(before, answer)
	}
	if answer.Outcome == seatsMoved && answer.Shown.ID != "" && h.random.IntN(2) == 0 {
		h.confirmShown(change.request, answer.Shown)
	}
}

func outcomeText(answer seatAnswer) string {
	switch answer.Outcome {
	case seatsUnknown:
		return "confirmation without an answer"
	case seatsConfirmed:
		if answer.Shown.Reason != billing.SeatCharged {
			return "confirmed at no cost, " + string(answer.Shown.Reason)
		}
	case seatsMoved:
		return "refused with a new preview"
	}
	return answer.Outcome
}

// confirm confirms a change until there is an answer. One without a preview needs no confirmation:
// it is made again, so that a refusal after no answer does not tell whether it was made before.
func (h *history) confirm(change seatChange) (answer seatAnswer) {
	o := operation{Kind: confirmSeats, Seats: change.request, Token: change.shown.ID}
	if change.shown.Subscription == "" {
		o.Token = ""
	}
	for try := range confirmTries {
		if answer = h.performSeats(o); answer.Outcome == seatsUnknown {
			continue
		}
		if try > 0 && o.Token == "" && answer.Outcome != seatsConfirmed {
			answer.Outcome = seatsUnknown
		}
		break
	}
	return answer
}

// confirmShown confirms the amounts of a refusal.
func (h *history) confirmShown(request billing.SeatRequest, shown shownSeats) {
	change := seatChange{request: request, shown: shown, at: h.stripe.now() - previewTime}
	answer := h.confirm(change)
	h.results.countAction("seats: new preview, " + outcomeText(answer))
	if answer.Outcome == seatsConfirmed || answer.Outcome == seatsUnknown {
		change.shown.Version = answer.Shown.Version
		h.seats = append(h.seats, confirmedSeats{change, answer.Outcome == seatsUnknown})
	}
}

// previewTime is how long a refusal with a new preview may take, in seconds.
const previewTime = 40

// afterConfirmation remembers what was confirmed. Then the person may confirm it again, or undo it.
func (h *history) afterConfirmation(change seatChange, answer seatAnswer, before membership) {
	if change.moved != "" {
		h.diverged("a change of seats from %d to %d was confirmed although %s (%+v)", change.shown.From, change.shown.To, change.moved, answer.Shown)
	}
	change.shown.Version = answer.Shown.Version
	h.seats = append(h.seats, confirmedSeats{change, false})
	switch h.random.IntN(8) {
	case 0:
		h.confirmTwice(change, answer)
	case 1, 2:
		h.undoConfirmed(answer, before)
	case 3:
		h.perform(operation{Kind: undoSeatChange})
	case 4, 5, 6:
		h.sendSeats()
	}
}

// sendSeats lets a confirmed change be sent to Stripe before anything else happens.
func (h *history) sendSeats() {
	h.perform(operation{Kind: retrySeatSync})
	h.usher.think()
}

// confirmTwice submits a confirmed form again: the answer is the first one.
func (h *history) confirmTwice(change seatChange, first seatAnswer) {
	if first.Shown.ID == "" || change.shown.Subscription == "" {
		return
	}
	again := h.confirm(change)
	h.results.countAction("seats: confirmed twice")
	if again.Outcome != seatsUnknown && (again.Outcome != seatsConfirmed || again.Shown != first.Shown) {
		h.diverged("a second confirmation of %+v was answered with %+v", first.Shown, again)
	}
}

// undoConfirmed takes a confirmed change back: the same people are billed as before.
func (h *history) undoConfirmed(made seatAnswer, before membership) {
	if made.Shown.ID == "" {
		return
	}
	at := h.stripe.now()
	answer := h.performSeats(operation{Kind: undoSeats, Token: made.Shown.ID})
	h.results.countAction("seats: undo " + outcomeText(answer))
	if answer.Outcome == seatsConfirmed {
		h.seats = append(h.seats, confirmedSeats{seatChange{shown: answer.Shown, at: at}, false})
		if after := h.readMembership(); before.known() && after.known() && !maps.Equal(before.billed, after.billed) {
			h.diverged("billed before a change were %v, after its undo %v", before.billed, after.billed)
		}
	}
}

// membership is who is a member, billed or invited; empty if the database cannot be read.
type membership struct {
	billed  map[string]bool // by member id
	invited []string        // ids of invitations
}

func (m membership) known() bool { return len(m.billed) > 0 }

func (h *history) readMembership() membership {
	m := membership{billed: map[string]bool{}}
	for _, member := range h.usher.members(h.organizationID) {
		m.billed[member.ID] = member.Billed()
	}
	for _, invitation := range h.usher.pendingInvitations(h.organizationID) {
		m.invited = append(m.invited, invitation.ID)
	}
	return m
}

// verifyUnchanged checks that a refused confirmation changed nothing.
func (h *history) verifyUnchanged(before membership, answer seatAnswer) {
	after := h.readMembership()
	if !before.known() || !after.known() {
		return
	}
	added := slices.ContainsFunc(after.invited, func(id string) bool { return !slices.Contains(before.invited, id) })
	if !maps.Equal(before.billed, after.billed) || added && len(before.invited) > 0 {
		h.diverged("a refused change of seats (%+v) changed the members from %+v to %+v", answer, before, after)
	}
}
