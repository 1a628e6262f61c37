package main

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"usher/billing"
)

// opened is a Checkout session that somebody opened here.
type opened struct{ URL, ID string }

// open opens a Checkout here. Nothing is opened where that is refused.
func (h *history) open(a act) (opened, bool) { return h.openThrough(h.random.IntN(2), a) }

func (h *history) openThrough(replica int, a act) (opened, bool) {
	address, id, ok := strings.Cut(h.through(replica, a), " ")
	if ok {
		h.world.mutex.Lock()
		h.world.opened[h.id] = id
		h.world.mutex.Unlock()
	}
	return opened{address, id}, ok
}

func (h *history) anyPlan() act {
	return act{What: "checkout", Plan: []string{"starter", "pro"}[h.random.IntN(2)], Yes: h.random.IntN(4) == 0}
}

// subscribe goes through Checkout, with a card that pays or not, and comes back or not. Meanwhile the number of members may change.
func (h *history) subscribe() {
	if session, ok := h.open(h.anyPlan()); ok {
		if h.random.IntN(3) == 0 {
			h.turn()
		}
		h.payAndReturn(session, h.anyCard())
	}
}

// reopen looks at one plan's Checkout, then at another's, and pays both pages.
func (h *history) reopen() {
	for _, plan := range []string{"starter", "pro"} {
		if session, ok := h.open(act{What: "checkout", Plan: plan}); ok {
			defer h.payAndReturn(session, paysCard)
		}
	}
}

// subscribeAtOnce has two admins of different addresses open a Checkout at the same moment, and pay.
func (h *history) subscribeAtOnce() {
	other, ok := h.anyMember()
	if !ok {
		return
	}
	h.here(act{What: "role", MemberID: other.ID, Role: billing.RoleAdmin})
	sessions := make([]opened, 2)
	var group sync.WaitGroup
	for n, userID := range []string{h.userID, other.UserID} {
		a := h.anyPlan()
		a.UserID = userID
		group.Go(func() { sessions[n], _ = h.openThrough(n, a) })
	}
	group.Wait()
	for _, session := range sessions {
		if session.ID != "" {
			h.payAndReturn(session, paysCard)
		}
	}
}

// tamper comes back from somebody else's Checkout, and from such as never were. Nobody is let in by that.
func (h *history) tamper() {
	foreign := h.world.openedByAnother(h.id)
	for _, id := range []string{foreign, foreign + "x", "cs_test_{CHECKOUT_SESSION_ID}", "../../v1/customers", "cs_test_\x00"} {
		if id == "" {
			continue
		}
		h.world.count("session ids tampered with", 1)
		a := act{What: "return", UserID: h.userID, OrganizationID: h.id, SessionID: id}
		if h.world.ask(h.world.replicas[h.random.IntN(2)].url+"/act", a, nil) == nil {
			h.world.diverged(h, "came back from %q, which is not theirs", id)
		}
	}
}

func (w *world) openedByAnother(organizationID string) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for id, session := range w.opened {
		if id != organizationID {
			return session
		}
	}
	return ""
}

const (
	paysCard          = "4242424242424242"
	authenticatedCard = "4000002500003155" // the bank asks who it is
)

func (h *history) anyCard() string {
	cards := []string{paysCard, paysCard, paysCard, authenticatedCard, "4000000000000002", "4000000000000341"}
	return cards[h.random.IntN(len(cards))]
}

// subscribeBeside has a second plan sold beside the first, as two pages that are both paid would.
func (h *history) subscribeBeside() {
	customer, _, _ := h.whoAtStripe()
	if customer == "" {
		return
	}
	var session opened
	h.call(http.MethodPost, "/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {customer}, "success_url": {siteURL}, "line_items[0][price]": {h.world.priceOf("starter")},
		"line_items[0][quantity]": {"2"}, "subscription_data[metadata][orgId]": {h.id}, "metadata[orgId]": {h.id},
	}, &session)
	if session.URL != "" {
		h.payAndReturn(session, paysCard)
	}
}

func (h *history) buyPack() {
	if session, ok := h.open(act{What: "pack"}); ok {
		h.payAndReturn(session, paysCard)
	}
}

func (h *history) payAndReturn(session opened, card string) {
	h.postForm(session.URL, url.Values{
		"email": {"p@example.com"}, "cardNumber": {card}, "cardExpiry": {"12/44"}, "cardCvc": {"123"}, "billingName": {"Person"},
	})
	if card == authenticatedCard {
		answer := []string{"complete", "fail"}[h.random.IntN(2)]
		h.postForm(strings.Replace(session.URL, "/c/pay/", "/c/authenticate/", 1), url.Values{answer: {"1"}})
	}
	if h.random.IntN(2) == 0 {
		h.here(act{What: "return", SessionID: session.ID})
	}
}
