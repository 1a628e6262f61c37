package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A product shows billing in a frame of its pages, which are at another site than Usher: the person
// is handed over, buys a plan at Stripe and comes back. No other site can frame the same address.
func TestBillingInFrame(t *testing.T) {
	t.Parallel()
	product, other := startProductPage(t), startProductPage(t)
	in := startInstallation(t, "EMBED_ORIGINS="+product, "BILLING_SUCCESS_URL="+product+"/paid")
	organization := in.client(t).open("/signup").signUp("nora@lyric.example").summary().OrganizationID
	b := newBrowserWithFrames(t, "frame")
	frameOf := func(origin, path string) *browser {
		b.do("open the product", chromedp.Navigate(origin+"/?frame="+url.QueryEscape(in.url+path)))
		return b.attachFrame()
	}
	handover := func() string {
		return "/handover?token=" + in.handoverToken("nora@lyric.example", organization)
	}

	frame := frameOf(product, handover())
	frame.see(pageState{"hand-over", `form[action="/handover"]`, "You'll be signed in as nora@lyric.example"})
	b.screenshot("hand-over")
	frame.do("continue", click(`form[action="/handover"] button`))
	frame.see(pageState{"billing", "#billing-panel", "No plan"})
	b.screenshot("billing")

	// The session lasts without a new token, and in this product's frames only.
	frame = frameOf(product, "/organization?tab=billing")
	frame.see(pageState{"again", "#billing-panel", "No plan"})
	b.do("open Usher itself", chromedp.Navigate(in.url+"/organization?tab=billing"), waitVisible(`form[action="/login"]`))
	frame = frameOf(product, "/settings")
	frame.see(pageState{"settings", `a[target="_blank"]`, "This page needs a tab of its own"})
	b.screenshot("settings")

	frame = frameOf(product, "/organization?tab=billing")
	frame.do("see the plans", click(`main a[href^="/pricing"]`))
	frame.see(pageState{"plans", `form[action="/billing/checkout"]`, "For growing teams"})
	b.screenshot("plans")
	frame.do("buy", click(`form[action="/billing/checkout"] button`))
	frame.see(pageState{"to-stripe", `a[target="_top"]`, "Stripe's pages can't be shown inside another page."})
	b.screenshot("to-stripe")
	frame.do("to Stripe", click(`a[target="_top"]`))
	b.do("pay", enterCard("4242 4242 4242 4242", checkoutButton)...)
	b.see(pageState{"paid", "iframe", "Your product"})
	// The webhook may come later than the person.
	frame = frameOf(product, "/organization?tab=billing&success=true&session_id="+b.queryValue("session_id"))
	frame.see(pageState{"active", "#billing-panel", "Active"})
	b.screenshot("active")

	refused := frameOf(other, handover())
	refused.see(pageState{"refused", "body", "refused to connect"})
	b.screenshot("refused")
}

// startProductPage starts the page of a product, at another site than localhost, whose frame has
// the address of the query.
func startProductPage(t *testing.T) (origin string) {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Product</title><h1>Your product</h1>
			<iframe src="%s" title="Billing" style="width:100%%;height:760px;border:1px solid"></iframe>`, r.URL.Query().Get("frame"))
	}))
	t.Cleanup(page.Close)
	return page.URL
}

// attachFrame returns the page in the frame of another site, which has a process of its own.
func (b *browser) attachFrame() *browser {
	b.t.Helper()
	var id target.ID
	eventually(b.t, "the frame", func() bool {
		all, err := chromedp.Targets(b.tab)
		for _, one := range all {
			if one.Type == "iframe" {
				id = one.TargetID
			}
		}
		return err == nil && id != ""
	})
	tab, cancel := chromedp.NewContext(b.tab, chromedp.WithTargetID(id))
	b.t.Cleanup(cancel)
	return &browser{t: b.t, tab: tab, dir: b.dir}
}

// queryValue returns a parameter of the address of the page.
func (b *browser) queryValue(name string) string {
	b.t.Helper()
	address, err := chromedp.Run(b.tab, chromedp.Location())
	parsed, parseErr := url.Parse(address)
	if err != nil || parseErr != nil || parsed.Query().Get(name) == "" {
		b.t.Fatalf("the address %q has no %s: %v", address, name, errors.Join(err, parseErr))
	}
	return parsed.Query().Get(name)
}

// see waits for a page state without a screenshot, which a frame has none of.
func (b *browser) see(state pageState) {
	b.t.Helper()
	if err := b.waitFor(state); err != nil {
		b.fail(state.name, err)
	}
}

// handoverToken signs a token as a product's back end does.
func (in *installation) handoverToken(email, organization string) string {
	key, _ := base64.StdEncoding.DecodeString(in.handoverKey)
	encode := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	signed := encode([]byte(`{"alg":"HS256","typ":"usher-handover+jwt"}`)) + "." + encode(fmt.Appendf(nil,
		`{"aud":%q,"sub":%q,"org":%q,"iat":%d,"exp":%d,"jti":%q}`, in.url, email, organization, now, now+60, rand.Text()))
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(signed)) // never fails
	return signed + "." + encode(mac.Sum(nil))
}
