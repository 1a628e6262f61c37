package main

import (
	"fmt"
	"net/url"
	"strings"
)

// nextInvoiceJourney follows the next invoice from the purchase to the renewal that charges it.
func nextInvoiceJourney(j *billingJourney) {
	j.subscribe("pro", "month", "4242 4242 4242 4242")
	at := j.agree("the purchase", agreement{plan: "pro", interval: "month", status: "active", seats: 1})
	j.showNextInvoice("one-person", j.upcoming(at), "1 person on Pro")

	j.advanceClock("10 days")
	j.join("Mira Bell")
	at = j.agree("the second person", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.showNextInvoice("joined", j.upcoming(at), "Mira Bell")

	// Support staff gives a discount at Stripe.
	coupon := j.postToStripe("/v1/coupons", url.Values{"percent_off": {"10"}, "duration": {"forever"}, "name": {"Loyalty"}})
	j.postToStripe("/v1/subscriptions/"+at.ID, url.Values{"coupon": {coupon}})
	at = j.agree("the discount", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.advanceClock("2 minutes") // an amount is current for one
	expected := j.upcoming(at)
	j.showNextInvoice("discount", expected, "Discount")

	j.showNextInvoiceWithoutStripe(expected)

	j.advanceClock("1 month", "2 hours")
	at = j.agree("the renewal", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.client().openUntil("the paid renewal", "/billing/invoices", "Renewal", expected)
	j.expectInvoiced("the renewal", expected, at)
	j.goTo("/billing/invoices", "main table")
	j.see("renewed", "main", expected)
}

// showNextInvoice opens the billing tab, the page of the next invoice and the dashboard. All have
// Stripe's amount.
func (j *billingJourney) showNextInvoice(name, amount string, lines ...string) {
	j.t.Helper()
	j.openBilling()
	if j.scripts {
		j.see(name+"-tab", "#next-invoice p.text-figure", amount)
	} else {
		j.see(name+"-tab", "#next-invoice", "Next invoice")
		if text := j.text("#next-invoice"); strings.Contains(text, "Getting the amount") {
			j.t.Errorf("nothing gets the amount: %s", text)
		}
	}
	j.goTo("/billing/next-invoice", "#next-invoice")
	j.see(name+"-page", "#next-invoice p.text-figure", amount)
	j.expectTexts("#next-invoice", lines...)
	j.goTo("/dashboard", "#next-invoice")
	j.see(name+"-dashboard", "#next-invoice p.text-figure", amount)
}

// showNextInvoiceWithoutStripe requires the last known amount with its time, and a way to retry.
func (j *billingJourney) showNextInvoiceWithoutStripe(amount string) {
	j.t.Helper()
	j.advanceClock("2 minutes")
	for _, method := range []string{"GET", "POST"} {
		j.server.addFault(j.t, `{"kind":"server_error","method":"`+method+`","path":"/v1/invoices/*","calls":-1}`)
	}
	j.goTo("/billing/next-invoice", "#next-invoice")
	j.see("stripe-away", "#next-invoice", "We can't reach Stripe right now")
	j.expectTexts("#next-invoice", amount, "As of", "Try again")
	j.server.clearFaults(j.t)
	// Stripe is not called for some seconds after a failure.
	eventually(j.t, "the current amount", func() bool {
		j.press(`#next-invoice a[href="/billing/next-invoice"]`)
		return !strings.Contains(j.text("#next-invoice"), "As of")
	})
	j.see("stripe-is-back", "#next-invoice p.text-figure", amount)
}

// planChangeJourney changes the plan and the interval. The clock moves between a preview and its
// confirmation.
func planChangeJourney(j *billingJourney) {
	j.subscribe("starter", "month", "4242 4242 4242 4242")
	j.join("Mira Bell")
	j.agree("two people", agreement{plan: "starter", interval: "month", status: "active", seats: 2})
	j.advanceClock("6 days")

	j.previewPlan("pro", "month")
	j.see("preview-plan", `form[action="/billing/plan"]`, "Today's invoice")
	due := j.dueToday()
	j.expectTexts(`form[action="/billing/plan"]`, "Pay "+due+" and switch")
	j.press(`form[action="/billing/plan"] button`)
	j.see("changed", "#seat-panel", "Your plan is changed.")
	at := j.agree("the new plan", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.expectInvoiced("the new plan", due, at)

	j.previewPlan("pro", "year")
	j.see("preview-interval", `form[action="/billing/plan"]`, "Today's invoice")
	before := j.dueToday()
	j.advanceClock("2 days")
	j.press(`form[action="/billing/plan"] button`)
	j.see("moved", `form[action="/billing/plan"]`, "The amount has changed since you saw it.")
	at = j.agree("the refused confirmation", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	if n := len(j.invoices(at)); n != 2 {
		j.t.Errorf("%d invoices after a refused confirmation, want 2", n)
	}
	if due = j.dueToday(); due == before {
		j.t.Errorf("the amount is still %s two days later", due)
	}
	j.press(`form[action="/billing/plan"] button`)
	j.see("yearly", "#seat-panel", "Your plan is changed.")
	at = j.agree("the new interval", agreement{plan: "pro", interval: "year", status: "active", seats: 2})
	j.expectInvoiced("the new interval", due, at)
}

// previewPlan asks on the billing tab what a plan costs.
func (j *billingJourney) previewPlan(plan, interval string) {
	j.t.Helper()
	j.openBilling()
	j.do("unfold the plans", click("#change-plan summary"))
	j.press(`form[action="/billing/preview"]:has(input[value="` + plan + `"]):has(input[value="` + interval + `"]) button`)
}

// changePlan confirms the preview of another plan. On a busy machine the confirmation may come
// while seats are being sent to Stripe; then the page asks to try again.
func (j *billingJourney) changePlan(plan, interval string) {
	j.t.Helper()
	for range 5 {
		j.previewPlan(plan, interval)
		j.press(`form[action="/billing/plan"] button`)
		j.do("the answer", waitVisible("main"))
		if !strings.Contains(j.text("main"), "Please try again in a few seconds") {
			return
		}
	}
	j.t.Fatal("seats are being sent to Stripe all the time")
}

// seatsJourney changes seats one by one and together, each with its amount before.
func seatsJourney(j *billingJourney) {
	const members = "/organization?tab=members"
	j.subscribe("pro", "month", "4242 4242 4242 4242")
	j.advanceClock("3 days")

	j.goTo(members, `form[action="/organization/invitations"]`)
	j.do("type an address", typeAt("#invite-email", "guest."+j.founder))
	j.pressInPlace(`form[action="/organization/invitations"] button`)
	j.seeAmounts("invitation-amount", "Invite guest."+j.founder)
	j.expectPrice([]string{"on your next invoice if they join today. Nothing is charged before they do."},
		[]string{"Due if they join today", "On your next invoice", "If they never join, nothing is charged."})
	j.confirmSeats()
	j.see("invited", "main", "The invitation is on its way.")
	j.agree("the invitation", agreement{plan: "pro", interval: "month", status: "active", seats: 1})

	j.join("Mira Bell", "Noor Haddad", "Otis Grant")
	j.agree("three people joined", agreement{plan: "pro", interval: "month", status: "active", seats: 4})
	j.advanceClock("2 days")

	// One seat, taken and given back before it is sent to Stripe.
	j.goTo(members, "main table")
	j.see("members", "main table", "Mira Bell")
	j.pressInPlace(seatToggle("Mira Bell"))
	j.seeAmounts("one-amount", "Remove the seat of Mira Bell")
	j.expectPrice([]string{"off your next invoice, then -$29.00 a month"}, []string{"Due today", "On your next invoice", "then -$29.00 a month"})
	j.expectFocus(`button[role="switch"]`)
	j.confirmSeats()
	j.see("one-removed", "main", "Mira Bell no longer has a seat")
	j.expectFocus("[data-focus]")
	j.press(`form[action="/organization/seats/undo"] button`)
	j.expect(pageState{"undo", "main", "Mira Bell"})
	if j.has(confirmSeatsForm) { // the change was sent meanwhile: undoing it costs something
		j.confirmSeats()
	}
	j.see("undone", "main", "Mira Bell now has a seat")
	j.agree("the undone change", agreement{plan: "pro", interval: "month", status: "active", seats: 4})

	// Several seats; the clock moves before the confirmation.
	j.goTo(members, "main table")
	j.markPage()
	j.do("select", click(`input[aria-label="Select Noor Haddad"]`), click(`input[aria-label="Select Otis Grant"]`))
	if !j.scripts { // the price comes with the selection
		j.press(`#selected-seats button[value="false"]`)
	}
	j.seeAmounts("bulk-amount", "Remove the seats of")
	j.expectFocus(`input[name="member"]`)
	const amount = "#seat-change strong.text-title, #seat-change .font-strong.tabular-nums:not(.text-figure)"
	before := j.text(amount)
	j.advanceClock("2 days")
	j.pressInPlace(confirmSeatsForm + " button")
	j.see("bulk-moved", "#seat-change", "The amount has changed since you saw it.")
	j.agree("the refused confirmation", agreement{plan: "pro", interval: "month", status: "active", seats: 4})
	if after := j.text(amount); after == before {
		j.t.Errorf("the amount is still %s two days later", after)
	}
	j.confirmSeats()
	j.see("bulk-removed", "main", "no longer have seats")
	at := j.agree("two seats less", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.showNextInvoice("after", j.upcoming(at), "2 people on Pro")

	// Mark as billed: the person has been a member without a seat.
	j.goTo(members, "main table")
	j.pressInPlace(seatToggle("Otis Grant"))
	j.seeAmounts("add-amount", "Add a seat for Otis Grant")
	j.confirmSeats()
	j.see("added", "main", "Otis Grant now has a seat")
	j.agree("one seat more", agreement{plan: "pro", interval: "month", status: "active", seats: 3})

	j.showMember(members)
	j.inviteMany(members)
}

// showMember opens a person's details in a drawer or, without JavaScript, on a page.
func (j *billingJourney) showMember(members string) {
	j.t.Helper()
	const details = "a[data-drawer]"
	j.goTo(members, details)
	if !j.scripts {
		j.press(details)
		j.see("member", "#member", "Last seen")
		return
	}
	j.do("open the drawer", click(details), waitVisible("#member-drawer[open] form"))
	j.see("drawer", "#member-drawer", "Last seen")
	j.do("close the drawer", click(`#member-drawer button[aria-label="Close"]`))
	j.expectFocus(details)
}

// inviteMany pastes a list of addresses, confirms it, and sees it sent in two steps.
func (j *billingJourney) inviteMany(members string) {
	j.t.Helper()
	addresses := make([]string, 26)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("many%d.%s", i, j.founder)
	}
	j.goTo(members, "#invite-email")
	j.do("paste", setValue("#invite-email", strings.Join(addresses, "\n")))
	j.pressInPlace("#invite-send")
	j.see("many-to-confirm", "#seat-change-title", "Invite 26 people")
	j.pressInPlace("#invite-continue")
	if !j.scripts {
		j.see("many-first-step", "#seat-change-title", "Sent 25 of 26 invitations")
		j.press("#invite-continue")
	}
	j.see("many-sent", "main", "The invitations are on their way.")
	j.expectFocus("[data-focus]")
	j.expectTexts("main", addresses[0], addresses[25])
}

// seeAmounts waits for the amounts of a change of seats. On a busy machine Stripe may not answer in
// time; then the page offers to try again.
func (j *billingJourney) seeAmounts(name, title string) {
	j.t.Helper()
	panel := "#seat-change"
	if j.scripts { // in place
		panel = markedPage + " " + panel
	}
	j.expect(pageState{name + "-shown", panel, title})
	eventually(j.t, "the amounts", func() bool {
		if !strings.Contains(j.text("#seat-change"), "the amount is not known") {
			return true
		}
		j.pressInPlace(`#seat-change form:not(:has(input[name="confirm"])) button`)
		return false
	})
	j.see(name, "#seat-change-title", title)
}

// expectPrice requires what the panel over the list of members says or, without JavaScript, a page.
func (j *billingJourney) expectPrice(inPlace, onPage []string) {
	j.t.Helper()
	if j.scripts {
		j.expectTexts("#seat-change", inPlace...)
	} else {
		j.expectTexts("#seat-change", onPage...)
	}
}

// expectFocus requires that a swap leaves the focus on an element. It moves when the swap settles,
// which is after the new content is visible.
func (j *billingJourney) expectFocus(selector string) {
	j.t.Helper()
	if j.scripts {
		eventually(j.t, "the focus on "+selector, func() bool { return j.has(selector + ":focus") })
	}
}

// seatToggle selects the button that gives a member a seat or takes it.
func seatToggle(name string) string {
	return `tr:has(input[aria-label="Select ` + name + `"]) button[role="switch"]`
}

// paymentTroubleJourney fails a renewal and pays it: with the same card, which fails, and with a
// new one. The payment of the next renewal has to be confirmed with the bank.
func paymentTroubleJourney(j *billingJourney) {
	j.subscribe("pro", "month", "4242 4242 4242 4242")
	j.updateCardInPortal("4000 0000 0000 0341")
	j.advanceClock("1 month", "2 hours")
	at := j.agree("the failed renewal", agreement{plan: "pro", interval: "month", status: "past_due", seats: 1})
	j.seeSoon("past-due", billingTab, "#payment-trouble", "the card was declined")
	j.expectTexts("#payment-trouble", "$29.00", "the card was declined", "You have access until", "Next try", "Pay $29.00", "Update card", "next try")
	j.seeSoon("past-due-dashboard", "/dashboard", "#payment-trouble", "could not be collected on")

	j.openBilling()
	j.press(`form[action="/billing/pay"] button`)
	j.see("declined", "#billing-panel", "The payment was declined.")
	j.seeSoon("two-attempts", billingTab, "#payment-trouble ol li:nth-child(3)", "Pay $29.00")
	j.agree("the declined payment", agreement{plan: "pro", interval: "month", status: "past_due", seats: 1})

	j.updateCard("4242 4242 4242 4242")
	j.agree("the new card", agreement{plan: "pro", interval: "month", status: "active", seats: 1})
	j.expectInvoiced("the new card", "$29.00", at)
	j.openBilling()
	j.see("paid-by-new-card", "#billing-panel", "Renews on")

	// The bank wants the payment of the next renewal confirmed.
	j.updateCardInPortal("4000 0027 6000 3184")
	j.advanceClock("1 month", "2 hours")
	j.agree("the renewal to confirm", agreement{plan: "pro", interval: "month", status: "past_due", seats: 1})
	j.seeSoon("confirm", billingTab, "#payment-trouble", "Confirm payment")
	j.press(`#payment-trouble a[href^="/billing/invoices/"]`)
	j.confirmAtBank()
	j.agree("the confirmed payment", agreement{plan: "pro", interval: "month", status: "active", seats: 1})
	j.expectInvoiced("the confirmed payment", "$29.00", at)
	j.seeSoon("confirmed", billingTab, "#billing-panel", "Renews on")
}

// updateCardInPortal makes a card the default one, as people do before anything is wrong.
func (j *billingJourney) updateCardInPortal(number string) {
	j.t.Helper()
	j.openBilling()
	j.press(`form[action="/billing/portal"]:not(:has(input[name="flow"])) button`)
	j.press(`a[href*="payment"]`)
	j.markPage()
	j.do("enter the card", enterCard(number, `button[value="save"]`)...)
	j.expectNoMark("the card") // the form has a link back to the billing tab too
	j.do("the portal", waitVisible(`button[name="complete"], a[href*="tab=billing"]`))
	if j.has(`button[name="complete"]`) {
		j.press(`button[name="complete"]`)
	}
	j.see("card-"+number[len(number)-4:], "body", number[len(number)-4:])
}

// confirmAtBank confirms a payment on Stripe's pages.
func (j *billingJourney) confirmAtBank() {
	j.t.Helper()
	j.see("at-stripe", "main, body", "Local Stripe")
	const authenticate = `a.button`
	if j.has(authenticate) {
		j.press(authenticate)
	}
	j.do("confirm", waitVisible(`button[name="complete"]`))
	j.press(`button[name="complete"]`)
}

// planCardJourney schedules a smaller plan and takes it back, cancels, resumes, and switches down
// instead of canceling.
func planCardJourney(j *billingJourney) {
	j.subscribe("pro", "month", "4242 4242 4242 4242")
	j.join("Mira Bell")
	pro := agreement{plan: "pro", interval: "month", status: "active", seats: 2}
	j.agree("two people", pro)

	j.previewPlan("starter", "month")
	j.see("preview-smaller", `form[action="/billing/plan"]`, "You keep Pro until")
	j.press(`form[action="/billing/plan"] button`)
	j.see("scheduled", `form[action="/billing/plan/keep"]`, "Changes to Starter, monthly on")
	j.agree("the scheduled change", pro)
	j.press(`form[action="/billing/plan/keep"] button`)
	j.see("kept", "#change-plan", "You keep your plan.")
	j.agree("the kept plan", pro)

	j.press(`a[href="/billing/cancel"]`)
	j.see("cancel", `form[action="/billing/cancel"] button`, "You can change your mind any time until")
	j.expectTexts("main", "You keep Pro until", "2 people keep access until then", "plan credits", "expire", "Or switch to a smaller plan", "$18 per month for 2 people")
	j.do("give a reason", setValue(`select[name="reason"]`, "too_expensive"),
		typeAt(`textarea[name="comment"]`, "We are fewer people now."))
	j.press(`form[action="/billing/cancel"] button`)
	j.see("canceled", `a[href="/billing/resume"]`, "Your plan is canceled.")
	ending := pro
	ending.ends = true
	at := j.agree("the cancellation", ending)
	var stored struct {
		CancellationDetails struct{ Feedback, Comment string } `json:"cancellation_details"`
	}
	j.getFromStripe("/v1/subscriptions/"+at.ID, &stored)
	if d := stored.CancellationDetails; d.Feedback != "too_expensive" || d.Comment != "We are fewer people now." {
		j.t.Errorf("Stripe has the reason %+v", d)
	}

	j.press(`a[href="/billing/resume"]`)
	j.see("resume", `form[action="/billing/resume"] button`, "First invoice on")
	j.expectTexts("main", "$58.00", "Nothing is charged today.")
	j.press(`form[action="/billing/resume"] button`)
	j.see("resumed", `a[href="/billing/cancel"]`, "Renews on")
	j.agree("the resumption", pro)

	j.press(`a[href="/billing/cancel"]`)
	j.press(`form[action="/billing/preview"]:has(input[value="starter"]):has(input[value="month"]) button`)
	j.see("offer", `form[action="/billing/plan"]`, "You keep Pro until")
	j.press(`form[action="/billing/plan"] button`)
	j.see("scheduled-instead", `form[action="/billing/plan/keep"]`, "Changes to Starter, monthly on")
	j.agree("the offer", pro)
	j.advanceClock("1 month", "2 hours")
	j.agree("the smaller plan", agreement{plan: "starter", interval: "month", status: "active", seats: 2})
	j.seeSoon("smaller", billingTab, "#seat-panel", "Starter, monthly")
}
