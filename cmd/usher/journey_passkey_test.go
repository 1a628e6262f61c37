package main

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// TestPasskeyJourney signs up, adds a passkey with Chromium's virtual authenticator, signs in with
// it alone and as the second step, and removes it.
func TestPasskeyJourney(t *testing.T) {
	server := startServer(t)
	b := newBrowser(t, "passkey")
	b.do("connect an authenticator", virtualAuthenticator())
	b.do("sign up", append([]action{chromedp.Navigate(server.url + "/signup")}, fillSignUp("nora@example.com")...)...)
	b.do("open the dashboard", waitVisible(`form[action="/logout"]`), chromedp.Navigate(server.url+"/settings/security"))
	b.expect(pageState{"no-passkey", "#passkeys", "Add a passkey"})
	b.do("add a passkey", click(`a[href="/settings/security/passkeys/new"]`), waitVisible(`form[data-passkey="create"]`))
	b.narrow("new-passkey", pageState{"new-passkey", `form[data-passkey="create"] button`, "Create the passkey"})
	b.do("create it", click(`form[data-passkey="create"] button`))
	b.expect(pageState{"recovery-codes", "#recovery-codes", "Two-step verification is on."})
	b.do("create another one on the same device", chromedp.Navigate(server.url+"/settings/security/passkeys/new"), click(`form[data-passkey="create"] button`))
	b.expect(pageState{"exists", "[data-passkey-message]", "This device or key already has a passkey for your account."})
	b.do("look at it", chromedp.Navigate(server.url+"/settings/security"))
	b.narrow("one-passkey", pageState{"one-passkey", "#passkeys li", "Not used yet"})

	b.logOut()
	b.do("open the log-in", chromedp.Navigate(server.url+"/login?next=/settings/security"))
	b.narrow("log-in", pageState{"log-in", `form[action="/login/passkey"] button`, "Sign in with a passkey"})
	b.do("log in without a password", click(`form[action="/login/passkey"] button`))
	b.expect(pageState{"signed-in-by-passkey", "#passkeys li", "Last used"})

	b.logOut()
	b.do("log in with the password", chromedp.Navigate(server.url+"/login?next=/settings/security"), typeInto("email", "nora@example.com"),
		typeInto("password", "front of house"), click(`form[action="/login"] button`))
	b.narrow("second-step", pageState{"second-step", `form[action="/login/second-factor/passkey"] button`, "Use your passkey"})
	b.do("use the passkey", click(`form[action="/login/second-factor/passkey"] button`))
	b.expect(pageState{"signed-in-by-both", "#passkeys li", "10 of 10 recovery codes left"})

	b.do("open the passkey", click("#passkeys summary"))
	b.expect(pageState{"open", `form[action$="/remove"] button`, "Remove this passkey"})
	b.do("remove it", click(`form[action$="/remove"] button`))
	b.expect(pageState{"removed", "#passkeys", "Two-step verification is off."})
	b.logOut()
	b.do("log in with the removed passkey", chromedp.Navigate(server.url+"/login"), click(`form[action="/login/passkey"] button`))
	b.expect(pageState{"refused", `[role="alert"]`, "This passkey wasn't accepted."})
	b.logIn(server.url, "nora@example.com", "front of house")
}

// virtualAuthenticator connects an authenticator of the device, whose user is always verified.
func virtualAuthenticator() action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return err
	})
}

// narrow takes screenshots of a page at 320 and at 1280 pixels.
func (b *browser) narrow(name string, state pageState) {
	b.t.Helper()
	b.do("narrow", chromedp.EmulateViewport(320, 800))
	b.expect(pageState{name + "-320", state.visible, state.text})
	b.do("wide", chromedp.EmulateViewport(1280, 900))
	b.expect(state)
}
