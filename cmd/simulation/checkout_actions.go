package main

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"usher/billing/account"
)

// session is a Checkout session that a history opened.
type session struct{ URL, ID string }

// openCheckout starts a Checkout through a random replica. It reports false if that is refused.
func (h *history) openCheckout(o operation) (session, bool) {
	return h.opened(h.performThrough(h.random.IntN(replicaCount), o))
}

// opened reads the result of starting a Checkout.
func (h *history) opened(result string) (session, bool) {
	address, id, ok := strings.Cut(result, " ")
	if ok {
		h.sessions.record(h.organizationID, id)
	}
	return session{address, id}, ok
}

func (h *history) anyPlan() operation {
	plan := planIDs[h.random.IntN(len(planIDs))]
	return operation{Kind: startCheckout, Plan: plan, Yes: h.random.IntN(4) == 0}
}

// changePlan confirms a change to any plan, or to another interval.
func (h *history) changePlan() {
	o := h.anyPlan()
	o.Kind = changePlan
	h.perform(o)
}

// subscribe goes through Checkout with a random card, and with or without a promotion code. The
// number of billed members may change before the payment.
func (h *history) subscribe() {
	o := h.anyPlan()
	o.Code = h.anyCode()
	if s, ok := h.openCheckout(o); ok {
		h.enter(s, o.Code)
		if h.random.IntN(3) == 0 {
			h.toggleBillable()
		}
		h.payAndReturn(s, h.anyCard())
	}
}

// payTwoCheckouts opens a Checkout of each plan and pays both.
func (h *history) payTwoCheckouts() {
	for _, plan := range []string{"starter", "pro"} {
		if s, ok := h.openCheckout(operation{Kind: startCheckout, Plan: plan}); ok {
			defer h.payAndReturn(s, validCard)
		}
	}
}

// subscribeTogether makes a member an admin. Then both admins start a Checkout at the same time,
// and both are paid.
func (h *history) subscribeTogether() {
	member, ok := h.anyMember()
	if !ok {
		return
	}
	h.perform(operation{Kind: changeRole, MemberID: member.ID, Role: account.RoleAdmin})
	var checkouts []operation
	for _, userID := range []string{h.founderID, member.UserID} {
		o := h.anyPlan()
		o.UserID = userID
		checkouts = append(checkouts, h.complete(o))
	}
	results := h.usher.performTogether(checkouts)
	for _, result := range results {
		if s, ok := h.opened(result); ok {
			h.payAndReturn(s, validCard)
		}
	}
}

// sellSecondPlan pays a Checkout that was not started in Usher, beside the current plan.
func (h *history) sellSecondPlan() {
	customer := h.stripeObjects().customer
	if customer == "" {
		return
	}
	var s session
	h.callStripe(http.MethodPost, "/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {customer}, "success_url": {siteURL}, "line_items[0][price]": {h.stripe.priceID("usher_starter_month")},
		"line_items[0][quantity]": {"2"}, "subscription_data[metadata][orgId]": {h.organizationID}, "metadata[orgId]": {h.organizationID},
	}, &s)
	if s.URL != "" {
		h.payAndReturn(s, validCard)
	}
}

func (h *history) buyPack() {
	if s, ok := h.openCheckout(operation{Kind: startPackCheckout}); ok {
		h.payAndReturn(s, validCard)
	}
}

// tamperWithSessions completes Checkouts of another organization and some that do not exist. Each
// must be refused.
func (h *history) tamperWithSessions() {
	foreign := h.sessions.ofAnother(h.organizationID)
	for _, id := range []string{foreign, foreign + "x", "cs_test_{CHECKOUT_SESSION_ID}", "../../v1/customers", "cs_test_\x00"} {
		if id == "" {
			continue
		}
		h.results.countFault("session ids tampered with", 1)
		o := h.complete(operation{Kind: completeCheckout, SessionID: id})
		if _, err := h.usher.perform(h.random.IntN(replicaCount), o); err == nil {
			h.diverged("completed the foreign or invalid session %q", id)
		}
	}
}

// Test cards (https://docs.stripe.com/testing).
const (
	validCard        = "4242424242424242"
	authenticateCard = "4000002500003155" // requires authentication
	declinedCard     = "4000000000000002"
	failsLaterCard   = "4000000000000341" // can be attached; charges are declined
)

func (h *history) anyCard() string {
	cards := []string{validCard, validCard, validCard, authenticateCard, declinedCard, failsLaterCard}
	return cards[h.random.IntN(len(cards))]
}

// payAndReturn fills in the Checkout page. In half of the cases the browser then returns to Usher.
func (h *history) payAndReturn(s session, card string) {
	h.stripe.submit(s.URL, url.Values{
		"email": {"p@example.com"}, "cardNumber": {card}, "cardExpiry": {"12/44"}, "cardCvc": {"123"}, "billingName": {"Person"},
	})
	if card == authenticateCard {
		button := []string{"complete", "fail"}[h.random.IntN(2)]
		h.stripe.submit(strings.Replace(s.URL, "/c/pay/", "/c/authenticate/", 1), url.Values{button: {"1"}})
	}
	if h.random.IntN(2) == 0 {
		h.perform(operation{Kind: completeCheckout, SessionID: s.ID})
	}
}

// checkoutSessions knows the last Checkout session of each organization of a batch.
type checkoutSessions struct {
	mutex sync.Mutex
	last  map[string]string // session id by organization id
}

func newCheckoutSessions() *checkoutSessions { return &checkoutSessions{last: map[string]string{}} }

func (c *checkoutSessions) record(organizationID, sessionID string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last[organizationID] = sessionID
}

// ofAnother returns a session of any other organization, or "".
func (c *checkoutSessions) ofAnother(organizationID string) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for id, session := range c.last {
		if id != organizationID {
			return session
		}
	}
	return ""
}
