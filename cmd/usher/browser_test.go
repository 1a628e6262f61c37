package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots is the directory for the screenshots of browser tests, for review by people.
const screenshots = "../../.build/screenshots"

// browser is a tab of a headless Chromium.
type browser struct {
	t     *testing.T
	tab   context.Context
	dir   string // of its screenshots
	count int
}

// action is an interaction with the page.
type action = chromedp.Action[chromedp.Void]

// newBrowser starts a Chromium that stops with the test. The name is that of the directory of its
// screenshots.
func newBrowser(t *testing.T, name string) *browser {
	t.Helper()
	return openBrowser(t, name, findHeadlessShell(t))
}

// newBrowserWithFrames is newBrowser with the whole Chromium, in which a frame of another site is a
// target of its own.
func newBrowserWithFrames(t *testing.T, name string) *browser {
	t.Helper()
	return openBrowser(t, name, findChromium(t))
}

func openBrowser(t *testing.T, name, path string) *browser {
	t.Helper()
	dir := filepath.Join(screenshots, name)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, tab: startChromium(t, path, 5*time.Minute), dir: dir}
}

// startChromium starts a Chromium that stops with the test, or after a limit.
func startChromium(t *testing.T, path string, limit time.Duration) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // the tests run as root on build machines
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(waitTimeout), // Chromium starts slowly on a busy machine
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stopAllocator)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	// The first call starts Chromium, which stops when that call's context ends.
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(tab, limit)
	t.Cleanup(cancel)
	return bounded
}

// findHeadlessShell returns Chromium without what a window needs, which takes a third of its
// processor time, or findChromium's if that is not installed.
func findHeadlessShell(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("chromium-headless-shell"); err == nil {
		return path
	}
	return findChromium(t)
}

// findChromium returns the browser of the variable CHROMIUM, which make test sets, or one on PATH.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium found; `make test` installs it")
	return ""
}

// do runs actions.
func (b *browser) do(what string, actions ...action) {
	b.t.Helper()
	if err := chromedp.Do(b.tab, actions...); err != nil {
		b.fail(what, err)
	}
}

// fail ends the test and prints the current page.
func (b *browser) fail(what string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.tab), 5*time.Second)
	defer cancel()
	location, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	b.t.Fatalf("%s: %v, at %s:\n%s", what, err, location, text)
}

// pageState is a state of a page that a test waits for.
type pageState struct {
	name    string // of the screenshot
	visible string // selector of a visible element
	text    string // contained in the page's text
}

// expect waits for a page state and takes a screenshot.
func (b *browser) expect(state pageState) {
	b.t.Helper()
	if err := b.waitFor(state); err != nil {
		b.fail(state.name, err)
	}
	b.count++
	b.screenshot(state.name)
}

// screenshotsEnv is the variable that turns screenshots on: light in light colors, all in
// all forms. They take a third of Chromium's time.
const screenshotsEnv = "SCREENSHOTS"

// screenshot takes a picture of the whole page, if screenshots are turned on.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	if os.Getenv(screenshotsEnv) == "" {
		return
	}
	picture, err := chromedp.Run(b.tab, chromedp.FullScreenshot(100))
	if err != nil {
		b.fail(name, err)
	}
	file := filepath.Join(b.dir, fmt.Sprintf("%d-%s.png", b.count, name))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// waitFor waits for a page state. It retries errors, because a navigation interrupts the check. The
// page is inspected from outside, which works without JavaScript too.
func (b *browser) waitFor(state pageState) error {
	shown := fmt.Sprintf(`[...document.querySelectorAll(%q)].some((element) => element.checkVisibility()) &&
		document.body.innerText.includes(%q)`, state.visible, state.text)
	for deadline := time.Now().Add(waitTimeout); ; {
		found, err := chromedp.Run(b.tab, chromedp.Evaluate[bool](shown))
		switch {
		case found && err == nil, b.tab.Err() != nil:
			return err
		case time.Now().After(deadline):
			return errors.Join(err, fmt.Errorf("no visible %s with %q", state.visible, state.text))
		}
		time.Sleep(20 * time.Millisecond) // polling interval
	}
}

// evaluate runs a script for its effect.
func (b *browser) evaluate(what, script string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.tab, chromedp.Evaluate[bool]("("+script+", true)")); err != nil {
		b.fail(what, err)
	}
}

// text returns the visible text of an element. It is read in one step: a node that is found first
// and read then may be replaced meanwhile.
func (b *browser) text(selector string) string {
	b.t.Helper()
	text, script := "", fmt.Sprintf(`{ const found = document.querySelector(%q); found ? "=" + found.innerText : "" }`, selector)
	eventually(b.t, selector, func() (found bool) {
		read, err := chromedp.Run(b.tab, chromedp.Evaluate[string](script))
		text, found = strings.CutPrefix(read, "=")
		return found && err == nil
	})
	return strings.Join(strings.Fields(text), " ")
}

// markedPage selects the body of a page that has not been left or reloaded since markPage.
const markedPage = `body[data-marked="yes"]`

func (b *browser) markPage() {
	b.t.Helper()
	b.evaluate("mark the page", `document.body.dataset.marked = "yes"`)
}

func (b *browser) logIn(url, email, password string) {
	b.t.Helper()
	b.do("log in", chromedp.Navigate(url+"/login"), typeInto("email", email),
		typeInto("password", password), click(`form[action="/login"] button`),
		waitVisible(`form[action="/logout"]`))
}

func (b *browser) logOut() {
	b.t.Helper()
	b.do("log out", click(`form[action="/logout"] button`), waitVisible(`a[href="/signup"]`))
}

func click(selector string) action { return onShownPage(chromedp.Click(chromedp.CSS(selector))) }

func waitVisible(selector string) action {
	return onShownPage(chromedp.WaitVisible(chromedp.CSS(selector)))
}

func typeInto(name, value string) action { return typeAt(`input[name="`+name+`"]`, value) }

// typeAt types a value into the element that the selector matches.
func typeAt(selector, value string) action {
	return onShownPage(chromedp.SendKeys(chromedp.CSS(selector), value))
}

// setValue sets the value of the element that the selector matches, without typing it.
func setValue(selector, value string) action {
	return onShownPage(chromedp.SetValue(chromedp.CSS(selector), value))
}

// onShownPage repeats an action whose element was replaced, with its page, between the moment it
// was found and the moment it was used. Nothing was clicked or typed then.
func onShownPage(a action) action {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			done, err := a(ctx, target)
			if err == nil || !strings.Contains(err.Error(), "Could not find node with given id") {
				return done, err
			}
		}
	}
}

// enterCard fills in the local Stripe's card form and submits it.
func enterCard(number, submitButton string) []action {
	return []action{
		waitVisible(`input[name="cardNumber"]`), typeInto("cardNumber", number),
		typeInto("cardExpiry", "12/34"), typeInto("cardCvc", "123"),
		typeInto("billingName", "Nora Njoroge"), click(submitButton),
	}
}

const checkoutButton = `form[action^="/c/pay/"] button[type="submit"]`

// fillSignUp fills in the sign-up form and submits it.
func fillSignUp(email string) []action {
	return []action{
		typeInto("name", "Nora Njoroge"), typeInto("email", email), typeInto("password", "front of house"),
		typeInto("organization", "Balcony Books"), click(`form[action="/signup"] button`),
	}
}

// darkScheme emulates the preference for a dark color scheme.
func darkScheme() action { return colorScheme("dark") }

func colorScheme(name string) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}
