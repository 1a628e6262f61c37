package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// lifecycle is one organization in a browser, whose state is compared with getSummary and Stripe.
type lifecycle struct {
	*browser
	server  *testServer
	dataDir string
}

// TestLifecycle takes one organization through its whole lifecycle: no plan, a card that requires
// authentication, an upgrade, a downgrade, a pack, a cancellation taken back, a failed payment,
// its recovery, and the end.
func TestLifecycle(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	l := &lifecycle{browser: newBrowser(t, "lifecycle"), server: server, dataDir: dataDir}

	l.do("open sign-up", chromedp.Navigate(server.url+"/signup"))
	l.do("sign up", append(fillSignUp("life@example.com"), waitVisible(`form[action="/logout"]`))...)
	l.openBilling()
	l.expect(pageState{"free", "#billing-panel", "No plan yet"})

	l.do("choose Starter", chromedp.Navigate(server.url+"/pricing?interval=month"),
		click(`form[action="/billing/checkout"]:has(input[value="starter"]) button`))
	l.do("pay", enterCard("4000 0025 0000 3155", checkoutButton)...)
	l.expect(pageState{"authentication", `button[name="complete"]`, "3-D Secure"})
	l.do("authenticate", click(`button[name="complete"]`))
	l.expect(pageState{"active", "#seat-panel", "Starter, monthly"})
	l.expectSubscription("the start", "active", false)

	l.changePlan("pro")
	l.expect(pageState{"upgraded", "#seat-panel", "Your plan is changed."})
	l.expectSubscription("the upgrade", "active", false)
	l.changePlan("starter")
	l.expect(pageState{"downgrade-set", `form[action="/billing/plan/keep"]`, "Changes to Starter, monthly on"})
	l.do("keep the plan", click(`form[action="/billing/plan/keep"] button`))
	l.expect(pageState{"kept", "#change-plan", "You keep your plan."})
	l.expectSubscription("the kept plan", "active", false)

	l.do("buy a pack", chromedp.Navigate(server.url+"/pricing#packs"),
		click(`form[action="/billing/checkout"]:has(input[name="pack"]) button`))
	l.do("pay", enterCard("4242 4242 4242 4242", checkoutButton)...)
	l.expect(pageState{"pack-bought", "#billing-panel", "credits are yours"})
	l.expectSubscription("the pack", "active", false)

	l.openBilling()
	l.cancel()
	l.expect(pageState{"canceled-at-period-end", `a[href="/billing/resume"]`, "Ends on"})
	l.expectSubscription("the cancellation", "active", true)
	l.do("look at the first invoice", click(`a[href="/billing/resume"]`), waitVisible(`form[action="/billing/resume"] button`))
	l.expect(pageState{"resume", `form[action="/billing/resume"]`, "First invoice on"})
	l.do("resume", click(`form[action="/billing/resume"] button`))
	l.expect(pageState{"resumed", `a[href="/billing/cancel"]`, "Renews on"})
	l.expectSubscription("the resumption", "active", false)

	l.failRenewal()
	l.payOpenInvoice()

	l.cancel()
	l.expect(pageState{"canceled-again", `a[href="/billing/resume"]`, "Ends on"})
	l.advanceClock("1 month", "2 hours")
	l.client().waitForSummary("the end", func(s billingSummary) bool {
		return s.Subscription.Status == "canceled"
	})
	l.openBilling()
	l.expect(pageState{"ended", "#billing-panel", "has ended"})
}

// changePlan previews and confirms a change to a plan's monthly price.
func (l *lifecycle) changePlan(plan string) {
	l.t.Helper()
	preview := `form[action="/billing/preview"]:has(input[value="` + plan + `"]):has(input[value="month"]) button`
	l.openBilling()
	l.do("preview "+plan, click("#change-plan summary"), click(preview), waitVisible(`form[action="/billing/plan"]`))
	l.expect(pageState{"preview-" + plan, `form[action="/billing/plan"]`, "Due today"})
	l.do("confirm "+plan, click(`form[action="/billing/plan"] button`), waitVisible("#billing-panel"))
}

func (l *lifecycle) cancel() {
	l.t.Helper()
	l.do("look at the end", click(`a[href="/billing/cancel"]`), waitVisible(`form[action="/billing/cancel"] button`))
	l.expect(pageState{"cancel", `form[action="/billing/cancel"]`, "You can change your mind"})
	l.do("cancel", click(`form[action="/billing/cancel"] button`), waitVisible("#billing-panel"))
}

// failRenewal changes the card to one that fails and renews the subscription.
func (l *lifecycle) failRenewal() {
	l.t.Helper()
	l.openBilling()
	l.do("open the portal",
		click(`form[action="/billing/portal"]:not(:has(input[name="flow"])) button`),
		click(`a[href*="payment"]`))
	l.do("enter a card that fails", enterCard("4000 0000 0000 0341", `button[value="save"]`)...)
	l.expect(pageState{"another-card", "main, body", "0341"})
	l.dropInvoices()
	l.advanceClock("1 month", "2 hours")
	l.expectSubscription("the failed renewal", "past_due", false)
	l.openBilling()
	l.expect(pageState{"past-due-without-invoice", "#billing-panel", "The last payment could not be collected."})
	l.expectRefresh("could not be collected on")
	l.client().openUntil("the renewal's invoice", "/billing/invoices", "Renewal", "Payment failed")
}

// dropInvoices drops the events of invoices and fails the API calls by which a reconciliation would
// fetch them: advancing the clock makes a reconciliation due.
func (l *lifecycle) dropInvoices() {
	l.t.Helper()
	l.server.addFault(l.t, `{"kind":"drop","event":"invoice.*","calls":-1}`)
	for _, path := range []string{"/v1/events/**", "/v1/invoices/**"} {
		l.server.addFault(l.t, `{"kind":"server_error","method":"GET","path":"`+path+`","calls":-1}`)
	}
}

// expectRefresh checks that a billing tab without the open invoice polls for it, keeps the focus
// and the link meanwhile, and shows the text after a reconciliation has fetched the
// invoice.
func (l *lifecycle) expectRefresh(text string) {
	l.t.Helper()
	const cancel = `a[href="/billing/cancel"]`
	l.do("wait for the link", waitVisible(cancel))
	l.evaluate("focus", `document.querySelector('`+cancel+`').focus()`)
	l.markPage()
	l.do("a poll without a change",
		chromedp.WaitReady(chromedp.CSS(`#billing-invoice-poll[hx-get*="poll=3"]`)),
		waitVisible(cancel+":focus"))
	l.server.clearFaults(l.t)
	code, stdout, stderr := runCommand(l.t, []string{"reconcile"}, "DATA_DIR="+l.dataDir)
	if code != exitOK {
		l.t.Fatalf("reconcile: exit code %d: %s%s", code, stdout, stderr)
	}
	l.expect(pageState{"past-due-refreshed", markedPage + " #billing-panel:focus-within", text})
}

func (l *lifecycle) payOpenInvoice() {
	l.t.Helper()
	l.openBilling()
	l.expect(pageState{"past-due", "#billing-panel", "could not be collected on"})
	const newCard = `input[name="card"][value="new"]`
	l.do("open the invoice", chromedp.Navigate(l.server.url+"/billing/invoices"), click(`a[aria-label^="Open invoice"]`))
	l.expect(pageState{"invoice-failed", `a[href$="/pdf"]`, "The payment failed"})
	l.do("pay it at Stripe", click(`a[href^="/billing/invoices/"][href$="/stripe"]`), waitVisible(newCard), click(newCard))
	l.do("pay", enterCard("4242 4242 4242 4242",
		`form[action*="/i/"] button[type="submit"], form[method="post"] button[type="submit"]`)...)
	l.expectSubscription("the payment", "active", false)
	l.openBilling()
	l.expect(pageState{"active-again", "#billing-panel", "Renews on"})
}

func (l *lifecycle) openBilling() {
	l.t.Helper()
	l.do("open the billing tab", chromedp.Navigate(l.server.url+billingTab), waitVisible("#billing-panel"))
}

func (l *lifecycle) advanceClock(spans ...string) {
	l.t.Helper()
	for _, span := range spans {
		code, _, stderr := runCommand(l.t, []string{"clock", "advance", span}, "DATA_DIR="+l.dataDir)
		if code != exitOK {
			l.t.Fatalf("clock advance %s: exit code %d: %s", span, code, stderr)
		}
	}
}

// expectSubscription waits until getSummary has the state, and requires the same of Stripe.
func (l *lifecycle) expectSubscription(what, status string, cancelAtPeriodEnd bool) {
	l.t.Helper()
	s := l.client().waitForSummary(what, func(s billingSummary) bool {
		return s.Subscription != nil && s.Subscription.Status == status &&
			s.Subscription.CancelAtPeriodEnd == cancelAtPeriodEnd && s.Sync.Status == "ok"
	})
	var atStripe struct {
		Status            string
		CancelAtPeriodEnd bool  `json:"cancel_at_period_end"`
		CurrentPeriodEnd  int64 `json:"current_period_end"`
		Items             struct {
			Data []struct {
				Quantity int
				Price    struct{ ID string }
			}
		}
	}
	l.getFromStripe("/v1/subscriptions/"+s.Subscription.StripeSubscriptionID, &atStripe)
	item := atStripe.Items.Data[0]
	if atStripe.Status != status || atStripe.CancelAtPeriodEnd != cancelAtPeriodEnd ||
		atStripe.CurrentPeriodEnd != s.Subscription.CurrentPeriodEnd ||
		item.Price.ID != s.Subscription.StripePriceID ||
		status != "canceled" && item.Quantity != s.Seats.DesiredSeats {
		l.t.Errorf("%s: getSummary has %+v, Stripe %+v", what, *s.Subscription, atStripe)
	}
}

// client returns a client with the browser's session.
func (l *lifecycle) client() *client {
	l.t.Helper()
	type cookies = []*network.Cookie
	found, err := chromedp.Run(l.tab, chromedp.Action[cookies](
		func(ctx context.Context, _ *chromedp.Target) (cookies, error) {
			params := network.GetCookiesParams{URLs: []string{l.server.url}}
			result, err := chromedp.Call(ctx, network.GetCookies, params)
			return result.Cookies, err
		}))
	if err != nil {
		l.t.Fatal(err)
	}
	c := l.server.client(l.t)
	base, _ := url.Parse(l.server.url)
	for _, cookie := range found {
		c.http.Jar.SetCookies(base, []*http.Cookie{{Name: cookie.Name, Value: cookie.Value, Path: "/"}})
	}
	return c
}

func (l *lifecycle) getFromStripe(path string, into any) {
	l.t.Helper()
	url := l.server.stripeURL(l.t) + path
	request, _ := http.NewRequestWithContext(l.t.Context(), http.MethodGet, url, nil)
	request.SetBasicAuth("sk_test_lifecycle", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		l.t.Fatal(err)
	}
}
