package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// patience bounds every wait for a state. Other tests and a busy machine slow the server down.
const patience = time.Minute

const payForm = `main form[method="post"], form[method="post"][action^="/c/pay/"]`

// card fills in the hosted Checkout page.
func card(number string) []string {
	return []string{"email=nora@example.com", "cardNumber=" + number, "cardExpiry=12/34", "cardCvc=123", "billingName=Nora Njoroge"}
}

// summaryAnswer is /billing/getSummary as the contract has it.
type summaryAnswer struct {
	OrganizationID string
	Customer       *struct{ StripeCustomerID string }
	Subscription   *struct {
		StripeSubscriptionID, StripePriceID, Status string
		CurrentPeriodEnd                            int64
		CancelAtPeriodEnd                           bool
	}
	Seats struct {
		BillableMembers, DesiredSeats int
		LastAppliedSeats              *int
	}
	Sync struct {
		Status     string
		LastSyncAt *int64
		Error      *string
	}
}

func (v *visitor) summary() summaryAnswer {
	v.t.Helper()
	answer, err := v.client.Get(v.base + "/billing/getSummary")
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	var s summaryAnswer
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		v.t.Fatal(err)
	}
	return s
}

// waitFor asks again until the summary is as wanted.
func (v *visitor) waitFor(what string, wanted func(summaryAnswer) bool) summaryAnswer {
	v.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		s := v.summary()
		if wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("waited for %s, still %+v", what, s)
		}
		time.Sleep(50 * time.Millisecond) // between two looks at the condition
	}
}

// signUpForPro goes from the pricing page through sign-up to the hosted Checkout page.
func (v *visitor) signUpForPro(email string) *visitor {
	v.t.Helper()
	v.visit("/pricing?interval=year&seats=8").reads("Starter", "Pro", "$290")
	v.send(`form[action="/billing/checkout"]:has(input[value="pro"])`).reads("Pro")
	if v.address.Path != "/signup" {
		v.t.Fatalf("a visitor who chose a plan is at %s", v.address)
	}
	return v.send(`form[action="/signup"]`, "name=Nora Njoroge", "email="+email, "password=front of house", "organization=Balcony Books")
}

// TestJourneys walks through one running Usher as people do, each with an organization of their own.
func TestJourneys(t *testing.T) {
	u := startUsher(t)
	journeys := map[string]func(*testing.T, *instance){
		"from pricing to active without JavaScript":      journeyFromPricingToActiveWithoutJavaScript,
		"the webhook alone makes it active":              journeyWebhookAloneMakesItActive,
		"a declined card stays on the hosted page":       journeyDeclinedCardStaysOnTheHostedPage,
		"authentication is asked for":                    journeyAuthenticationIsAskedFor,
		"a canceled checkout says so":                    journeyCanceledCheckoutSaysSo,
		"the portal cancels and resumes":                 journeyPortalCancelsAndResumes,
		"a member sees the plan and no buttons":          journeyMemberSeesThePlanAndNoButtons,
		"an invitation is accepted and the seats settle": journeyInvitationIsAcceptedAndTheSeatsSettle,
		"in Chromium from pricing to active":             journeyInChromium,
	}
	t.Run("journeys", func(t *testing.T) {
		for name, journey := range journeys {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				u.reportFailure(t)
				journey(t, u)
			})
		}
	})
	if code := u.stop(); code != exitOK {
		stderr, _ := u.stderr.read()
		t.Errorf("it ended with %d:\n%s", code, stderr)
	}
}

func journeyFromPricingToActiveWithoutJavaScript(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("plain@example.com").reads("Local Stripe", "$290")
	v.send(payForm, card("4242 4242 4242 4242")...)
	if v.address.Path != "/organization" || v.address.Query().Get("tab") != "billing" {
		t.Fatalf("after paying one is at %s", v.address)
	}
	v.settles("the plan", "Pro, yearly", "Active", "Renews on", "Visa 4242", "1 person billed")
	s := v.waitFor("the seats to agree", func(s summaryAnswer) bool { return s.Sync.Status == "ok" && s.Seats.LastAppliedSeats != nil })
	if s.Subscription.Status != "active" || *s.Seats.LastAppliedSeats != 1 || s.Sync.LastSyncAt == nil {
		t.Errorf("summary: %+v", s)
	}
	year := time.Until(time.Unix(s.Subscription.CurrentPeriodEnd, 0))
	if year < 364*24*time.Hour || year > 367*24*time.Hour {
		t.Errorf("a yearly plan ends its period in %v", year)
	}
	v.visit("/pricing?interval=year").reads("Your plan")
}

func journeyWebhookAloneMakesItActive(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("webhook@example.com")
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the browser never comes back
	v.send(payForm, card("4242424242424242")...)
	if v.status != http.StatusSeeOther {
		t.Fatalf("paying answered %d", v.status)
	}
	v.waitFor("the webhook", func(s summaryAnswer) bool { return s.Subscription != nil && s.Subscription.Status == "active" })
}

func journeyDeclinedCardStaysOnTheHostedPage(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("declined@example.com")
	v.send(payForm, card("4000 0000 0000 0002")...).reads("declined")
	if !strings.HasPrefix(v.address.Path, "/c/pay/") {
		t.Fatalf("a declined card leads to %s", v.address)
	}
	hosted := v.address.String()
	s := v.waitFor("the incomplete subscription", func(s summaryAnswer) bool { return s.Subscription != nil })
	if s.Subscription.Status != "incomplete" || s.Sync.Status != "ok" || s.Seats.LastAppliedSeats != nil {
		t.Errorf("summary: %+v", s)
	}
	v.visit("/dashboard")
	if text := v.text("main"); strings.Contains(text, "Active") {
		t.Errorf("a declined card gives a plan: %s", text)
	}
	v.visit("/organization?tab=billing").reads("not finished")
	eventually(t, "the open invoice", func() bool {
		return v.visit("/organization?tab=billing").page.Find("#billing-invoice-poll").Length() == 0
	})
	v.visit(hosted).send(payForm, card("4242424242424242")...).settles("the plan", "Active")
}

func journeyAuthenticationIsAskedFor(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("secure@example.com")
	v.send(payForm, card("4000 0025 0000 3155")...)
	if v.page.Find("button[name=fail], button[value=fail]").Length() == 0 {
		t.Fatalf("no authentication page but %s: %s", v.address, v.text("body"))
	}
	v.press("complete").settles("the plan", "Pro, yearly", "Active")
}

// press sends the form that a button of this name or value stands in, with the button.
func (v *visitor) press(button string) *visitor {
	v.t.Helper()
	found := v.page.Find(`button[name="` + button + `"], button[value="` + button + `"]`).First()
	form := found.Closest("form")
	values := url.Values{found.AttrOr("name", button): {found.AttrOr("value", "")}}
	form.Find(`input[type="hidden"]`).Each(func(_ int, field *goquery.Selection) {
		values.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	action, err := v.address.Parse(form.AttrOr("action", ""))
	if err != nil || form.Length() == 0 {
		v.t.Fatalf("no button %q on %s: %v", button, v.address, err)
	}
	answer, err := v.client.PostForm(action.String(), values)
	v.take(answer, err)
	return v
}

func journeyCanceledCheckoutSaysSo(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("left@example.com")
	back, ok := v.page.Find(`a[href*="canceled=true"]`).Attr("href")
	if !ok {
		t.Fatal("the hosted page has no way back")
	}
	v.visit(back).reads("left", "No plan")
	if v.address.Query().Get("tab") != "billing" {
		t.Errorf("back at %s", v.address)
	}
}

func journeyPortalCancelsAndResumes(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("portal@example.com")
	v.send(payForm, card("4242424242424242")...).settles("the plan", "Active")
	portal := `form[action="/billing/portal"]:has(button:contains("Cards, invoices and address"))`
	v.send(portal).reads("Local Stripe")
	cancel, ok := v.page.Find(`a:contains("Cancel plan")`).Attr("href")
	if !ok {
		t.Fatal("the portal has no way to cancel")
	}
	there, err := v.address.Parse(cancel)
	if err != nil {
		t.Fatal(err)
	}
	v.visit(there.String()).press("cancel")
	v.waitFor("the cancellation", func(s summaryAnswer) bool { return s.Subscription.CancelAtPeriodEnd })
	v.visit("/organization?tab=billing").reads("Ends on")
	v.send(portal).press("resume")
	v.waitFor("the resumption", func(s summaryAnswer) bool { return !s.Subscription.CancelAtPeriodEnd })
	v.visit("/organization?tab=billing").reads("Renews on")
}

func journeyMemberSeesThePlanAndNoButtons(t *testing.T, u *instance) {
	admin := u.visitor(t).logIn("admin@usher.example")
	admin.visit("/pricing").send(`form[action="/billing/checkout"]:has(input[value="pro"])`)
	admin.send(payForm, card("4242424242424242")...).settles("the plan", "Active", "8 people billed")

	member := u.visitor(t).logIn("member@usher.example").visit("/organization?tab=billing").reads("Pro", "Active")
	if n := member.page.Find("main form, main button").Length(); n != 0 {
		t.Errorf("a member finds %d forms or buttons", n)
	}
	for _, path := range []string{"/billing/checkout", "/billing/portal", "/organization/seats/retry"} {
		answer, err := member.client.PostForm(u.url+path, map[string][]string{"plan": {"pro"}, "interval": {"month"}})
		member.take(answer, err)
		if member.status != http.StatusForbidden {
			t.Errorf("%s answers a member with %d", path, member.status)
		}
		member.reads("Only organization admins can manage billing")
	}
	for _, path := range []string{"createSubscriptionCheckout", "createCustomerPortal", "retrySeatSync"} {
		answer, err := member.client.Post(u.url+"/billing/"+path, "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden || !strings.Contains(string(body), `"Only organization admins can manage billing"`) {
			t.Errorf("%s answers a member with %d %s", path, answer.StatusCode, body)
		}
	}
	billing := u.visitor(t).logIn("billing@usher.example").visit("/organization?tab=billing")
	if billing.page.Find(`main form[action="/billing/portal"]`).Length() == 0 {
		t.Error("a billing admin finds no way to the portal")
	}
}

// TestTheClockBringsTheRenewal puts the local Stripe's clock ahead: the plan renews, Stripe tells, the month's credits come again.
func TestTheClockBringsTheRenewal(t *testing.T) {
	data := newDataDir(t)
	u := startUsher(t, "DATA_DIR="+data)
	v := u.visitor(t)
	v.visit("/pricing").send(`form[action="/billing/checkout"]:has(input[value="pro"])`)
	v.send(`form[action="/signup"]`, "name=Nora", "email=clock@example.com", "password=front of house", "organization=Balcony Books")
	v.send(payForm, card("4242424242424242")...).settles("the plan", "Active")
	first := v.summary().Subscription.CurrentPeriodEnd
	v.visit("/dev/clock").reads("The local Stripe's clock")
	for _, span := range []string{"1 month", "2 hours"} { // the renewal's invoice is collected an hour after it is drafted
		code, stdout, stderr := runOnce(t, []string{"clock", "advance", span}, "DATA_DIR="+data)
		if code != exitOK || !strings.Contains(stdout, "clock is at") {
			t.Fatalf("clock advance %s: %d %s%s", span, code, stdout, stderr)
		}
	}
	s := v.waitFor("the renewal", func(s summaryAnswer) bool { return s.Subscription.CurrentPeriodEnd > first })
	if month := time.Unix(s.Subscription.CurrentPeriodEnd, 0).Sub(time.Unix(first, 0)); month < 28*24*time.Hour || month > 31*24*time.Hour {
		t.Errorf("the period moved by %v", month)
	}
	if s.Subscription.Status != "active" {
		t.Errorf("status %s", s.Subscription.Status)
	}
	v.until("the renewal's invoice", "/billing/invoices", "Renewal", "Paid")
	v.until("the new month's credits", "/billing/credits", "Pro was paid", "The rest of the month before")
	if code, _, stderr := runOnce(t, []string{"clock", "advance", "a while"}, "DATA_DIR="+data); code != exitFailed || stderr == "" {
		t.Errorf("clock advance a while: %d %s", code, stderr)
	}
}

// until visits a page again until it says all of it.
func (v *visitor) until(what, path string, sentences ...string) *visitor {
	v.t.Helper()
	return v.visit(path).settles(what, sentences...)
}

// settles loads the current page again until it says all of it. A return from Checkout gives Stripe
// three seconds to confirm, which a busy machine may exceed; the first page is then not complete.
func (v *visitor) settles(what string, sentences ...string) *visitor {
	v.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		text := v.text("body")
		missing := slices.DeleteFunc(slices.Clone(sentences), func(s string) bool { return strings.Contains(text, s) })
		if len(missing) == 0 {
			return v
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("waited for %s: %s (%d) does not say %q but %s", what, v.address, v.status, missing, text)
		}
		time.Sleep(50 * time.Millisecond) // between two looks at the condition
		v.visit(v.address.String())
	}
}

func journeyInvitationIsAcceptedAndTheSeatsSettle(t *testing.T, u *instance) {
	v := u.visitor(t)
	v.signUpForPro("host@example.com")
	v.send(payForm, card("4242424242424242")...).settles("the plan", "1 person billed")
	v.visit("/organization?tab=members").send(`form[action="/organization/invitations"]`, "email=guest@example.com").reads("guest@example.com", "Invited")

	guest := u.visitor(t).visit("/dev/mail")
	link, ok := guest.page.Find(`article:contains("guest@example.com") a[href*="/invite/"], li:contains("guest@example.com") a[href*="/invite/"]`).First().Attr("href")
	if !ok {
		t.Fatalf("no invitation among the e-mails: %s", guest.text("main"))
	}
	guest.visit(link).send(`main form[action^="/invite/"]`, "name=Gil Guest", "password=front of house").reads("Balcony Books")
	s := v.waitFor("the guest's seat", func(s summaryAnswer) bool {
		return s.Seats.LastAppliedSeats != nil && *s.Seats.LastAppliedSeats == 2 && s.Sync.Status == "ok"
	})
	if s.Seats.BillableMembers != 2 || s.Seats.DesiredSeats != 2 {
		t.Errorf("seats: %+v", s.Seats)
	}
	v.visit("/organization?tab=billing").reads("2 people billed, 2 seats at Stripe")
	v.visit("/organization?tab=activity").reads("Gil Guest")
}
