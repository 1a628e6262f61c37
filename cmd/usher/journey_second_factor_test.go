package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// TestSecondFactorInChromium sets up two-step verification where it is required, signs in with a
// code and with a recovery code, and has an operator reset it.
func TestSecondFactorInChromium(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir, "REQUIRE_2FA=operators")
	b := newBrowser(t, "second-factor")
	b.logIn(server.url, "admin@usher.example", demoPassword)
	b.do("open the pages for operators", chromedp.Navigate(server.url+"/admin/events"))
	b.expect(pageState{"required", `form[action="/settings/security/setup"]`, "Operators need it"})
	b.do("give the password", typeInto("password", demoPassword), click(`form[action="/settings/security/setup"] button`))
	b.expect(pageState{"authenticator", `[role="img"] svg`, "Type this key into the app"})
	key := strings.ReplaceAll(b.textOf("p.font-mono"), " ", "")
	b.do("type a wrong code", typeInto("code", "000000"), click(`form[action="/settings/security/confirm"] button`))
	b.expect(pageState{"wrong-code", "#code-error", "This code doesn't match"})
	b.do("type the code", typeInto("code", b.oneTimeCode(key, 0)), click(`form[action="/settings/security/confirm"] button`))
	b.expect(pageState{"recovery-codes", "#recovery-codes", "Two-step verification is on."})
	codes := strings.Fields(b.textOf("#recovery-codes"))
	b.do("narrow", chromedp.EmulateViewport(320, 800))
	b.expect(pageState{"recovery-codes-320", "#recovery-codes", codes[9]})
	b.do("wide", chromedp.EmulateViewport(1280, 900))
	b.do("open the pages for operators", chromedp.Navigate(server.url+"/admin/events"))
	b.expect(pageState{"operator", "h1", "What Stripe has sent"})

	b.logOut()
	b.signInUntilSecondStep(server.url + "/login?next=/settings/security")
	b.expect(pageState{"second-step", `input[name="code"]`, "Enter your code"})
	b.do("type the code", typeInto("code", b.oneTimeCode(key, 30*time.Second)), click(`form[action="/login/second-factor"] button`))
	b.expect(pageState{"signed-in-by-code", "h1", "10 of 10 recovery codes left"})

	b.logOut()
	b.signInUntilSecondStep(server.url + "/login?next=/settings/security")
	b.do("use a recovery code", click(`a[href*="with=recovery-code"]`))
	b.expect(pageState{"recovery-code", `input[name="code"]`, "Use a recovery code"})
	b.do("type the recovery code", typeInto("code", codes[4]), click(`form[action="/login/second-factor"] button`))
	b.expect(pageState{"signed-in-by-recovery-code", "h1", "9 of 10 recovery codes left"})
	b.logOut()

	code, stdout, stderr := runCommand(t, []string{"user", "reset-2fa", "admin@usher.example"}, "DATA_DIR="+dataDir)
	if code != exitOK || !strings.Contains(stdout, "two-step verification is off") {
		t.Fatalf("reset-2fa: %d, %s%s", code, stdout, stderr)
	}
	b.logIn(server.url, "admin@usher.example", demoPassword)
	b.expect(pageState{"signed-in-after-reset", "h1", "Dashboard"})
}

// signInUntilSecondStep fills in the log-in form.
func (b *browser) signInUntilSecondStep(url string) {
	b.t.Helper()
	b.do("log in", chromedp.Navigate(url), typeInto("email", "admin@usher.example"),
		typeInto("password", demoPassword), click(`form[action="/login"] button`), waitVisible(`form[action="/login/second-factor"]`))
}

// textOf returns the text of an element.
func (b *browser) textOf(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.tab, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		b.fail(selector, err)
	}
	return text
}

// oneTimeCode returns the code that an app shows at an offset from now. That of the next step is
// accepted too, as from a phone whose clock is ahead.
func (b *browser) oneTimeCode(key string, offset time.Duration) string {
	b.t.Helper()
	code, err := totp.GenerateCode(key, time.Now().Add(offset))
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}
