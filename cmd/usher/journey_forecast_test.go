package main

import (
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// forecastJourney looks ahead, as things are and with changes that are only considered. What was
// forecast is charged, and is what the preview of a change shows.
func forecastJourney(j *billingJourney) {
	j.subscribe("pro", "month", "4242 4242 4242 4242")
	j.join("Mira Bell")
	j.agree("two people", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.openBilling()
	j.press(`a[href="/billing/forecast"]`)
	j.see("as-things-are", "#forecast", "Coming invoices")
	next := j.text("#forecast tbody tr:first-child td:last-child")

	j.do("consider five more people",
		typeAt(`input[name="people"]`, "5"),
		setValue(`input[name="from"]`, j.today().AddDate(0, 0, 70).Format(time.DateOnly)))
	j.pressInPlace(`form[action="/billing/forecast"] button`)
	j.see("five-more", "#forecast", "instead of") // the link beside the form has the question's words
	j.expectTexts("#forecast", "+$", "5 more people from", "7 seats", "for the seats from")
	if address := j.location(); !strings.Contains(address, "people=5") {
		j.t.Errorf("the address %s does not have the question", address)
	}
	at := j.agree("a look ahead", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
	j.advanceClock("1 month", "2 hours")
	j.client().openUntil("the paid renewal", "/billing/invoices", "Renewal", next)
	j.expectInvoiced("the renewal", next, at)

	j.goTo("/billing/forecast", "#forecast")
	j.press(`#forecast a[href*="plan=pro-year"]`)
	j.see("yearly", "#forecast", "Change to Pro, yearly")
	change := j.text("#forecast tbody tr:first-child td:last-child")
	j.press(`#forecast form[action="/billing/preview"] button`)
	j.see("preview", `form[action="/billing/plan"]`, "Today's invoice")
	if due := j.dueToday(); due != change {
		j.t.Errorf("due today %s, forecast was %s", due, change)
	}
	j.agree("the preview", agreement{plan: "pro", interval: "month", status: "active", seats: 2})
}

// today returns the first day that the forecast's form takes.
func (j *billingJourney) today() time.Time {
	j.t.Helper()
	day, err := chromedp.Run(j.tab, chromedp.Evaluate[string](`document.querySelector('input[name="from"]').min`))
	if err != nil {
		j.fail("the first day", err)
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		j.fail("the first day", err)
	}
	return at
}

// location returns the address of the page.
func (j *billingJourney) location() string {
	j.t.Helper()
	address, err := chromedp.Run(j.tab, chromedp.Evaluate[string]("location.href"))
	if err != nil {
		j.fail("the address", err)
	}
	return address
}
