package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing"
	billingviews "usher/views/billing"
)

// Each state of a return, and what must never stand on its page.
func TestReturnStates(t *testing.T) {
	active := billing.Overview{HasAccess: true, Subscription: &billing.Subscription{Status: billing.StatusActive}}
	failed := active
	failed.OpenInvoice = &billing.Invoice{ID: "in_2"}
	troubled := active
	troubled.Trouble = &billing.PaymentTrouble{Kind: billing.TroubleUnpaid}
	withoutCard := active
	withoutCard.Trouble = &billing.PaymentTrouble{Kind: billing.TroubleTrialCard}
	paid := checkoutReturn{from: billingviews.ReturnConfirming, checked: true, confirmed: true}
	unchecked := checkoutReturn{from: billingviews.ReturnConfirming}
	waiting := checkoutReturn{from: billingviews.ReturnConfirming, checked: true}
	delayed, processing, pack := waiting, paid, paid
	delayed.polls, processing.completed.Processing, pack.credits = returnPolls, true, 500
	for name, tt := range map[string]struct {
		ret  checkoutReturn
		now  billing.Overview
		want billingviews.CheckoutReturn
	}{
		"not a return":                       {checkoutReturn{}, active, billingviews.ReturnNone},
		"left Checkout":                      {checkoutReturn{from: billingviews.ReturnCanceled}, active, billingviews.ReturnCanceled},
		"paid":                               {paid, active, billingviews.ReturnConfirmed},
		"the same address after a failure":   {paid, failed, billingviews.ReturnNone},
		"the same address in trouble":        {paid, troubled, billingviews.ReturnNone},
		"a trial without a card":             {paid, withoutCard, billingviews.ReturnConfirmed},
		"a pack beside an unpaid plan":       {pack, failed, billingviews.ReturnConfirmed},
		"a delayed payment method":           {processing, active, billingviews.ReturnProcessing},
		"no session, with access":            {unchecked, active, billingviews.ReturnConfirmed},
		"no session, access until it is due": {unchecked, failed, billingviews.ReturnNone},
		"no session, no plan":                {unchecked, billing.Overview{}, billingviews.ReturnConfirming},
		"Stripe does not answer":             {waiting, active, billingviews.ReturnConfirming},
		"Stripe still does not answer":       {delayed, active, billingviews.ReturnDelayed},
	} {
		if got := tt.ret.state(tt.now); got != tt.want {
			t.Errorf("%s: state %d, want %d", name, got, tt.want)
		}
		if ticket := returnTicket(t.Context(), tt.now, tt.ret); (ticket != nil) != (tt.ret.checked && (tt.want == billingviews.ReturnConfirmed || tt.want == billingviews.ReturnProcessing)) {
			t.Errorf("%s: ticket %+v", name, ticket)
		}
	}
}

// A paid ticket stands above nothing that is to be paid, and leads to inviting people.
func TestPaidTicketContradictsNothing(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	page := b.get(b.subscribe("pro", "month").header.Get("Location")).wantStatus(http.StatusOK).
		wantText("Thank you. Your payment is confirmed.", "Invoice and receipt", "Next invoice on", "Invite your people").
		wantNoText("To be paid").wantNoText("Payment failed").wantNoText("No plan yet").wantNoText("Nothing charged")
	if page.doc().Find(".ticket .stamp").Text() != "Paid" || page.doc().Find("a[href='/organization/people']").Length() == 0 {
		t.Errorf("the ticket: %s", page.text(".ticket"))
	}
	pack := b.post("/billing/checkout", url.Values{"pack": {"credits_500"}}).wantStatus(http.StatusSeeOther)
	hosted := b.get(pack.header.Get("Location")).wantStatus(http.StatusOK)
	bought := b.follow(b.submit(hosted, "form", goodCard)).wantText("500 credits are yours.", "$10.00")
	if ticket := bought.text(".ticket"); strings.Contains(ticket, "Invite") || !strings.Contains(ticket, "Paid") {
		t.Errorf("the ticket of a pack: %s", ticket)
	}
}
