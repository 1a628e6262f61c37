package main

import (
	"testing"

	"github.com/chromedp/chromedp"

	"usher/billing/account/oidc/oidctest"
)

// TestOIDCJourney signs a new person up at a provider, without a password, and somebody else in
// whose account has the same address.
func TestOIDCJourney(t *testing.T) {
	provider := oidctest.New(t)
	provider.SignIn(oidctest.Person{Subject: "1", Email: "noa@lyric.example", Name: "Noa Dahl", Verified: true})
	server := startServer(t, "OIDC_ISSUER="+provider.URL, "OIDC_CLIENT_ID="+oidctest.ClientID, "OIDC_CLIENT_SECRET="+oidctest.ClientSecret)
	b := newBrowser(t, "oidc")
	const atProvider, signUp = `form[action="/login/oidc"] button`, `form[action="/login/oidc/signup"]`
	b.do("open the log-in", chromedp.Navigate(server.url+"/login?next=/settings/security"))
	b.expect(pageState{"log-in", atProvider, "Or with your password"})
	provider.Away(true)
	b.do("go to the provider while it is away", click(atProvider))
	b.expect(pageState{"away", atProvider, "isn't responding"})
	provider.Away(false)
	b.do("try again", click(atProvider))
	b.expect(pageState{"provider", `button[value="yes"]`, "Continue as Noa Dahl"})
	b.do("cancel", click(`button[value="no"]`))
	b.expect(pageState{"canceled", atProvider, "You canceled"})
	b.do("try again", click(atProvider))
	b.expect(pageState{"provider-again", `button[value="yes"]`, "Continue as Noa Dahl"})
	b.do("agree", click(`button[value="yes"]`))
	b.expect(pageState{"new", signUp, "noa@lyric.example"})
	b.do("narrow", chromedp.EmulateViewport(320, 800))
	b.expect(pageState{"new-320", signUp, "noa@lyric.example"})
	b.do("wide", chromedp.EmulateViewport(1280, 900))
	b.do("sign up", typeInto("organization", "Lyric Street"), click(signUp+" button"))
	b.expect(pageState{"signed-up", "#identities", "noa@lyric.example"})
	b.do("narrow", chromedp.EmulateViewport(320, 800))
	b.expect(pageState{"signed-up-320", "#identities", "Unlink"})
	b.do("wide", chromedp.EmulateViewport(1280, 900))
	b.logOut()

	b.do("sign in again", chromedp.Navigate(server.url+"/login/oidc"), click(atProvider), waitVisible(`button[value="yes"]`), click(`button[value="yes"]`))
	b.expect(pageState{"signed-in", "h1", "Lyric Street"})
	b.logOut()

	provider.SignIn(oidctest.Person{Subject: "2", Email: "member@usher.example", Name: "Amara Okoye", Verified: true})
	b.do("sign in with the address of an account", chromedp.Navigate(server.url+"/login/oidc"), click(atProvider), waitVisible(`button[value="yes"]`), click(`button[value="yes"]`))
	b.expect(pageState{"address-in-use", `a[href^="/login?next"]`, "There is an account with this address"})
	b.do("sign in to it", click(`a[href^="/login?next"]`), waitVisible(`form[action="/login"]`), typeInto("email", "member@usher.example"),
		typeInto("password", demoPassword), click(`form[action="/login"] button`))
	b.expect(pageState{"link", `form[action="/login/oidc/link"]`, "It will sign in to your account here"})
	b.do("link it", click(`form[action="/login/oidc/link"] button`))
	b.expect(pageState{"linked", "#identities", "Your identity provider is linked."})
	b.logOut()
}
