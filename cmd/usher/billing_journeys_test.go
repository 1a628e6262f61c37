package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// billingJourney is an organization in a browser, with or without JavaScript. What getSummary, the
// entitlements and Stripe say is compared after each step.
type billingJourney struct {
	*lifecycle
	scripts bool
	founder string // e-mail address of the first member
}

var allJourneys = flag.Bool("all-journeys", false, "play the billing journeys without JavaScript too")

// TestBillingJourneys shows what a billing admin decides, each journey once with JavaScript and,
// with -all-journeys, once without. A journey advances the clock of its own server. The tests of
// package handlers send the same forms without JavaScript.
func TestBillingJourneys(t *testing.T) {
	journeys := map[string]struct {
		run       func(*billingJourney)
		plansFile string
	}{
		"next-invoice":    {run: nextInvoiceJourney},
		"plan-change":     {run: planChangeJourney},
		"seats":           {run: seatsJourney},
		"payment-trouble": {run: paymentTroubleJourney},
		"plan-card":       {run: planCardJourney},
		"forecast":        {run: forecastJourney},
		"invoices":        {run: invoicesJourney},
		"checkout":        {run: checkoutJourney, plansFile: "testdata/checkout-plans.toml"},
	}
	for name, journey := range journeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dataDir := newDataDir(t)
			server := startServer(t, "DATA_DIR="+dataDir, "PLANS_FILE="+journey.plansFile)
			modes := []string{"with-javascript", "without-javascript"}
			if !*allJourneys {
				modes = modes[:1]
			}
			for _, mode := range modes {
				t.Run(mode, func(t *testing.T) {
					b := newBrowser(t, "billing-"+name+"-"+mode)
					j := &billingJourney{
						lifecycle: &lifecycle{browser: b, server: server, dataDir: dataDir},
						scripts:   mode == "with-javascript", founder: mode + "@example.com",
					}
					j.do("JavaScript", scriptExecution(j.scripts))
					journey.run(j)
				})
			}
		})
	}
}

func scriptExecution(enabled bool) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		params := emulation.SetScriptExecutionDisabledParams{Value: !enabled}
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, params)
		return err
	})
}

// see waits for a page state and takes screenshots: in light colors, and with SCREENSHOTS=all in
// dark ones and at a width of 320 pixels too.
func (j *billingJourney) see(name, visible, text string) {
	j.t.Helper()
	j.expect(pageState{name, visible, text})
	if os.Getenv(screenshotsEnv) != "all" {
		return
	}
	j.do("dark colors", colorScheme("dark"))
	j.screenshot(name + "-dark")
	j.do("narrow", chromedp.EmulateViewport(320, 800))
	j.screenshot(name + "-dark-320")
	j.do("light colors", colorScheme("light"))
	j.screenshot(name + "-320")
	j.do("wide", chromedp.EmulateViewport(1280, 900))
}

// goTo opens a path of the server.
func (j *billingJourney) goTo(path, visible string) {
	j.t.Helper()
	j.do("open "+path, chromedp.Navigate(j.server.url+path), waitVisible(visible))
}

// press clicks a button or link that leads to another page.
func (j *billingJourney) press(selector string) {
	j.t.Helper()
	j.do("find "+selector, waitVisible(selector))
	j.markPage()
	j.do("press "+selector, click(selector))
	j.expectNoMark(selector)
}

// pressInPlace clicks a button whose response is shown in place, or on a page of its own without
// JavaScript.
func (j *billingJourney) pressInPlace(selector string) {
	j.t.Helper()
	if !j.scripts {
		j.press(selector)
		return
	}
	j.do("find "+selector, waitVisible(selector))
	j.markPage()
	j.do("press "+selector, click(selector))
}

func (j *billingJourney) expectNoMark(what string) {
	j.t.Helper()
	eventually(j.t, "the page after "+what, func() bool {
		left, err := chromedp.Run(j.tab, chromedp.Evaluate[bool](`document.body !== null && document.body.dataset.marked !== "yes"`))
		return left && err == nil
	})
}

// seeSoon opens a page until it has the text: what a webhook changes may be a moment late.
func (j *billingJourney) seeSoon(name, path, visible, text string) {
	j.t.Helper()
	j.client().openUntil(name, path, text)
	j.goTo(path, visible)
	j.see(name, visible, text)
}

// has reports whether the page has an element now.
func (j *billingJourney) has(selector string) bool {
	j.t.Helper()
	found, err := chromedp.Run(j.tab, chromedp.Evaluate[bool](fmt.Sprintf("!!document.querySelector(%q)", selector)))
	if err != nil {
		j.fail(selector, err)
	}
	return found
}

// expectTexts requires that an element contains all of the texts.
func (j *billingJourney) expectTexts(selector string, texts ...string) {
	j.t.Helper()
	shown := j.text(selector)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			j.t.Errorf("%s does not contain %q: %s", selector, text, shown)
		}
	}
}

// subscribe signs up and buys a plan with a card.
func (j *billingJourney) subscribe(plan, interval, card string) {
	j.t.Helper()
	j.goTo("/pricing?interval="+interval, "h1")
	j.press(`form[action="/billing/checkout"]:has(input[value="` + plan + `"]) button`)
	j.do("sign up", fillSignUp(j.founder)...)
	j.do("pay", enterCard(card, checkoutButton)...)
	j.do("return", waitVisible("#billing-panel"))
	j.agree("the purchase", agreement{plan: plan, interval: interval, status: "active", seats: 1})
	j.openBilling()
	j.see("subscribed", "#seat-panel", "Renews on")
}

// join lets people accept invitations, one after the other. The first name is the local part of
// the address.
func (j *billingJourney) join(names ...string) {
	j.t.Helper()
	admin := j.client()
	for _, name := range names {
		first, _, _ := strings.Cut(strings.ToLower(name), " ")
		email := first + "." + j.founder
		form := url.Values{"email": {email}}
		response, err := admin.http.PostForm(j.server.url+"/organization/people", form)
		admin.load(response, err)
		admin.expectText("on their way")
		guest := j.server.client(j.t).open("/dev/mail")
		link := guest.page.Find(`article:contains("`+email+`"), li:contains("`+email+`")`).
			Find(`a[href*="/invite/"]`).First().AttrOr("href", "")
		guest.open(link).submit(`main form[action^="/invite/"]`, "name="+name, "password=front of house")
		guest.expectText("Welcome.")
	}
}

// confirmSeats confirms a change of seats whose amounts are shown.
func (j *billingJourney) confirmSeats() {
	j.t.Helper()
	j.pressInPlace(confirmSeatsForm + " button")
}

// updateCard replaces the card in Stripe's portal, from a button of the billing tab.
func (j *billingJourney) updateCard(number string) {
	j.t.Helper()
	j.openBilling()
	j.press(`form[action="/billing/portal"]:has(input[value="payment_method_update"]) button`)
	j.do("enter the card", enterCard(number, `button[value="save"]`)...)
	j.do("return", waitVisible("#billing-panel"))
}

// agreement is what everybody says about a subscription.
type agreement struct {
	plan, interval, status string
	seats                  int
	ends                   bool // at the end of the period
	noAccess               bool
}

// agree waits until getSummary, the entitlements and Stripe say the same, and it is what is wanted.
func (j *billingJourney) agree(what string, want agreement) stripeSubscription {
	j.t.Helper()
	c := j.client()
	var differences []string
	for deadline := time.Now().Add(waitTimeout); ; {
		subscription := stripeSubscription{}
		differences = j.differences(c, want, &subscription)
		if len(differences) == 0 {
			return subscription
		}
		if time.Now().After(deadline) {
			j.t.Fatalf("%s: %s", what, strings.Join(differences, "; "))
		}
		time.Sleep(50 * time.Millisecond) // polling interval
	}
}

// stripeSubscription is a subscription as Stripe's API returns it.
type stripeSubscription struct {
	ID                string
	Customer          string
	Status            string
	CancelAtPeriodEnd bool   `json:"cancel_at_period_end"`
	CurrentPeriodEnd  int64  `json:"current_period_end"`
	LatestInvoice     string `json:"latest_invoice"`
	Items             struct {
		Data []struct {
			Quantity int
			Price    struct {
				ID        string
				LookupKey string `json:"lookup_key"`
			}
		}
	}
}

// differences compares what getSummary, the entitlements and Stripe say with what is wanted.
func (j *billingJourney) differences(c *client, want agreement, at *stripeSubscription) []string {
	j.t.Helper()
	s, e := c.summary(), c.entitlements()
	if s.Subscription == nil {
		return []string{"getSummary has no subscription"}
	}
	j.getFromStripe("/v1/subscriptions/"+s.Subscription.StripeSubscriptionID, at)
	item := at.Items.Data[0]
	applied := -1
	if s.Seats.LastAppliedSeats != nil {
		applied = *s.Seats.LastAppliedSeats
	}
	var different []string
	compare := func(name string, got, want any) {
		if got != want {
			different = append(different, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	compare("Stripe's status", at.Status, want.status)
	compare("Stripe's price", item.Price.LookupKey, "usher_"+want.plan+"_"+want.interval)
	compare("Stripe's quantity", item.Quantity, want.seats)
	compare("Stripe's cancel_at_period_end", at.CancelAtPeriodEnd, want.ends)
	compare("getSummary's status", s.Subscription.Status, at.Status)
	compare("getSummary's price", s.Subscription.StripePriceID, item.Price.ID)
	compare("getSummary's period end", s.Subscription.CurrentPeriodEnd, at.CurrentPeriodEnd)
	compare("getSummary's cancellation", s.Subscription.CancelAtPeriodEnd, at.CancelAtPeriodEnd)
	compare("getSummary's billable members", s.Seats.BillableMembers, want.seats)
	compare("getSummary's desired seats", s.Seats.DesiredSeats, want.seats)
	compare("getSummary's applied seats", applied, item.Quantity)
	compare("getSummary's sync", s.Sync.Status, "ok")
	compare("the entitled plan", e.Plan, want.plan)
	compare("the entitlements' status", e.Status, at.Status)
	compare("the entitlements' access", e.Access, !want.noAccess)
	compare("the entitlements' paid seats", e.Seats.Paid, item.Quantity)
	compare("the entitlements' billed seats", e.Seats.Billed, want.seats)
	return different
}

// grantedEntitlements is the response of /api/v1/entitlements.
type grantedEntitlements struct {
	Plan, Status string
	Access       bool
	Seats        struct{ Billed, Paid int }
	Credits      struct{ Balance int }
}

func (c *client) entitlements() grantedEntitlements {
	c.t.Helper()
	response, err := c.http.Get(c.base + "/api/v1/entitlements")
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var e grantedEntitlements
	if err := json.NewDecoder(response.Body).Decode(&e); err != nil {
		c.t.Fatal(err)
	}
	return e
}

// stripeInvoice is an invoice as Stripe's API returns it. Amounts are minor units.
type stripeInvoice struct {
	ID, Number, Status string
	Total              int
	AmountDue          int `json:"amount_due"`
	AmountPaid         int `json:"amount_paid"`
	AttemptCount       int `json:"attempt_count"`
}

// invoices returns the subscription's invoices at Stripe, newest first.
func (j *billingJourney) invoices(of stripeSubscription) []stripeInvoice {
	j.t.Helper()
	var list struct{ Data []stripeInvoice }
	j.getFromStripe("/v1/invoices?limit=100&subscription="+of.ID, &list)
	return list.Data
}

// upcoming returns the amount of Stripe's upcoming invoice.
func (j *billingJourney) upcoming(of stripeSubscription) string {
	j.t.Helper()
	var invoice stripeInvoice
	j.getFromStripe("/v1/invoices/upcoming?subscription="+of.ID+"&customer="+of.Customer, &invoice)
	return dollars(invoice.AmountDue)
}

// dollars formats minor units of USD.
func dollars(minor int) string {
	whole := fmt.Sprint(minor / 100)
	if len(whole) > 3 {
		whole = whole[:len(whole)-3] + "," + whole[len(whole)-3:]
	}
	return fmt.Sprintf("$%s.%02d", whole, minor%100)
}

// postToStripe calls Stripe's API as support staff would, and returns the id of the response.
func (j *billingJourney) postToStripe(path string, form url.Values) string {
	j.t.Helper()
	body := strings.NewReader(form.Encode())
	request, _ := http.NewRequestWithContext(j.t.Context(), http.MethodPost, j.server.stripeURL(j.t)+path, body)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_lifecycle", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		j.t.Fatal(err)
	}
	defer response.Body.Close()
	var made struct{ ID string }
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || response.StatusCode != http.StatusOK {
		j.t.Fatalf("POST %s: %s, %v", path, response.Status, err)
	}
	return made.ID
}

// dueToday returns the amount that a preview says is due.
func (j *billingJourney) dueToday() string {
	j.t.Helper()
	return j.text(`main .ticket p.text-figure`)
}

// expectInvoiced requires that Stripe's newest invoice has a confirmed amount.
func (j *billingJourney) expectInvoiced(what, confirmed string, of stripeSubscription) {
	j.t.Helper()
	newest := j.invoices(of)[0]
	if dollars(newest.AmountPaid) != confirmed || newest.Status != "paid" {
		j.t.Errorf("%s: confirmed %s, Stripe's invoice is %+v", what, confirmed, newest)
	}
}
