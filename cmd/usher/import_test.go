package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/billing"
)

var importCustomers = flag.Int("import-customers", 12, "customers that TestImportCommand imports")

// importStates are the states of the subscriptions that are imported, with what their page says.
var importStates = []struct {
	name   string
	fields url.Values
	after  url.Values // an update of the subscription
	shown  string
}{
	{"active", nil, nil, "Renews on"},
	{"trialing", url.Values{"trial_period_days": {"10"}}, nil, "rial"},
	{"canceled at the period's end", nil, url.Values{"cancel_at_period_end": {"true"}}, "Ends on"},
}

// TestImportCommand imports customers beside a server, and shows each owner's billing page by the
// link of the invitation. The quantities at Stripe stay as they are.
func TestImportCommand(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	price := server.proPrice(t)
	began := time.Now()
	for i := range *importCustomers {
		state := importStates[i%len(importStates)]
		customer := server.postToStripe(t, "/v1/customers", url.Values{
			"email": {fmt.Sprintf("owner%d@company.example", i)}, "name": {fmt.Sprintf("Company %d", i)},
			"payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"},
		})
		form := url.Values{"customer": {customer}, "items[0][price]": {price}, "items[0][quantity]": {fmt.Sprint(i%9 + 1)}}
		for name, value := range state.fields {
			form[name] = value
		}
		subscription := server.postToStripe(t, "/v1/subscriptions", form)
		if state.after != nil {
			server.postToStripe(t, "/v1/subscriptions/"+subscription, state.after)
		}
	}
	server.postToStripe(t, "/v1/subscriptions", url.Values{"customer": {server.postToStripe(t, "/v1/customers", url.Values{
		"payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"},
	})}, "items[0][price]": {price}})
	t.Logf("%d customers made in %s", *importCustomers, time.Since(began).Round(time.Millisecond))

	importStripe := func(args ...string) billing.ImportReport {
		t.Helper()
		began := time.Now()
		args = append([]string{"import", "stripe", "--json", "--calls-per-second", "1000"}, args...)
		code, stdout, stderr := runCommand(t, args, "DATA_DIR="+dataDir)
		var report billing.ImportReport
		if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitOK {
			t.Fatalf("exit code %d: %v: %s%s", code, err, stdout, stderr)
		}
		t.Logf("%v: %d imported, %d left alone, %d calls, %s", args[4:], len(report.Imported), len(report.LeftAlone), report.Calls, time.Since(began).Round(time.Millisecond))
		return report
	}
	if dry := importStripe("--dry-run"); len(dry.Imported) != *importCustomers || len(dry.LeftAlone) != 1 || dry.LeftAlone[0].Reason != billing.LeftNoEmail {
		t.Fatalf("dry run: %+v", dry)
	}
	first := importStripe()
	if second := importStripe(); len(first.Imported) != *importCustomers || len(second.Imported) != 0 || second.Relinked != 0 || len(second.LeftAlone) != *importCustomers+1 {
		t.Fatalf("first run: %+v\nsecond run: %+v", first, second)
	}
	links := server.invitationLinks(t)
	checked := 0
	for _, imported := range first.Imported {
		if link := links[imported.Email]; link != "" {
			owner := server.checkImported(t, imported, link)
			if checked == 0 {
				server.checkConfirmation(t, owner, imported)
			}
			checked++
		}
	}
	if checked < min(*importCustomers, 20) {
		t.Errorf("only %d billing pages were checked", checked)
	}
	code, stdout, _ := runCommand(t, []string{"import", "stripe"}, "DATA_DIR="+dataDir)
	for _, want := range []string{fmt.Sprintf("Imported 0 of %d customers", *importCustomers+1), "Left alone: 1 that have no e-mail address."} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, no %q in:\n%s", code, want, stdout)
		}
	}
	for _, wrong := range [][]string{{"import"}, {"import", "paypal"}, {"import", "stripe", "--calls-per-second", "0"}, {"import", "stripe", "--max-calls", "-1"}} {
		if code, _, _ := runCommand(t, wrong, "DATA_DIR="+dataDir); code != exitUsage {
			t.Errorf("%v: exit code %d", wrong, code)
		}
	}
}

// checkImported opens the billing page as the owner and compares it with what was imported.
func (s *testServer) checkImported(t *testing.T, imported billing.ImportedSubscription, link string) (owner *client) {
	t.Helper()
	var number int
	if _, err := fmt.Sscanf(imported.Email, "owner%d@", &number); err != nil {
		t.Fatal(err)
	}
	c := s.client(t)
	c.open(link).expectText(imported.Name)
	c.submit(`form[action^="/invite/"]`, "name=Owner", "password=a long password of mine")
	c.open("/organization?tab=billing").expectText("Pro", "$29", importStates[number%len(importStates)].shown)
	seats := fmt.Sprintf("Stripe bills %d seat", imported.Quantity)
	c.expectText(seats, "you have 1 person here", "Not confirmed")
	if summary := c.summary(); summary.OrganizationID != imported.OrganizationID || summary.Seats.DesiredSeats != imported.Quantity || summary.Sync.Status != "ok" {
		t.Errorf("summary of %+v: %+v", imported, summary)
	}
	if got := s.quantityAtStripe(t, imported.SubscriptionID); got != imported.Quantity {
		t.Errorf("%s has %d seats at Stripe, imported with %d", imported.Name, got, imported.Quantity)
	}
	return c
}

// checkConfirmation confirms the number of people as the owner, after the amount if there is one.
func (s *testServer) checkConfirmation(t *testing.T, owner *client, imported billing.ImportedSubscription) {
	t.Helper()
	owner.submit(`#seat-panel form[action="/organization/seats/confirm"]`)
	if imported.Quantity > 1 {
		owner.expectText("Confirm the number of seats", seatsNow(imported.Quantity)).submit(`form[action="/organization/seats/confirm"]`)
	}
	owner.expectText("The number of seats is confirmed.")
	deadline := time.Now().Add(waitTimeout)
	for s.quantityAtStripe(t, imported.SubscriptionID) != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("the quantity at Stripe is still %d", s.quantityAtStripe(t, imported.SubscriptionID))
		}
		time.Sleep(50 * time.Millisecond) // polling interval
	}
}

func seatsNow(n int) string { return fmt.Sprintf("Stripe bills %d seats now", n) }

func (s *testServer) quantityAtStripe(t *testing.T, subscriptionID string) int {
	t.Helper()
	var subscription struct {
		Items struct{ Data []struct{ Quantity int } }
	}
	s.requestStripe(t, "GET", "/v1/subscriptions/"+subscriptionID, nil, &subscription)
	return subscription.Items.Data[0].Quantity
}

var inviteLink = regexp.MustCompile(`(owner\d+@company\.example).*?(/invite/[A-Za-z0-9_%-]+)`)

// invitationLinks returns the links of the invitations on the outbox page, by address. That page
// has the newest e-mails only.
func (s *testServer) invitationLinks(t *testing.T) map[string]string {
	t.Helper()
	links := map[string]string{}
	for _, found := range inviteLink.FindAllStringSubmatch(s.client(t).open("/dev/mail").text("body"), -1) {
		links[found[1]] = found[2]
	}
	return links
}
