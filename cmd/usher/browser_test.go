package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots is where the browser journeys leave their pictures, to be looked at: at the repository's top, beside the built program.
const screenshots = "../../.build/screenshots"

// findChromium returns the browser that make test has found, or one on PATH.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium on this machine: `make test` installs it")
	return ""
}

// openBrowser starts a headless Chromium that ends with the test.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)),
		chromedp.NoSandbox, // the tests run as root on build machines
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(patience), // a busy machine starts it slowly
	)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(endAllocator)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab); err != nil { // starts the browser: the context of the first call is the browser's own life
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(tab, 5*time.Minute)
	t.Cleanup(cancel)
	return bounded
}

// scene is a page a journey has come to: what must be visible on it before it is photographed.
type scene struct {
	name    string
	visible string // selector
	says    string // text that the page must hold
}

// stage photographs scenes.
type stage struct {
	t      *testing.T
	tab    context.Context
	folder string
	count  int
}

func newStage(t *testing.T, tab context.Context, name string) *stage {
	t.Helper()
	folder := filepath.Join(screenshots, name)
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	return &stage{t: t, tab: tab, folder: folder}
}

// do runs browser actions.
func (s *stage) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.tab, actions...); err != nil {
		s.fail(what, err)
	}
}

// fail ends the test and tells where the browser is.
func (s *stage) fail(what string, err error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.tab), 5*time.Second)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	s.t.Fatalf("%s: %v, at %s:\n%s", what, err, address, text)
}

// shows waits until a scene is there and photographs it.
func (s *stage) shows(sc scene) {
	s.t.Helper()
	if err := s.await(sc); err != nil {
		s.fail(sc.name, err)
	}
	s.count++
	picture, err := chromedp.Run(s.tab, chromedp.FullScreenshot(100))
	if err != nil {
		s.fail(sc.name, err)
	}
	file := filepath.Join(s.folder, fmt.Sprintf("%d-%s.png", s.count, sc.name))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until a scene is there. A page that is left while it is looked at, as after a click that leads on, is looked at again.
func (s *stage) await(sc scene) (err error) {
	says := fmt.Sprintf("document.body.innerText.includes(%q)", sc.says)
	for deadline := time.Now().Add(patience); ; {
		if err = chromedp.Do(s.tab, chromedp.WaitVisible(chromedp.CSS(sc.visible))); err == nil {
			_, err = chromedp.Run(s.tab, chromedp.Poll[bool](says, chromedp.WithPollingTimeout(20*time.Second)))
		}
		if err == nil || time.Now().After(deadline) || s.tab.Err() != nil {
			return err
		}
	}
}

// darkScheme makes pages believe that the person prefers dark colours.
func darkScheme() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	})
}

func journeyInChromium(t *testing.T, u *instance) {
	s := newStage(t, openBrowser(t), "pricing-to-active")
	click := func(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(selector)) }
	write := func(name, value string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS(`input[name="`+name+`"]`), value)
	}

	s.do("open pricing", chromedp.Navigate(u.url+"/pricing?interval=year&seats=8"))
	s.shows(scene{"pricing", "h1", "Most chosen"})
	s.do("choose Pro", click(`form[action="/billing/checkout"]:has(input[value="pro"]) button`))
	s.shows(scene{"sign-up", `form[action="/signup"]`, "Pro, yearly"})
	s.do("sign up", write("name", "Nora Njoroge"), write("email", "chromium@example.com"), write("password", "front of house"),
		write("organization", "Balcony Books"), click(`form[action="/signup"] button`))
	s.shows(scene{"hosted-checkout", `input[name="cardNumber"]`, "Local Stripe"})
	s.do("pay", write("cardNumber", "4242 4242 4242 4242"), write("cardExpiry", "12/34"), write("cardCvc", "123"),
		write("billingName", "Nora Njoroge"), click(`form[action^="/c/pay/"] button[type="submit"]`))
	s.shows(scene{"billing-active", "#seat-panel", "Active"})
	s.shows(scene{"billing-in-sync", "#seat-panel", "In sync"})
	s.do("dark and narrow", darkScheme(), chromedp.EmulateViewport(320, 800), chromedp.Reload())
	s.shows(scene{"billing-dark-320", "#seat-panel", "In sync"})
	s.do("the dashboard", chromedp.Navigate(u.url+"/dashboard"))
	s.shows(scene{"dashboard-dark-320", "h1", "Pro"})
}
