package main

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	_ "github.com/lib/pq" // the driver of watchAccess
)

// productJourney is a product, its organization, and the browser of the organization's admin.
type productJourney struct {
	*lifecycle
	in           *installation
	product      *product
	key          string
	organization string
	read         int // how much of the product's log the test has seen
}

const productAdmin = "nora@lantern.example"

// TestProductEndToEnd plays a product that talks to Usher over HTTP only, from the first customer
// to the end of their plan. The product consists of docs/examples/python.md and testdata/product.
func TestProductEndToEnd(t *testing.T) {
	t.Parallel()
	in := startInstallation(t)
	j := &productJourney{lifecycle: &lifecycle{browser: newBrowser(t, "product"), server: in.testServer, dataDir: in.dataDir}, in: in}
	j.startProduct()
	j.signUp()
	committed := j.watchAccess()
	j.pay()
	j.measure(<-committed, j.see(`entitlements.changed: plan pro, active, access True, .*'paid': 4`))
	j.product.expect(t, http.StatusOK, http.MethodGet, "/reports")
	j.product.expect(t, http.StatusOK, http.MethodPost, "/exports/1")
	j.see(`export 1: 997 credits are left`)

	j.product.expect(t, http.StatusOK, http.MethodDelete, "/people/4")
	j.see(`removed Dov Dunn`)
	eventually(t, "three seats at Stripe", func() bool { return j.subscription().Items.Data[0].Quantity == 3 })
	j.see(`seats.changed: 3 people, quantity 3, sync ok`)

	j.openBilling()
	j.cancel()
	j.see(`subscription.changed: active, ends True`)
	j.product.expect(t, http.StatusOK, http.MethodGet, "/reports")
	j.advanceClock("1 month", "2 hours")
	j.see(`entitlements.changed: .*access False`)
	j.product.expect(t, http.StatusPaymentRequired, http.MethodGet, "/reports")
	if at := j.subscription(); at.Status != "canceled" {
		t.Errorf("Stripe's status is %s", at.Status)
	}
	if text, _ := j.product.output.read(); strings.Contains(text, "refused a webhook") || strings.Contains(text, "Traceback") {
		t.Error("the product has refused a webhook or failed")
	}
}

func (j *productJourney) startProduct() {
	j.t.Helper()
	folder := j.t.TempDir()
	writeExample(j.t, "python.md", folder)
	text, err := os.ReadFile("testdata/product/product.py")
	if err != nil {
		j.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "product.py"), text, 0o644); err != nil {
		j.t.Fatal(err)
	}
	j.key = j.in.createKey(j.t).Key
	j.product = startProduct(j.t, folder, []string{
		"USHER_URL=" + j.in.url, "USHER_KEY=" + j.key, "USHER_HANDOVER_KEY=" + j.in.handoverKey,
	}, findRuntime(j.t, "python3", installPython), "product.py")
	j.t.Cleanup(func() {
		text, _ := j.product.output.read()
		j.t.Logf("log of the product:\n%s", text)
	})
}

// signUp lets the product create an organization with four people. The admin accepts the
// invitation.
func (j *productJourney) signUp() {
	j.t.Helper()
	people := []map[string]string{
		{"externalId": "1", "email": productAdmin, "name": "Nora Njoroge", "role": "admin"},
		{"externalId": "2", "email": "bo@lantern.example", "name": "Bo Berg"},
		{"externalId": "3", "email": "cleo@lantern.example", "name": "Cleo Castro"},
		{"externalId": "4", "email": "dov@lantern.example", "name": "Dov Dunn"},
	}
	text, err := json.Marshal(map[string]any{"name": "Lantern Theatre", "people": people})
	if err != nil {
		j.t.Fatal(err)
	}
	if status, _ := j.product.request(j.t, http.MethodPost, "/theatres", nil, string(text)); status != http.StatusOK {
		j.t.Fatalf("the product answers %d", status)
	}
	j.see(`created Lantern Theatre`)
	j.see(`set 4 people, 3 of them new: 4 seats`)
	var found struct{ Organizations []struct{ ID string } }
	j.in.call(j.t, j.key, http.MethodGet, "/api/v1/organizations?externalId=customer-1", "", nil, &found)
	j.organization = found.Organizations[0].ID
	j.in.acceptInvitation(j.t, "Nora Njoroge", productAdmin)
	j.see(`member.changed: Nora Njoroge, active, joined True`)
	j.product.expect(j.t, http.StatusPaymentRequired, http.MethodGet, "/reports")
}

// pay comes in by the hand-over and pays in Chromium.
func (j *productJourney) pay() {
	j.t.Helper()
	j.do("open the product's link", chromedp.Navigate(j.product.url+"/billing?email="+url.QueryEscape(productAdmin)))
	j.expect(pageState{"hand-over", `form[action="/handover"]`, productAdmin})
	j.do("continue", click(`form[action="/handover"] button`), waitVisible("#billing-panel"))
	j.expect(pageState{"no-plan", "#billing-panel", "No plan yet"})
	j.do("choose Pro", chromedp.Navigate(j.in.url+"/pricing"), click(`form[action="/billing/checkout"]:has(input[value="pro"]) button`))
	j.do("pay", enterCard("4242 4242 4242 4242", checkoutButton)...)
	j.expect(pageState{"paid", "#seat-panel", "4 people, 4 seats"})
}

// see waits until the product logs a line, after those that the test has seen, and returns its
// time.
func (j *productJourney) see(pattern string) time.Time {
	j.t.Helper()
	line := regexp.MustCompile(`(?m)^\+ *([\d.]+) s  ` + pattern)
	var match []string
	eventually(j.t, "the product's log: "+pattern, func() bool {
		text, _ := j.product.output.read()
		match = line.FindStringSubmatch(text[j.read:])
		if at := line.FindStringIndex(text[j.read:]); at != nil {
			j.read += at[1]
		}
		return match != nil
	})
	started := j.product.waitFor(j.t, regexp.MustCompile(`It started at ([\d.]+)`))
	return time.UnixMicro(int64((j.seconds(started[1]) + j.seconds(match[1])) * 1e6))
}

func (j *productJourney) seconds(text string) float64 {
	j.t.Helper()
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		j.t.Fatal(err)
	}
	return seconds
}

// watchAccess sends the time at which the database first shows the paid subscription to others.
func (j *productJourney) watchAccess() <-chan time.Time {
	j.t.Helper()
	dsn, err := os.ReadFile(filepath.Join(j.dataDir, "postgres.dsn"))
	if err != nil {
		j.t.Fatal(err)
	}
	database, err := sql.Open("postgres", strings.TrimSpace(string(dsn)))
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { _ = database.Close() })
	committed := make(chan time.Time, 1)
	go func() {
		defer close(committed)
		for deadline := time.Now().Add(2 * waitTimeout); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) { // polling interval
			var paid bool
			err := database.QueryRowContext(j.t.Context(), "select exists (select from subscriptions where organization_id = $1 and status = 'active')", j.organization).Scan(&paid)
			if err != nil {
				return // the test has ended, or measure fails
			}
			if paid {
				committed <- time.Now()
				return
			}
		}
	}()
	return committed
}

// measure reports how long after the payment the product has processed the webhook. The time is not
// limited: it depends on what else the machine does.
func (j *productJourney) measure(committed, received time.Time) {
	j.t.Helper()
	if committed.IsZero() {
		j.t.Fatal("the paid subscription was not seen in the database")
	}
	code, stdout, stderr := runCommand(j.t, []string{"events", "--json", "--limit", "1000", "list"}, j.in.environment...)
	var events []eventView
	if err := json.Unmarshal([]byte(stdout), &events); code != exitOK || err != nil {
		j.t.Fatalf("events list: exit code %d, %v: %s", code, err, stderr)
	}
	i := slices.IndexFunc(events, func(e eventView) bool { return e.Type == "checkout.session.completed" })
	if i < 0 {
		j.t.Fatal("Stripe has sent no checkout.session.completed")
	}
	j.t.Logf("the product has access %d ms after the commit of the subscription, %d ms after Stripe's event of the payment arrived",
		received.Sub(committed).Milliseconds(), received.Sub(events[i].ReceivedAt).Milliseconds())
}

// subscription returns the organization's subscription at Stripe.
func (j *productJourney) subscription() stripeSubscription {
	j.t.Helper()
	var summary billingSummary
	j.in.call(j.t, j.key, http.MethodGet, "/billing/getSummary", j.organization, nil, &summary)
	var at stripeSubscription
	j.getFromStripe("/v1/subscriptions/"+summary.Subscription.StripeSubscriptionID, &at)
	return at
}
