package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestSessionRevocationJourney: a person is signed in on two devices and signs one of them out on
// the other. It is led to the log-in page, and from there back to the page it was on.
func TestSessionRevocationJourney(t *testing.T) {
	server := startServer(t)
	server.reportFailure(t)
	here, there := newBrowser(t, "sessions-here"), newBrowser(t, "sessions-there")
	here.logIn(server.url, "admin@usher.example", demoPassword)
	there.logIn(server.url, "admin@usher.example", demoPassword)
	there.do("open the members", chromedp.Navigate(server.url+"/organization?tab=members"))
	there.expect(pageState{"members", "main table", "billing@usher.example"})

	const signOut = `#sessions li form button`
	here.do("open the settings", chromedp.Navigate(server.url+"/settings"))
	here.expect(pageState{"two-devices", signOut, "This device"})
	here.do("narrow", chromedp.EmulateViewport(320, 800))
	here.expect(pageState{"two-devices-320", signOut, "Chrome on Linux"})
	here.do("wide", chromedp.EmulateViewport(1280, 900))
	here.do("sign the other device out", click(signOut))
	here.expect(pageState{"signed-out", "#sessions", "That device is signed out."})
	here.expect(pageState{"one-device", "#sessions", "You're not signed in anywhere else."})

	there.do("go on", chromedp.Reload())
	there.expect(pageState{"log-in", `form[action="/login"]`, "Sign in"})
	there.do("sign in", typeInto("email", "admin@usher.example"), typeInto("password", demoPassword), click(`form[action="/login"] button`))
	there.expect(pageState{"back", "main table", "billing@usher.example"})
	here.do("go on", chromedp.Reload())
	here.expect(pageState{"still-signed-in", signOut, "This device"})

	for _, page := range []struct{ name, path, visible, text string }{
		{"confirm", "/dev/ui?show=confirm-refused", "main", "Confirm that it's you"},
		{"hand-over", "/organization?tab=general#handover", "#handover", "Choose a member"},
		{"person", "/admin/people?q=admin@usher.example", "main", "Open sessions"},
	} {
		here.do("open "+page.name, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.url+page.path))
		here.expect(pageState{page.name, page.visible, page.text})
		here.do("narrow", chromedp.EmulateViewport(320, 800))
		here.expect(pageState{page.name + "-320", page.visible, page.text})
	}
}
