package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	billingTab   = "/organization?tab=billing"
	checkoutForm = `main form[method="post"], form[method="post"][action^="/c/pay/"]`
)

// signUpForPro goes from the pricing page through sign-up to the hosted Checkout page.
func (c *client) signUpForPro(email string) *client {
	c.t.Helper()
	c.open("/pricing?interval=year&seats=8").expectText("Starter", "Pro", "$290")
	c.choosePro().expectText("Pro")
	if c.location.Path != "/signup" {
		c.t.Fatalf("choosing a plan leads to %s, want /signup", c.location)
	}
	return c.signUp(email)
}

func (c *client) choosePro() *client {
	c.t.Helper()
	return c.submit(`form[action="/billing/checkout"]:has(input[value="pro"])`)
}

func (c *client) signUp(email string) *client {
	c.t.Helper()
	return c.submit(`form[action="/signup"]`,
		"name=Nora Njoroge", "email="+email, "password=front of house", "organization=Balcony Books")
}

// pay submits the hosted Checkout page.
func (c *client) pay(cardNumber string) *client {
	c.t.Helper()
	return c.submit(checkoutForm, "email=nora@example.com", "cardNumber="+cardNumber,
		"cardExpiry=12/34", "cardCvc=123", "billingName=Nora Njoroge")
}

// TestJourneys runs the journeys of people, each in its own organization, on one server.
func TestJourneys(t *testing.T) {
	server := startServer(t)
	journeys := map[string]func(*testing.T, *testServer){
		"from pricing to active without JavaScript": testPricingToActive,
		"active by webhook alone":                   testActiveByWebhook,
		"declined card":                             testDeclinedCard,
		"authentication required":                   testAuthentication,
		"canceled checkout":                         testCanceledCheckout,
		"cancel and resume in the portal":           testPortalCancelAndResume,
		"permissions of a member":                   testMemberPermissions,
		"invitation":                                testInvitation,
		"from pricing to active in Chromium":        testPricingToActiveInChromium,
	}
	t.Run("journeys", func(t *testing.T) {
		for name, journey := range journeys {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server.reportFailure(t)
				journey(t, server)
			})
		}
	})
	if code := server.stop(); code != exitOK {
		stderr, _ := server.stderr.read()
		t.Errorf("the server's exit code is %d:\n%s", code, stderr)
	}
}

func testPricingToActive(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("plain@example.com").expectText("Local Stripe", "$290")
	c.pay("4242 4242 4242 4242")
	if c.location.Path != "/organization" || c.location.Query().Get("tab") != "billing" {
		t.Fatalf("paying leads to %s, want the billing tab", c.location)
	}
	c.reloadUntil("the plan", "Pro, yearly", "Active", "Renews on", "Visa 4242", "1 person, 1 seat")
	s := c.waitForSummary("the seat sync", func(s billingSummary) bool {
		return s.Sync.Status == "ok" && s.Seats.LastAppliedSeats != nil
	})
	if s.Subscription.Status != "active" || *s.Seats.LastAppliedSeats != 1 || s.Sync.LastSyncAt == nil {
		t.Errorf("summary: %+v", s)
	}
	year := time.Until(time.Unix(s.Subscription.CurrentPeriodEnd, 0))
	if year < 364*24*time.Hour || year > 367*24*time.Hour {
		t.Errorf("the period of a yearly plan ends in %v", year)
	}
	c.open("/pricing?interval=year").expectText("Your plan")
}

func testActiveByWebhook(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("webhook@example.com")
	c.http.CheckRedirect = stopRedirects // the browser does not return from Checkout
	c.pay("4242424242424242")
	if c.status != http.StatusSeeOther {
		t.Fatalf("paying has status %d, want 303", c.status)
	}
	c.waitForSummary("the webhook", func(s billingSummary) bool {
		return s.Subscription != nil && s.Subscription.Status == "active"
	})
}

func stopRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func testDeclinedCard(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("declined@example.com")
	c.pay("4000 0000 0000 0002").expectText("declined")
	if !strings.HasPrefix(c.location.Path, "/c/pay/") {
		t.Fatalf("a declined card leads to %s, want the hosted page", c.location)
	}
	hosted := c.location.String()
	s := c.waitForSummary("the incomplete subscription", func(s billingSummary) bool {
		return s.Subscription != nil
	})
	if s.Subscription.Status != "incomplete" || s.Sync.Status != "ok" || s.Seats.LastAppliedSeats != nil {
		t.Errorf("summary: %+v", s)
	}
	c.open("/dashboard")
	if text := c.text("main"); strings.Contains(text, "Active") {
		t.Errorf("the dashboard shows an active plan after a declined card: %s", text)
	}
	c.open(billingTab).expectText("not finished")
	eventually(t, "the open invoice", func() bool {
		return c.open(billingTab).page.Find("#billing-invoice-poll").Length() == 0
	})
	c.open(hosted).pay("4242424242424242").reloadUntil("the plan", "Active")
}

func testAuthentication(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("secure@example.com")
	c.pay("4000 0025 0000 3155")
	if c.page.Find("button[name=fail], button[value=fail]").Length() == 0 {
		t.Fatalf("%s is not the authentication page: %s", c.location, c.text("body"))
	}
	c.pressButton("complete").reloadUntil("the plan", "Pro, yearly", "Active")
}

func testCanceledCheckout(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("left@example.com")
	cancel, ok := c.page.Find(`a[href*="canceled=true"]`).Attr("href")
	if !ok {
		t.Fatal("the hosted page has no cancel link")
	}
	c.open(cancel).expectText("left", "No plan")
	if c.location.Query().Get("tab") != "billing" {
		t.Errorf("canceling leads to %s, want the billing tab", c.location)
	}
}

func testPortalCancelAndResume(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("portal@example.com")
	c.pay("4242424242424242").reloadUntil("the plan", "Active")
	portal := `form[action="/billing/portal"]:has(button:contains("Cards, invoices and address"))`
	c.submit(portal).expectText("Local Stripe")
	cancel, ok := c.page.Find(`a:contains("Cancel plan")`).Attr("href")
	if !ok {
		t.Fatal("the portal has no cancel link")
	}
	cancelURL, err := c.location.Parse(cancel)
	if err != nil {
		t.Fatal(err)
	}
	c.open(cancelURL.String()).pressButton("cancel")
	c.waitForSummary("the cancellation", func(s billingSummary) bool {
		return s.Subscription.CancelAtPeriodEnd
	})
	c.open(billingTab).expectText("Ends on")
	c.submit(portal).pressButton("resume")
	c.waitForSummary("the resumption", func(s billingSummary) bool {
		return !s.Subscription.CancelAtPeriodEnd
	})
	c.open(billingTab).expectText("Renews on")
}

func testMemberPermissions(t *testing.T, server *testServer) {
	admin := server.client(t).logIn("admin@usher.example")
	admin.open("/pricing").choosePro()
	admin.pay("4242424242424242").reloadUntil("the plan", "Active", "8 people, 8 seats")

	member := server.client(t).logIn("member@usher.example").open(billingTab).expectText("Pro", "Active")
	if n := member.page.Find("main form, main button").Length(); n != 0 {
		t.Errorf("the billing tab has %d forms or buttons for a member, want none", n)
	}
	form := map[string][]string{"plan": {"pro"}, "interval": {"month"}}
	for _, path := range []string{"/billing/checkout", "/billing/portal", "/organization/seats/retry"} {
		response, err := member.http.PostForm(server.url+path, form)
		member.load(response, err)
		if member.status != http.StatusForbidden {
			t.Errorf("%s has status %d for a member, want 403", path, member.status)
		}
		member.expectText("Only organization admins can manage billing")
	}
	for _, path := range []string{"createSubscriptionCheckout", "createCustomerPortal", "retrySeatSync"} {
		response, err := member.http.Post(
			server.url+"/billing/"+path, "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		message := `"Only organization admins can manage billing"`
		if response.StatusCode != http.StatusForbidden || !strings.Contains(string(body), message) {
			t.Errorf("%s returns %d %s to a member", path, response.StatusCode, body)
		}
	}
	billingAdmin := server.client(t).logIn("billing@usher.example").open(billingTab)
	if billingAdmin.page.Find(`main form[action="/billing/portal"]`).Length() == 0 {
		t.Error("the billing tab has no portal button for a billing admin")
	}
}

func testInvitation(t *testing.T, server *testServer) {
	c := server.client(t)
	c.signUpForPro("host@example.com")
	c.pay("4242424242424242").reloadUntil("the plan", "1 person, 1 seat")
	c.open("/organization?tab=members")
	c.submit(`form[action="/organization/invitations"]`, "email=guest@example.com")
	c.expectText("Invite guest@example.com", "On your next monthly invoice")
	c.submit(confirmSeatsForm)
	c.expectText("guest@example.com", "Invited")

	guest := server.client(t).open("/dev/mail")
	mail := guest.page.Find(`article:contains("guest@example.com"), li:contains("guest@example.com")`)
	link, ok := mail.Find(`a[href*="/invite/"]`).First().Attr("href")
	if !ok {
		t.Fatalf("no invitation in the outbox: %s", guest.text("main"))
	}
	guest.open(link)
	guest.submit(`main form[action^="/invite/"]`, "name=Gil Guest", "password=front of house")
	guest.expectText("Balcony Books")
	s := c.waitForSummary("the guest's seat", func(s billingSummary) bool {
		return s.Seats.LastAppliedSeats != nil && *s.Seats.LastAppliedSeats == 2 && s.Sync.Status == "ok"
	})
	if s.Seats.BillableMembers != 2 || s.Seats.DesiredSeats != 2 {
		t.Errorf("seats: %+v", s.Seats)
	}
	c.open(billingTab).expectText("2 people, 2 seats")
	c.open("/organization?tab=activity").expectText("Gil Guest")
}

func testPricingToActiveInChromium(t *testing.T, server *testServer) {
	b := newBrowser(t, "pricing-to-active")
	b.do("open pricing", chromedp.Navigate(server.url+"/pricing?interval=year&seats=8"))
	b.expect(pageState{"pricing", "h1", "Most popular"})
	b.do("choose Pro", click(`form[action="/billing/checkout"]:has(input[value="pro"]) button`))
	b.expect(pageState{"sign-up", `form[action="/signup"]`, "Pro, yearly"})
	b.do("sign up", fillSignUp("chromium@example.com")...)
	b.expect(pageState{"hosted-checkout", `input[name="cardNumber"]`, "Local Stripe"})
	b.do("pay", enterCard("4242 4242 4242 4242", checkoutButton)...)
	b.expect(pageState{"billing-active", "#seat-panel", "Active"})
	b.expect(pageState{"billing-in-sync", "#seat-panel", "In sync"})
	b.do("dark and narrow", darkScheme(), chromedp.EmulateViewport(320, 800), chromedp.Reload())
	b.expect(pageState{"billing-dark-320", "#seat-panel", "In sync"})
	b.do("open the dashboard", chromedp.Navigate(server.url+"/dashboard"))
	b.expect(pageState{"dashboard-dark-320", "h1", "Pro"})
}

// TestRenewal advances the local Stripe's clock: the plan renews and its credits are granted again.
func TestRenewal(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	c := server.client(t)
	c.open("/pricing").choosePro()
	c.signUp("clock@example.com").pay("4242424242424242").reloadUntil("the plan", "Active")
	first := c.summary().Subscription.CurrentPeriodEnd
	c.open("/dev/clock").expectText("The local Stripe's clock")
	advance := func(spans ...string) {
		t.Helper()
		for _, span := range spans {
			code, stdout, stderr := runCommand(t, []string{"clock", "advance", span}, "DATA_DIR="+dataDir)
			if code != exitOK || !strings.Contains(stdout, "clock is at") {
				t.Fatalf("clock advance %s: %d %s%s", span, code, stdout, stderr)
			}
		}
	}
	advance("1 month", "2 hours") // an invoice is a draft for an hour
	s := c.waitForSummary("the renewal", func(s billingSummary) bool {
		return s.Subscription.CurrentPeriodEnd > first
	})
	month := time.Unix(s.Subscription.CurrentPeriodEnd, 0).Sub(time.Unix(first, 0))
	if month < 28*24*time.Hour || month > 31*24*time.Hour {
		t.Errorf("the period end moved by %v, want a month", month)
	}
	if s.Subscription.Status != "active" {
		t.Errorf("status %s, want active", s.Subscription.Status)
	}
	c.openUntil("the renewal's invoice", "/billing/invoices", "Renewal", "Paid")
	c.openUntil("the new month's credits", "/billing/credits",
		"Monthly credits of Pro", "Unused credits expired")
	// Spans of months shrink the day to the 28th in February, and the plan keeps its own.
	advance("1 month", "1 month", "1 month", "1 month", "1 month", "1 month", "4 days")
	eventually(t, "the invoices of all seven renewals", func() bool {
		c.open("/billing/invoices")
		return c.page.Find(`tr:contains("Renewal"):contains("Paid")`).Length() == 7
	})
	code, _, stderr := runCommand(t, []string{"clock", "advance", "a while"}, "DATA_DIR="+dataDir)
	if code != exitFailed || stderr == "" {
		t.Errorf("clock advance a while: exit code %d, %q", code, stderr)
	}
}
