package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// life is one organization's way through its plan, in a browser, held against getSummary and Stripe at every step.
type life struct {
	*stage
	u    *instance
	data string // DATA_DIR
}

func press(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func write(name, value string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(`input[name="`+name+`"]`), value)
}

// evaluate runs a script for what it does.
func (l *life) evaluate(what, script string) {
	l.t.Helper()
	if _, err := chromedp.Run(l.tab, chromedp.Evaluate[bool]("("+script+", true)")); err != nil {
		l.fail(what, err)
	}
}

// choose clicks the label that says all of it.
func (l *life) choose(words ...string) {
	l.t.Helper()
	said, _ := json.Marshal(words)
	l.evaluate("choose", fmt.Sprintf(`[...document.querySelectorAll("label")].find(l => %s.every(w => l.textContent.includes(w))).click()`, said))
}

func (l *life) billing() {
	l.t.Helper()
	l.do("the billing page", chromedp.Navigate(l.u.url+"/organization?tab=billing"), chromedp.WaitVisible(chromedp.CSS("#billing-panel")))
}

func (l *life) payWith(number string) {
	l.t.Helper()
	l.do("pay", chromedp.WaitVisible(chromedp.CSS(`input[name="cardNumber"]`)), write("cardNumber", number), write("cardExpiry", "12/34"), write("cardCvc", "123"),
		write("billingName", "Nora Njoroge"), press(`form[action^="/c/pay/"] button[type="submit"]`))
}

func (l *life) clock(spans ...string) {
	l.t.Helper()
	for _, span := range spans {
		if code, _, stderr := runOnce(l.t, []string{"clock", "advance", span}, "DATA_DIR="+l.data); code != exitOK {
			l.t.Fatalf("clock advance %s: %s", span, stderr)
		}
	}
}

// visitorOf is the browser's person without a browser.
func (l *life) visitorOf() *visitor {
	l.t.Helper()
	v := l.u.visitor(l.t)
	cookies, err := chromedp.Run(l.tab, chromedp.Action[[]*network.Cookie](func(ctx context.Context, _ *chromedp.Target) ([]*network.Cookie, error) {
		found, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{l.u.url}})
		return found.Cookies, err
	}))
	if err != nil {
		l.t.Fatal(err)
	}
	base, _ := url.Parse(l.u.url)
	for _, c := range cookies {
		v.client.Jar.SetCookies(base, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
	}
	return v
}

// agree waits until getSummary says what is wanted, and Stripe the same.
func (l *life) agree(what, status string, ending bool) {
	l.t.Helper()
	v := l.visitorOf()
	s := v.waitFor(what, func(s summaryAnswer) bool {
		return s.Subscription != nil && s.Subscription.Status == status && s.Subscription.CancelAtPeriodEnd == ending && s.Sync.Status == "ok"
	})
	var stripes struct {
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
	l.askStripe("/v1/subscriptions/"+s.Subscription.StripeSubscriptionID, &stripes)
	if stripes.Status != status || stripes.CancelAtPeriodEnd != ending || stripes.CurrentPeriodEnd != s.Subscription.CurrentPeriodEnd ||
		stripes.Items.Data[0].Price.ID != s.Subscription.StripePriceID || status != "canceled" && stripes.Items.Data[0].Quantity != s.Seats.DesiredSeats {
		l.t.Errorf("%s: getSummary says %+v, Stripe %+v", what, *s.Subscription, stripes)
	}
}

func (l *life) askStripe(path string, into any) {
	l.t.Helper()
	request, _ := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.u.stripe(l.t)+path, nil)
	request.SetBasicAuth("sk_test_lifecycle", "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		l.t.Fatal(err)
	}
}

// TestLifecycle goes the whole way of a plan in one browser: free, bought with a card that wants authentication, up, down, canceled, taken up
// again, a payment that fails and one that settles it, canceled for good; and a pack on the way.
func TestLifecycle(t *testing.T) {
	data := newDataDir(t)
	u := startUsher(t, "DATA_DIR="+data)
	l := &life{stage: newStage(t, openBrowser(t), "lifecycle"), u: u, data: data}

	l.do("sign up", chromedp.Navigate(u.url+"/signup"), write("name", "Nora Njoroge"), write("email", "life@example.com"), write("password", "front of house"),
		write("organization", "Balcony Books"), press(`form[action="/signup"] button`), chromedp.WaitVisible(chromedp.CSS(`form[action="/logout"]`)))
	l.billing()
	l.shows(scene{"free", "#billing-panel", "No plan yet"})

	l.do("choose Starter", chromedp.Navigate(u.url+"/pricing?interval=month"), press(`form[action="/billing/checkout"]:has(input[value="starter"]) button`))
	l.payWith("4000 0025 0000 3155")
	l.shows(scene{"authentication", `button[name="complete"]`, "3-D Secure"})
	l.do("authenticate", press(`button[name="complete"]`))
	l.shows(scene{"active", "#seat-panel", "Starter, monthly"})
	l.agree("the plan runs", "active", false)

	l.switchTo("Pro", "upgraded", "Pro, monthly")
	l.switchTo("Starter", "downgraded", "Starter, monthly")

	l.do("buy credits", chromedp.Navigate(u.url+"/pricing#packs"), press(`form[action="/billing/checkout"]:has(input[name="pack"]) button`))
	l.payWith("4242 4242 4242 4242")
	l.shows(scene{"pack-bought", "#billing-panel", "credits are yours"})
	l.agree("the plan is as it was", "active", false)

	l.billing()
	l.do("cancel", press(`details:has(form[action="/billing/cancel"]) summary`), press(`form[action="/billing/cancel"] button`))
	l.shows(scene{"canceled-at-period-end", `form[action="/billing/resume"]`, "Ends on"})
	l.agree("the plan ends", "active", true)
	l.do("resume", press(`form[action="/billing/resume"] button`))
	l.shows(scene{"resumed", `form[action="/billing/cancel"]`, "Renews on"})
	l.agree("the plan goes on", "active", false)

	l.do("another card", chromedp.Navigate(u.url+"/organization?tab=billing"), press(`form[action="/billing/portal"]:not(:has(input[name="flow"])) button`),
		press(`a[href*="payment"]`), chromedp.WaitVisible(chromedp.CSS(`input[name="cardNumber"]`)))
	l.do("a card that fails", write("cardNumber", "4000 0000 0000 0341"), write("cardExpiry", "12/34"), write("cardCvc", "123"), write("billingName", "Nora Njoroge"),
		press(`button[value="save"]`))
	l.shows(scene{"another-card", "main, body", "0341"})
	l.loseInvoices()
	l.clock("1 month", "2 hours")
	l.agree("the renewal's payment failed", "past_due", false)
	l.billing()
	l.shows(scene{"past-due-without-invoice", "#billing-panel", "The last payment failed."})
	l.refreshesByItself("The last payment of")
	l.visitorOf().until("the renewal's invoice", "/billing/invoices", "Renewal", "To be paid")
	l.billing()
	l.shows(scene{"past-due", "#billing-panel", "The last payment of"})
	l.do("pay the open invoice", press(`a[href^="/billing/invoices/"]`), chromedp.WaitVisible(chromedp.CSS(`input[name="card"][value="new"]`)))
	l.do("with a card that pays", press(`input[name="card"][value="new"]`), write("cardNumber", "4242 4242 4242 4242"), write("cardExpiry", "12/34"), write("cardCvc", "123"), write("billingName", "Nora Njoroge"),
		press(`form[action*="/i/"] button[type="submit"], form[method="post"] button[type="submit"]`))
	l.agree("the payment settles it", "active", false)
	l.billing()
	l.shows(scene{"active-again", "#billing-panel", "Renews on"})

	l.do("cancel for good", press(`details:has(form[action="/billing/cancel"]) summary`), press(`form[action="/billing/cancel"] button`))
	l.shows(scene{"canceled-again", `form[action="/billing/resume"]`, "Ends on"})
	l.clock("1 month", "2 hours")
	l.visitorOf().waitFor("the end", func(s summaryAnswer) bool { return s.Subscription.Status == "canceled" })
	l.billing()
	l.shows(scene{"ended", "#billing-panel", "has ended"})
}

// loseInvoices drops the events of invoices, and fails the API calls by which a reconciliation would
// fetch them: the jump of the clock makes one due.
func (l *life) loseInvoices() {
	l.t.Helper()
	l.u.addFault(l.t, `{"kind":"drop","event":"invoice.*","calls":-1}`)
	for _, path := range []string{"/v1/events/**", "/v1/invoices/**"} {
		l.u.addFault(l.t, `{"kind":"server_error","method":"GET","path":"`+path+`","calls":-1}`)
	}
}

// refreshesByItself checks that a billing tab without the open invoice polls, keeps the focus and the
// unfolded details meanwhile, and shows the invoice after a reconciliation has fetched it.
func (l *life) refreshesByItself(says string) {
	l.t.Helper()
	const cancel = `form[action="/billing/cancel"] button`
	l.do("unfold", press(`details:has(`+cancel+`) summary`), chromedp.WaitVisible(chromedp.CSS(cancel)))
	l.evaluate("focus, and mark the page to see that it is not left", `(document.querySelector('`+cancel+`').focus(), document.body.dataset.here = "yes")`)
	l.do("a poll without news", chromedp.WaitReady(chromedp.CSS(`#billing-invoice-poll[hx-get*="poll=3"]`)), chromedp.WaitVisible(chromedp.CSS(cancel+":focus")))
	l.u.clearFaults(l.t)
	if code, stdout, stderr := runOnce(l.t, []string{"reconcile"}, "DATA_DIR="+l.data); code != exitOK {
		l.t.Fatalf("reconcile: %s%s", stdout, stderr)
	}
	l.shows(scene{"past-due-refreshed", `body[data-here="yes"] #billing-panel:focus-within`, says})
}

// switchTo changes the plan in the portal.
func (l *life) switchTo(plan, name, says string) {
	l.t.Helper()
	l.billing()
	l.do("change plan", press(`form[action="/billing/portal"]:has(input[value="subscription_update"]) button`), chromedp.WaitVisible(chromedp.CSS(`input[name="price"]`)))
	l.choose(plan, "month")
	l.do("continue", press(`form[method="get"] button[type="submit"]`), press(`button[value="confirm"]`))
	l.visitorOf().until("the portal's change", "/organization?tab=billing", says)
	l.billing()
	l.shows(scene{name, "#seat-panel", says})
	l.agree(name, "active", false)
}

var stripeGreeting = regexp.MustCompile(`Local Stripe\s+(http\S+)`)

// stripe is where the local Stripe is, as the greeting says.
func (u *instance) stripe(t *testing.T) string {
	t.Helper()
	text, _ := u.stdout.read()
	found := stripeGreeting.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("the greeting names no local Stripe: %s", text)
	}
	return found[1]
}

// stripeFails has every change of a subscription fail, or go well again.
func (u *instance) stripeFails(t *testing.T, fails bool) {
	t.Helper()
	if fails {
		u.addFault(t, `{"kind":"server_error","method":"POST","path":"/v1/subscriptions/*","calls":-1}`)
	} else {
		u.clearFaults(t)
	}
}

// addFault adds a fault to the local Stripe, as JSON.
func (u *instance) addFault(t *testing.T, rule string) {
	t.Helper()
	u.faults(t, http.MethodPost, rule)
}

func (u *instance) clearFaults(t *testing.T) {
	t.Helper()
	u.faults(t, http.MethodDelete, "")
}

func (u *instance) faults(t *testing.T, method, body string) {
	t.Helper()
	request, _ := http.NewRequestWithContext(t.Context(), method, u.stripe(t)+"/_usher/faults", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("faults: %s", answer.Status)
	}
}

// billMember sends the form of the demo's member with the box ticked or not.
func (v *visitor) billMember(billed bool) {
	v.t.Helper()
	v.visit("/organization?tab=members")
	link, ok := v.page.Find(`tr:contains("member@usher.example") a[href^="/organization/members/"], li:contains("member@usher.example") a[href^="/organization/members/"]`).First().Attr("href")
	if !ok {
		v.t.Fatalf("no way to the member: %s", v.text("main"))
	}
	form := url.Values{"roleId": {"member"}, "status": {"active"}}
	if billed {
		form.Set("billable", "on")
	}
	answer, err := v.client.PostForm(v.base+link, form)
	v.take(answer, err)
	v.reads("The change is made")
}

// holdRetryButton keeps the panel's polling from replacing the button before it is pressed. On a busy
// machine the automatic retry may come before the click.
const holdRetryButton = `(() => {
	let pressed = false;
	const held = () => !pressed && document.querySelector('form[action="/organization/seats/retry"]');
	document.body.addEventListener("htmx:beforeRequest", (event) => {
		if (event.detail.requestConfig.verb === "post") pressed = true;
		if (held()) event.preventDefault();
	});
	document.body.addEventListener("htmx:beforeSwap", (event) => { if (held()) event.detail.shouldSwap = false; });
})()`

// TestSeatErrorIsRetried: Stripe refuses a seat, the panel says so, a person asks for another try, and the numbers agree again. Once without
// JavaScript, once with.
func TestSeatErrorIsRetried(t *testing.T) {
	u := startUsher(t)
	v := u.visitor(t).logIn("admin@usher.example")
	v.visit("/pricing").send(`form[action="/billing/checkout"]:has(input[value="pro"])`)
	v.send(payForm, card("4242424242424242")...).settles("the plan", "8 people billed")

	refused := func(s summaryAnswer) bool { return s.Sync.Status == "error" && s.Sync.Error != nil }
	agreed := func(s summaryAnswer) bool {
		return s.Sync.Status == "ok" && *s.Seats.LastAppliedSeats == s.Seats.BillableMembers
	}
	u.stripeFails(t, true)
	v.billMember(false)
	if s := v.waitFor("the refusal", refused); s.Seats.DesiredSeats != 7 || *s.Seats.LastAppliedSeats != 8 {
		t.Errorf("seats: %+v", s.Seats)
	}
	v.until("the refusal on the page", "/organization?tab=billing", "Tell Stripe now: 7 seats") // not while another try runs
	u.stripeFails(t, false)
	v.send(`form[action="/organization/seats/retry"]`)
	v.waitFor("the numbers to agree", agreed)

	u.stripeFails(t, true)
	v.billMember(true)
	v.waitFor("the refusal", refused)
	s := newStage(t, openBrowser(t), "seat-error")
	s.do("sign in", chromedp.Navigate(u.url+"/login"), write("email", "admin@usher.example"), write("password", "usher-demo"), press(`form[action="/login"] button`),
		chromedp.WaitVisible(chromedp.CSS(`form[action="/logout"]`)), chromedp.Navigate(u.url+"/organization?tab=billing"))
	s.shows(scene{"refused", `form[action="/organization/seats/retry"] button`, "Tell Stripe now: 8 seats"})
	s.do("mark the page, to see that it is not left", chromedp.Evaluate[chromedp.Void](`(document.body.dataset.here = "yes", undefined)`),
		chromedp.Evaluate[chromedp.Void](holdRetryButton))
	s.shows(scene{"held", `form[action="/organization/seats/retry"] button`, "Tell Stripe now: 8 seats"})
	u.stripeFails(t, false)
	s.do("try again", press(`form[action="/organization/seats/retry"] button`))
	s.shows(scene{"settled", `body[data-here="yes"] #seat-panel`, "In sync"})
	v.waitFor("the numbers to agree", agreed)
}

// TestInvitationInTheBrowser: an admin invites, the invited person signs up by the link of the mail, and the panel settles by itself.
func TestInvitationInTheBrowser(t *testing.T) {
	u := startUsher(t)
	v := u.visitor(t)
	v.signUpForPro("host@example.com")
	v.send(payForm, card("4242424242424242")...).settles("the plan", "1 person billed")

	s := newStage(t, openBrowser(t), "invitation")
	signIn := func() {
		s.do("sign in", chromedp.Navigate(u.url+"/login"), write("email", "host@example.com"), write("password", "front of house"), press(`form[action="/login"] button`),
			chromedp.WaitVisible(chromedp.CSS(`form[action="/logout"]`)))
	}
	signIn()
	s.do("invite", chromedp.Navigate(u.url+"/organization?tab=members"), write("email", "guest@example.com"),
		press(`form[action="/organization/invitations"] button`))
	s.shows(scene{"invited", "main", "The invitation is on its way."})
	s.do("sign out", press(`form[action="/logout"] button`), chromedp.WaitVisible(chromedp.CSS(`a[href="/signup"]`)))
	s.do("open the mail", chromedp.Navigate(u.url+"/dev/mail"), press(`a[href*="/invite/"]`), chromedp.WaitVisible(chromedp.CSS(`form[action^="/invite/"] input[name="password"]`)))
	s.shows(scene{"accepting", `form[action^="/invite/"]`, "Balcony Books"})
	s.do("accept", write("name", "Gil Guest"), write("password", "front of house"), press(`form[action^="/invite/"] button`))
	s.shows(scene{"joined", `form[action="/logout"]`, "Welcome. You are a member now."})
	s.do("sign out", press(`form[action="/logout"] button`), chromedp.WaitVisible(chromedp.CSS(`a[href="/signup"]`)))
	signIn()
	s.do("the panel, marked to see that it is not left", chromedp.Navigate(u.url+"/organization?tab=billing"), chromedp.WaitVisible(chromedp.CSS("#seat-panel")),
		chromedp.Evaluate[chromedp.Void](`(document.body.dataset.here = "yes", undefined)`))
	s.shows(scene{"settled", `body[data-here="yes"] #seat-panel`, "2 people billed, 2 seats at Stripe"})
	v.waitFor("the guest's seat", func(a summaryAnswer) bool { return a.Sync.Status == "ok" && *a.Seats.LastAppliedSeats == 2 })
}
