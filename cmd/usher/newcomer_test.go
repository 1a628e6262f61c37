package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"usher/cmd/usher/scenario"
)

// newcomer uses the demo for the first time and counts clicks.
type newcomer struct {
	*browser
	clicks int
}

// question is what somebody wants to know or to do, from the dashboard on.
type question struct {
	text   string
	clicks int // at most
	answer func(*newcomer) string
}

// newcomerQuestions are what people come for.
var newcomerQuestions = []question{
	{"What do I pay next?", 0, func(n *newcomer) string { return n.text("#next-invoice p.text-figure") }},
	{"Why is it not what I paid last?", 0, func(n *newcomer) string { return n.text("#next-invoice p.text-title + p") }},
	{"What was the invoice of last month for?", 2, func(n *newcomer) string {
		n.click(`main a[href="/billing/invoices"]`, `tbody a[href^="/billing/invoices/"]`, "")
		n.click(`tbody tr:nth-child(2) a[href^="/billing/invoices/"]`, "main h2", "Total")
		return n.text("main h2")
	}},
	{"Add two people, knowing the price", 3, func(n *newcomer) string {
		n.click(`main a[href="/organization?tab=members"]`, `textarea[name="email"]`, "")
		n.do("name two people", typeAt(`textarea[name="email"]`, "ines@newcomer.example, otto@newcomer.example"))
		n.click(`form[action="/organization/invitations"] button`, "#invite-continue", "")
		price := n.text("#invite-progress p")
		n.click("#invite-continue", "main", "otto@newcomer.example")
		return price
	}},
	{"Change to a yearly plan, knowing the price", 4, func(n *newcomer) string {
		yearly := `form[action="/billing/preview"]:has(input[value="pro"]):has(input[value="year"]) button`
		n.click(`main a[href="/organization?tab=billing"]`, `details:has(form[action="/billing/preview"]) summary`, "")
		n.click(`details:has(form[action="/billing/preview"]) summary`, yearly, "")
		n.click(yearly, `form[action="/billing/plan"] button`, "Due today")
		price := n.text(`form[action="/billing/plan"] button`)
		n.click(`form[action="/billing/plan"] button`, "main", "Your plan is changed.")
		return price
	}},
}

// click clicks and waits until the page shows what is looked for next.
func (n *newcomer) click(selector, visible, text string) {
	n.t.Helper()
	n.clicks++
	n.do("click "+selector, click(selector))
	if err := n.waitFor(pageState{visible: visible, text: text}); err != nil {
		n.fail("after the click on "+selector, err)
	}
}

// TestNewcomer answers in the demo what people come for, and prints how many clicks and seconds
// each answer took.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	server := startServer(t, "DEMO_HISTORY=on")
	history := fmt.Sprintf(`form[action="/organization/switch"]:has(button:contains(%q))`, scenario.YearTitle)
	c := server.client(t).logIn("admin@usher.example")
	eventuallyWithin(t, 3*waitTimeout, "the year", func() bool { return c.open("/dashboard").page.Find(history).Length() == 1 })

	n := &newcomer{browser: newBrowser(t, "newcomer")}
	n.do("open the first page", chromedp.Navigate(server.url), waitVisible(`a[href="/login"]`))
	n.logIn(server.url, "admin@usher.example", demoPassword)
	table := []string{"| Question | Clicks | Seconds | Answer |", "|---|---|---|---|"}
	for _, q := range newcomerQuestions {
		n.do("open the dashboard", chromedp.Navigate(server.url+"/dashboard"))
		n.clicks = 0
		began := time.Now()
		answer := q.answer(n)
		table = append(table, fmt.Sprintf("| %s | %d | %.1f | %s |", q.text, n.clicks, time.Since(began).Seconds(), answer))
		if n.clicks > q.clicks {
			t.Errorf("%s: %d clicks, at most %d are needed", q.text, n.clicks, q.clicks)
		}
	}
	t.Log("\n" + strings.Join(table, "\n"))
}
