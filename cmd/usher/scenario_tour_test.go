package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/chromedp/cdproto/page"

	"usher/cmd/usher/scenario"
)

var (
	allScenarios = flag.Bool("all-scenarios", false, "check every page of every scenario; make test checks a few")
	picturesIn   = flag.String("pictures", "", "instead of checking the pages, write pictures of them into this folder")
	tourLanguage = flag.String("language", "en", "the language of the pages of the tour")
	tourNames    = flag.String("stops", "", "only these scenarios and roles, separated by commas")
)

// tourStop is somebody who looks at pages: in a scenario, signed out, or as an operator.
type tourStop struct {
	name  string
	enter func(*testing.T) *client
	pages []string
}

// tourVariant is how a page is shown.
type tourVariant struct {
	theme string
	width int64
}

var tourVariants = []tourVariant{{"light", 1280}, {"dark", 1280}, {"dark", 320}, {"light", 320}}

func (v tourVariant) String() string { return fmt.Sprintf("%s-%d", v.theme, v.width) }

// tourStops are the stops of make a11y and make screenshots: the pages of every scenario, and the
// pages that look the same in all of them once.
func (s *testServer) tourStops() []tourStop {
	stops := []tourStop{
		{"signed-out", s.client, []string{"/pricing", "/pricing?interval=year&seats=40", "/login", "/signup", "/forgot", "/invite/none", "/dev/scenarios", "/dev/mail", "/dev/clock"}},
		{"operator", func(t *testing.T) *client { return s.client(t).logIn("admin@usher.example") }, []string{
			"/admin/events", "/admin/drift", "/admin/organizations", "/admin/people", "/admin/jobs", "/admin/audit",
		}},
	}
	for _, registered := range scenario.Registry() {
		stop := tourStop{registered.Name, func(t *testing.T) *client { return s.enter(t, registered.Name, "") }, scenarioPages}
		switch registered.Name {
		case scenario.Year, "long-names", "right-to-left":
			stop.pages = append(stop.pages[:len(stop.pages):len(stop.pages)], "/organization?tab=roles", "/organization?tab=audit", "/organization/contacts",
				"/organization/people", "/organization/api-keys", "/settings", "/settings/security", "/billing/forecast", "/billing/cancel")
		}
		stops = append(stops, stop)
	}
	return append(stops, tourStop{"member", func(t *testing.T) *client { return s.enter(t, "active", "member") }, []string{"/dashboard", "/organization?tab=general", "/billing/credits"}})
}

// shortTour is the part that make test visits.
func (s *testServer) shortTour() []tourStop {
	pages := []string{"/dashboard", "/organization?tab=billing", "/organization?tab=members"}
	stops := []tourStop{{"signed-out", s.client, []string{"/pricing", "/login", "/dev/scenarios"}}}
	for _, name := range []string{"active", "card-declined"} {
		stops = append(stops, tourStop{name, func(t *testing.T) *client { return s.enter(t, name, "") }, pages})
	}
	return stops
}

// TestAccessibility checks pages of scenarios with axe-core, in both themes and at both widths, and
// once more after htmx has swapped a part. make a11y checks all of them; make screenshots writes
// pictures instead.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	if *allScenarios { // alone in its process
		largeOrganization = 2000
	}
	server := startServer(t, scenarioPlans)
	tour := &tour{t: t, look: checkPage, limit: 4 * time.Minute}
	stops := server.shortTour()
	if *allScenarios {
		stops, tour.limit = server.tourStops(), 55*time.Minute
	}
	if *picturesIn != "" {
		tour.look = takePicture
	}
	if *tourNames != "" {
		names := strings.Split(*tourNames, ",")
		stops = slices.DeleteFunc(stops, func(s tourStop) bool { return !slices.Contains(names, s.name) })
	}
	tour.visit(stops)
	if *tourNames == "" && tour.pages < 9 || tour.looks < 4*tour.pages {
		t.Errorf("only %d pages were looked at %d times", tour.pages, tour.looks)
	}
	t.Logf("%d pages of %d scenarios and roles, looked at %d times (light and dark, 320 and 1280, %d after a swap), and zoomed to 200 %%: %d problems",
		tour.pages, len(stops), tour.looks, tour.swaps, tour.problems)
}

// tour opens pages in several tabs of one Chromium.
type tour struct {
	t     *testing.T
	look  func(ctx context.Context, name string) ([]string, error)
	limit time.Duration

	mu                            sync.Mutex
	pages, looks, swaps, problems int
}

// tabs is how many pages are open at once.
const tabs = 4

func (tr *tour) visit(stops []tourStop) {
	tr.t.Helper()
	browser := startChromium(tr.t, findHeadlessShell(tr.t), tr.limit)
	queue := make(chan tourStop)
	var working sync.WaitGroup
	for range min(tabs, len(stops)) {
		working.Go(func() {
			for stop := range queue {
				tr.visitStop(browser, stop)
			}
		})
	}
	for _, stop := range stops {
		queue <- stop
	}
	close(queue)
	working.Wait()
}

// visitStop opens the pages of a stop in a tab with cookies of its own.
func (tr *tour) visitStop(browser context.Context, stop tourStop) {
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer closeTab()
	var c *client
	// A failed helper ends the goroutine of its subtest, not this one.
	if !tr.t.Run("enter "+stop.name, func(t *testing.T) { c = stop.enter(t) }) {
		return
	}
	if err := signInTab(tab, c); err != nil {
		tr.report(stop.name, "", []string{err.Error()})
		return
	}
	for _, path := range stop.pages {
		tr.visitPage(tab, stop.name, c.base, path)
	}
}

// signInTab gives the tab the session of a client.
func signInTab(tab context.Context, c *client) error {
	base, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	language := &http.Cookie{Name: "usher_language", Value: *tourLanguage}
	for _, cookie := range append(c.http.Jar.Cookies(base), language) {
		params := network.SetCookieParams{Name: cookie.Name, Value: cookie.Value, URL: c.base}
		if err := chromedp.Do(tab, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, network.SetCookie, params)
			return err
		})); err != nil {
			return err
		}
	}
	return nil
}

func (tr *tour) visitPage(tab context.Context, stop, base, path string) {
	if err := chromedp.Do(tab, chromedp.Navigate(base+path), loaded()); err != nil {
		tr.report(stop+" "+path, "", []string{err.Error()})
		return
	}
	tr.count(func() { tr.pages++ })
	for _, variant := range tourVariants {
		tr.lookAt(tab, stop, path, variant, "")
	}
	if *picturesIn == "" {
		found, err := zoomPage(tab)
		if err != nil {
			found = append(found, err.Error())
		}
		tr.report(stop+" "+path, "zoomed", found)
	}
	swapped, err := chromedp.Run(tab, chromedp.Evaluate[bool](swapOnce, chromedp.EvalAwaitPromise))
	if err != nil {
		tr.report(stop+" "+path, "swap", []string{err.Error()})
	}
	if swapped {
		tr.count(func() { tr.swaps++ })
		tr.lookAt(tab, stop, path, tourVariants[len(tourVariants)-1], "swapped")
	}
}

func (tr *tour) lookAt(tab context.Context, stop, path string, variant tourVariant, state string) {
	name := strings.Trim(pictureName.Replace(stop+" "+strings.TrimPrefix(path, "/")+" "+variant.String()+" "+state), "-")
	err := chromedp.Do(tab, chromedp.EmulateViewport(variant.width, 900), colorScheme(variant.theme), stillPage())
	var found []string
	if err == nil {
		found, err = tr.look(tab, name)
	}
	if err != nil {
		found = append(found, err.Error())
	}
	tr.count(func() { tr.looks++ })
	tr.report(stop+" "+path, variant.String()+" "+state, found)
}

func (tr *tour) count(f func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	f()
}

func (tr *tour) report(page, variant string, problems []string) {
	tr.count(func() { tr.problems += len(problems) })
	for _, problem := range problems {
		tr.t.Errorf("%s (%s): %s", page, strings.TrimSpace(variant), problem)
	}
}

var pictureName = strings.NewReplacer(" ", "-", "/", "-", "?", "-", "=", "-", "&", "-")

// stillPage waits until the transitions of a change of colors are over.
func stillPage() action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](
			`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))).then(() => true)`, chromedp.EvalAwaitPromise))
		return err
	})
}

// loaded waits until the page and the fragments that it asks for are there.
func loaded() action {
	const script = `new Promise((done) => {
		const check = () => document.readyState !== 'complete' || document.querySelector('.htmx-request') ? setTimeout(check, 30) : done(true);
		setTimeout(check, 30);
	})`
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
		return err
	})
}

// swapOnce makes htmx fetch and swap the first part of the page that it can, and tells whether
// there was one.
const swapOnce = `(async () => {
	if (!window.htmx) return false;
	const form = document.querySelector('main form[hx-post="/billing/preview"]'), part = document.querySelector('main [hx-get]');
	if (form) await htmx.ajax('POST', form.getAttribute('hx-post'), {source: form});
	else if (part) await htmx.ajax('GET', part.getAttribute('hx-get'), {source: part});
	else if (document.getElementById('seat-panel')) await htmx.ajax('GET', '/organization/seats', {target: '#seat-panel', swap: 'outerHTML'});
	else return false;
	return true;
})()`

// axeCore is the script of axe-core, which make test installs.
var axeCore = sync.OnceValues(func() (string, error) {
	script, err := os.ReadFile("../../node_modules/axe-core/axe.min.js")
	return string(script) + "; true", err
})

// checkPage returns the violations of the rules of axe-core, with the first elements of each.
func checkPage(ctx context.Context, _ string) ([]string, error) {
	script, err := axeCore()
	if err != nil {
		return nil, err
	}
	violations, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`(async () => {
		if (!window.axe) { `+script+` }
		const result = await axe.run(document, {resultTypes: ['violations']});
		return result.violations.map((v) => v.id + ' (' + v.help + '): ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | '));
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		return violations, err
	}
	layout, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](layoutProblems))
	return append(violations, layout...), err
}

// layoutProblems finds what makes the page scroll sideways, and, on a narrow screen, primary
// buttons that are smaller than a finger (44 px, WCAG 2.2 AAA,
// https://www.w3.org/TR/WCAG22/#target-size-enhanced). A page 320 pixels wide is one of 1280 at
// 400 % (https://www.w3.org/TR/WCAG22/#reflow).
const layoutProblems = `(() => {
	const problems = [], name = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + ' "' + e.textContent.trim().slice(0, 40) + '"';
	if (document.documentElement.scrollWidth > window.innerWidth) {
		const wide = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1);
		problems.push('the page scrolls sideways: ' + wide.slice(0, 3).map(name).join(' | '));
	}
	if (window.innerWidth <= 320) for (const button of document.querySelectorAll('main a.bg-velvet, main button.bg-velvet')) {
		const box = button.getBoundingClientRect();
		if (button.checkVisibility() && (box.height < 44 || box.width < 44)) {
			problems.push('a primary button of ' + Math.round(box.width) + ' × ' + Math.round(box.height) + ' px: ' + name(button));
		}
	}
	return problems;
})()`

// zoomPage looks for what makes the page scroll sideways at 200 %, of the page and of the browser's
// text size alone (https://www.w3.org/TR/WCAG22/#resize-text).
func zoomPage(tab context.Context) (found []string, err error) {
	for _, zoom := range []struct{ width, text int64 }{{640, 16}, {1280, 32}} {
		problems, failed := layoutAt(tab, zoom.width, zoom.text)
		found, err = append(found, problems...), errors.Join(err, failed)
	}
	return found, errors.Join(err, chromedp.Do(tab, textSize(16)))
}

func layoutAt(tab context.Context, width, text int64) ([]string, error) {
	if err := chromedp.Do(tab, textSize(text), chromedp.EmulateViewport(width, 900)); err != nil {
		return nil, err
	}
	problems, err := chromedp.Run(tab, chromedp.Evaluate[[]string](layoutProblems))
	for i := range problems {
		problems[i] += fmt.Sprintf(" (%d px wide, text of %d px)", width, text)
	}
	return problems, err
}

// textSize sets the size of text in the settings of the browser, in pixels.
func textSize(size int64) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: size, Fixed: size}})
		return err
	})
}

// takePicture writes a picture of the page.
func takePicture(ctx context.Context, name string) ([]string, error) {
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(*picturesIn, 0o755); err != nil {
		return nil, err
	}
	return nil, os.WriteFile(filepath.Join(*picturesIn, name+".png"), picture, 0o644)
}
