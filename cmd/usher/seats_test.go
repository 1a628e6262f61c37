package main

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// holdRetryButton keeps the seat panel's polling from replacing the retry button before the test
// clicks it. On a busy machine the automatic retry may come before the click.
const holdRetryButton = `(() => {
	let pressed = false;
	const held = () => !pressed && document.querySelector('form[action="/organization/seats/retry"]');
	document.body.addEventListener("htmx:beforeRequest", (event) => {
		if (event.detail.requestConfig.verb === "post") pressed = true;
		if (held()) event.preventDefault();
	});
	document.body.addEventListener("htmx:beforeSwap", (event) => {
		if (held()) event.detail.shouldSwap = false;
	});
})()`

// TestSeatSyncRetry fails a seat sync, retries it by the button of the seat panel, and expects the
// seats in sync, first without JavaScript and then in a browser.
func TestSeatSyncRetry(t *testing.T) {
	server := startServer(t)
	c := server.client(t).logIn("admin@usher.example")
	c.open("/pricing").choosePro()
	c.pay("4242424242424242").reloadUntil("the plan", "8 people, 8 seats")

	const retryForm = `form[action="/organization/seats/retry"]`
	failed := func(s billingSummary) bool { return s.Sync.Status == "error" && s.Sync.Error != nil }
	synced := func(s billingSummary) bool {
		return s.Sync.Status == "ok" && *s.Seats.LastAppliedSeats == s.Seats.BillableMembers
	}
	server.failSeatSync(t)
	c.setBillable(false)
	s := c.waitForSummary("the failed sync", failed)
	if s.Seats.DesiredSeats != 7 || *s.Seats.LastAppliedSeats != 8 {
		t.Errorf("seats: %+v", s.Seats)
	}
	c.openUntil("the retry button", billingTab, "Update to 7 seats now") // absent during a retry
	server.clearFaults(t)
	c.submit(retryForm)
	c.waitForSummary("the seat sync", synced)

	server.failSeatSync(t)
	c.setBillable(true)
	c.waitForSummary("the failed sync", failed)
	b := newBrowser(t, "seat-error")
	b.logIn(server.url, "admin@usher.example", demoPassword)
	b.do("open the billing tab", chromedp.Navigate(server.url+billingTab))
	b.expect(pageState{"failed", retryForm + " button", "Update to 8 seats now"})
	b.markPage()
	b.evaluate("hold the retry button", holdRetryButton)
	b.expect(pageState{"held", retryForm + " button", "Update to 8 seats now"})
	server.clearFaults(t)
	b.do("retry", click(retryForm+" button"))
	b.expect(pageState{"in-sync", markedPage + " #seat-panel", "In sync"})
	c.waitForSummary("the seat sync", synced)
}

// confirmSeatsForm confirms the amounts of a change of seats.
const confirmSeatsForm = `main form:has(input[name="confirm"])`

// setBillable changes whether the demo's plain member takes a seat.
func (c *client) setBillable(billable bool) {
	c.t.Helper()
	c.open("/organization?tab=members")
	row := c.page.Find(`tr:contains("member@usher.example"), li:contains("member@usher.example")`)
	link, ok := row.Find(`a[href^="/organization/members/"]`).First().Attr("href")
	if !ok {
		c.t.Fatalf("no link to the member: %s", c.text("main"))
	}
	form := url.Values{"roleId": {"member"}, "status": {"active"}}
	if billable {
		form.Set("billable", "on")
	}
	response, err := c.http.PostForm(c.base+link, form)
	c.load(response, err)
	c.submit(confirmSeatsForm)
	c.expectText("Amara Okoye", "seat")
}

// TestInvitationInChromium invites a guest, who signs up by the link of the e-mail. The seat panel
// then updates without a reload.
func TestInvitationInChromium(t *testing.T) {
	server := startServer(t)
	c := server.client(t)
	c.signUpForPro("host@example.com")
	c.pay("4242424242424242").reloadUntil("the plan", "1 person, 1 seat")

	b := newBrowser(t, "invitation")
	b.logIn(server.url, "host@example.com", "front of house")
	b.do("invite", chromedp.Navigate(server.url+"/organization?tab=members"),
		typeAt("#invite-email", "guest@example.com"), click(`form[action="/organization/invitations"] button`))
	b.expect(pageState{"amount", "#seat-change", "Invite guest@example.com"})
	b.do("confirm", click(confirmSeatsForm+" button"))
	b.expect(pageState{"invited", "main", "The invitation is on its way."})
	b.logOut()
	b.do("open the e-mail", chromedp.Navigate(server.url+"/dev/mail"), click(`a[href*="/invite/"]`),
		waitVisible(`form[action^="/invite/"] input[name="password"]`))
	b.expect(pageState{"accepting", `form[action^="/invite/"]`, "Balcony Books"})
	b.do("accept", typeInto("name", "Gil Guest"), typeInto("password", "front of house"),
		click(`form[action^="/invite/"] button`))
	b.expect(pageState{"joined", `form[action="/logout"]`, "Welcome. You are a member now."})
	b.logOut()
	b.logIn(server.url, "host@example.com", "front of house")
	b.do("open the billing tab", chromedp.Navigate(server.url+billingTab), waitVisible("#seat-panel"))
	b.markPage()
	b.expect(pageState{"in-sync", markedPage + " #seat-panel", "2 people, 2 seats"})
	c.waitForSummary("the guest's seat", func(s billingSummary) bool {
		return s.Sync.Status == "ok" && *s.Seats.LastAppliedSeats == 2
	})
}

// A refused request of htmx says why, in the toast.
func TestRefusalSaysWhyInChromium(t *testing.T) {
	t.Parallel()
	server := startServer(t, scenarioPlans)
	server.enter(t, "cap", "")
	b := newBrowser(t, "refusal")
	b.do("sign in", chromedp.Navigate(server.url+"/dev/scenarios"), click("#cap-admin"), waitVisible(`form[action="/logout"]`))
	b.do("ask for a ninth seat", chromedp.Navigate(server.url+"/organization?tab=members"), waitVisible("#seats-cost"), click("#seats-cost"))
	b.expect(pageState{"refused", "#toast", "Studio has seats for at most 8 people"})
}
