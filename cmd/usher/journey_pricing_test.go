package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pricingState is what a page shows for a number of people: the plans, the forms, the drawing and
// the address.
const pricingState = `JSON.stringify([
	document.querySelector('#plans').innerText,
	document.querySelector('#seats').value,
	[...document.querySelectorAll('#plans form')].map((form) => new URLSearchParams(new FormData(form)).toString()),
	[...document.querySelectorAll('[data-interval]')].map((link) => link.href),
	[...document.querySelectorAll('[name=step]')].map((button) => button.disabled),
	document.querySelector('[data-theatre] svg').getAttribute('viewBox'),
	[...document.querySelectorAll('[data-theatre] g')].map((row) => [row.checkVisibility(), row.querySelectorAll('.seat-billed').length]),
	document.querySelector('[data-many]').checkVisibility() && document.querySelector('[data-many]').innerText,
	location.href,
])`

// TestPricesFollowThePeople changes the number of people and the interval without loading the page
// again. Each time, the page equals the one that its address loads.
func TestPricesFollowThePeople(t *testing.T) {
	server := startServer(t)
	server.reportFailure(t)
	b := newBrowser(t, "pricing")
	b.do("open pricing", chromedp.Navigate(server.url+"/pricing?interval=month&seats=8"))
	b.expect(pageState{"eight", "#plans", "$232"})
	b.markPage()
	b.do("one more", click(`[name=step][value="1"]`))
	b.expect(pageState{"nine", markedPage + " #plans", "$261"})
	b.equalsReloaded("nine people")
	for _, people := range []int{1, 56, 57, 200, 201, 1234, 10000} {
		b.markPage()
		b.evaluate("type", fmt.Sprintf(`document.querySelector('#seats').value = %d, document.querySelector('#seats').dispatchEvent(new Event('input', {bubbles: true}))`, people))
		b.expect(pageState{fmt.Sprintf("%d-people", people), markedPage, "per person"})
		b.equalsReloaded(fmt.Sprintf("%d people", people))
	}
	b.markPage()
	b.do("go yearly", click(`[data-interval]:not([aria-current])`))
	b.expect(pageState{"yearly", markedPage + " [data-interval][aria-current]:focus", "$2,900,000"})
	b.do("narrow", chromedp.EmulateViewport(320, 800))
	b.evaluate("scroll to the last plan", `document.querySelector('#plans article:last-child button').scrollIntoView(), scrollBy(0, -300)`)
	if top := b.number(`document.querySelector('#chooser').getBoundingClientRect().top`); top != 0 {
		t.Errorf("the chooser has left the view: it stands at %v", top)
	}
	b.equalsReloaded("yearly, 10,000 people")
}

// equalsReloaded compares what the page shows with the same address, loaded.
func (b *browser) equalsReloaded(what string) {
	b.t.Helper()
	before, err := chromedp.Run(b.tab, chromedp.Evaluate[string](pricingState))
	if err != nil {
		b.fail(what, err)
	}
	b.do("load "+what, chromedp.Reload(), waitVisible("#plans"))
	after, err := chromedp.Run(b.tab, chromedp.Evaluate[string](pricingState))
	if err != nil {
		b.fail(what, err)
	}
	if before != after {
		b.t.Errorf("%s: the page shows\n%s\nand loads as\n%s", what, before, after)
	}
}

func (b *browser) number(script string) float64 {
	b.t.Helper()
	n, err := chromedp.Run(b.tab, chromedp.Evaluate[float64](script))
	if err != nil {
		b.fail(script, err)
	}
	return n
}

// sendTwice submits a form twice and tells what its button looks like meanwhile.
const sendTwice = `((form) => {
	const button = form.querySelector('button');
	const words = button.textContent;
	button.focus();
	let sent = 0;
	form.addEventListener('submit', () => sent++);
	form.requestSubmit(button);
	form.requestSubmit(button);
	return [sent, button.getAttribute('aria-busy'), button.getAttribute('aria-disabled'), button.textContent === words, document.activeElement === button].join(' ');
})`

const sentOnce = "1 true true true true"

// TestBusyForms: a form that is being sent says so, keeps its words and the focus, and is not sent
// twice, with and without htmx. It is usable again after an answer, and when the browser goes back.
func TestBusyForms(t *testing.T) {
	server := startServer(t)
	server.reportFailure(t)
	b := newBrowser(t, "busy")
	state := func(what, script, want string) {
		t.Helper()
		got, err := chromedp.Run(b.tab, chromedp.Evaluate[string](script))
		if err != nil {
			b.fail(what, err)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	const logIn = `document.querySelector('form[action="/login"]')`
	b.do("open the log-in", chromedp.Navigate(server.url+"/login"), typeInto("email", "admin@usher.example"), typeInto("password", demoPassword))
	state("a form that is left", `(`+sendTwice+`(`+logIn+`), window.stop(), dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })),
		String(`+logIn+`.querySelector('button').getAttribute('aria-busy')))`, "null")
	state("log-in", sendTwice+`(`+logIn+`)`, sentOnce)
	b.expect(pageState{"signed-in", `form[action="/logout"]`, "Lantern Theatre"})

	const invite = `form[hx-post="/organization/invitations"]`
	b.do("open the members", chromedp.Navigate(server.url+"/organization?tab=members"), waitVisible(invite))
	b.evaluate("type an address", `document.querySelector('`+invite+` [name=email]').value = 'ana.example.com', document.querySelector('`+invite+`').noValidate = true`)
	b.markPage()
	state("a form of htmx", sendTwice+`(document.querySelector('`+invite+`'))`, sentOnce)
	b.expect(pageState{"refused", markedPage + ` form[action="/organization/invitations"]`, "e-mail address such as"})
	if busy := b.number(`document.querySelectorAll('[aria-busy="true"]').length`); busy != 0 {
		t.Errorf("%v buttons are busy after the answer", busy)
	}

	b.do("open the settings", chromedp.Navigate(server.url+"/settings"))
	b.markPage()
	b.do("choose dark", click(`#appearance [value="dark"]`))
	b.expect(pageState{"dark", markedPage + ` #appearance [value="dark"][aria-pressed="true"]`, "Appearance"})
	b.do("load it again", chromedp.Reload())
	b.expect(pageState{"dark-loaded", `html[data-theme="dark"] #appearance [value="dark"][aria-pressed="true"]`, "Appearance"})
	background, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
	if err != nil || !strings.HasPrefix(background, "rgb(20, 18, 17") {
		t.Errorf("the background is %s: %v", background, err)
	}
}
