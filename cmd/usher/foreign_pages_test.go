package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/stripelocal"
	mailviews "usher/views/mail"
)

// TestLettersAreAccessible checks the HTML of every e-mail with axe-core, in light and dark colors
// and at a width of 320 and of 1280 pixels.
func TestLettersAreAccessible(t *testing.T) {
	t.Parallel()
	letters := map[string]string{}
	at := time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)
	for _, kind := range mail.Kinds() {
		rendered, err := mailviews.Renderer{}.Render(t.Context(), mail.Message{Kind: kind, Data: mail.Data{
			Name: "Ana Lima", Organization: "Lyric Street", Inviter: "Bo Lind", Plan: "Pro", Interval: catalog.Yearly, Changes: []string{"Bo Lind: $29.00"},
			Amount: catalog.Money{Minor: 261000, Currency: "usd"}, URL: "https://usher.test/billing", At: at, NextAt: at.AddDate(0, 0, 3), Seats: 9,
		}})
		if err != nil {
			t.Fatal(err)
		}
		letters["/"+string(kind)] = rendered.HTML
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(letters[r.URL.Path]))
	}))
	t.Cleanup(server.Close)
	var addresses []string
	for path := range letters {
		addresses = append(addresses, server.URL+path)
	}
	newBrowser(t, "letters").checkAccessible(addresses)
}

// TestLocalStripePagesAreAccessible checks Checkout, the portal, an invoice and the dashboard in
// the same way.
func TestLocalStripePagesAreAccessible(t *testing.T) {
	t.Parallel()
	l := newStripeForPages(t)
	price := l.call("/v1/prices", url.Values{"currency": {"usd"}, "unit_amount": {"2900"}, "recurring[interval]": {"month"}, "product_data[name]": {"Pro"}})
	customer := l.call("/v1/customers", url.Values{"email": {"ana@lyric.example"}, "name": {"Ana Lima"}})
	session := l.call("/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {customer.ID}, "line_items[0][price]": {price.ID}, "line_items[0][quantity]": {"3"},
		"success_url": {l.url + "/done"}, "cancel_url": {l.url + "/back"}, "allow_promotion_codes": {"true"},
	})
	l.call("/v1/invoiceitems", url.Values{"customer": {customer.ID}, "amount": {"500"}, "currency": {"usd"}, "description": {"Support"}})
	invoice := l.call("/v1/invoices", url.Values{"customer": {customer.ID}, "pending_invoice_items_behavior": {"include"}, "collection_method": {"send_invoice"}, "days_until_due": {"7"}})
	invoice = l.call("/v1/invoices/"+invoice.ID+"/finalize", url.Values{})
	configuration := l.call("/v1/billing_portal/configurations", url.Values{
		"business_profile[headline]": {"Manage your plan"}, "features[invoice_history][enabled]": {"true"}, "features[payment_method_update][enabled]": {"true"},
		"features[customer_update][enabled]": {"true"}, "features[customer_update][allowed_updates][0]": {"name"},
	})
	portal := l.call("/v1/billing_portal/sessions", url.Values{"customer": {customer.ID}, "configuration": {configuration.ID}, "return_url": {l.url + "/back"}})
	newBrowser(t, "local-stripe").checkAccessible([]string{
		session.URL, portal.URL, invoice.HostedURL, l.url + "/_usher/", l.url + "/_usher/list/events", l.url + "/_usher/list/customers", l.url + "/_usher/show/customers/" + customer.ID,
	})
}

// stripeForPages is a local Stripe without Usher.
type stripeForPages struct {
	t   *testing.T
	url string
}

func newStripeForPages(t *testing.T) stripeForPages {
	t.Helper()
	local, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(local.Handler())
	local.SetOrigin(server.URL)
	t.Cleanup(func() {
		_ = local.Close(context.Background())
		server.Close()
	})
	return stripeForPages{t, server.URL}
}

type stripePage struct {
	ID, URL   string
	HostedURL string `json:"hosted_invoice_url"`
}

func (l stripeForPages) call(path string, form url.Values) stripePage {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	r.SetBasicAuth("sk_test_pages", "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer got.Body.Close()
	var made stripePage
	if err := json.NewDecoder(got.Body).Decode(&made); err != nil || got.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %d, %v", path, got.StatusCode, err)
	}
	return made
}

// checkAccessible fails for each violation of a rule of axe-core, and prints how many pages it has
// checked.
func (b *browser) checkAccessible(addresses []string) {
	b.t.Helper()
	script, err := os.ReadFile("../../node_modules/axe-core/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	const check = `axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations.map((v) =>
		v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(' | ')).concat(
		document.documentElement.scrollWidth > innerWidth ? ['wider than the window'] : []))`
	checked := 0
	for _, address := range addresses {
		b.do("open "+address, chromedp.Navigate(address))
		if _, err := chromedp.Run(b.tab, chromedp.Evaluate[bool](string(script)+"; true")); err != nil {
			b.fail("load axe-core", err)
		}
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1280} {
				b.do("look at "+address, chromedp.EmulateViewport(width, 900), colorScheme(scheme))
				violations, err := chromedp.Run(b.tab, chromedp.Evaluate[[]string](check, chromedp.EvalAwaitPromise))
				if err != nil {
					b.fail("check "+address, err)
				}
				for _, violation := range violations {
					b.t.Errorf("%s, %s, %d pixels: %s", address, scheme, width, violation)
				}
				checked++
			}
		}
	}
	b.t.Logf("%d pages checked", checked)
}
