package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing"
)

// TestLinkCustomerCommand links a paying customer to an organization beside a server on the same
// DATA_DIR.
func TestLinkCustomerCommand(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	c := server.client(t)
	c.open("/signup").signUp("adopt@example.com")
	organizationID := c.summary().OrganizationID
	customerID := server.postToStripe(t, "/v1/customers", url.Values{
		"metadata[orgId]": {"org_gone"}, "payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"},
	})
	server.postToStripe(t, "/v1/subscriptions", url.Values{
		"customer": {customerID}, "metadata[orgId]": {"org_gone"}, "items[0][price]": {server.proPrice(t)},
	})
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := runCommand(t, args, "DATA_DIR="+dataDir)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr)
		}
		return stdout, stderr
	}

	for range 2 {
		var report billing.DriftReport
		output, _ := run(exitOK, "reconcile", "--json")
		if err := json.Unmarshal([]byte(output), &report); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(output, `"kind":"unknown_organization","objectId":"`+customerID+`"`) {
			t.Errorf("reconcile --json does not report %s: %s", customerID, output)
		}
	}
	for _, wrong := range [][]string{{"adopt"}, {"adopt", "--customer", "x", "--org", organizationID}} {
		if _, stderr := run(exitUsage, wrong...); !strings.Contains(stderr, "needs --customer cus_… and --org org_…") {
			t.Errorf("%v prints %s", wrong, stderr)
		}
	}
	if _, stderr := run(exitFailed, "adopt", "--customer", customerID, "--org", "org_unknown"); !strings.Contains(stderr, "no organization org_unknown") {
		t.Errorf("an unknown organization prints %s", stderr)
	}
	if output, _ := run(exitOK, "adopt", "--help"); !strings.Contains(output, "--dry-run") {
		t.Errorf("--help prints %s", output)
	}
	output, _ := run(exitOK, "adopt", "--customer", customerID, "--org", organizationID, "--dry-run")
	if !strings.Contains(output, "would be linked to the organization "+organizationID) || c.summary().Customer != nil {
		t.Errorf("the dry run prints %s", output)
	}
	output, _ = run(exitOK, "adopt", "--customer", customerID, "--org", organizationID, "--json")
	var linked linkingView
	if err := json.Unmarshal([]byte(output), &linked); err != nil || linked.CustomerID != customerID || len(linked.Subscriptions) != 1 || linked.Report == nil {
		t.Fatalf("%v: %s", err, output)
	}
	c.waitForSummary("the linked plan", func(s billingSummary) bool {
		return s.Customer != nil && s.Customer.StripeCustomerID == customerID && s.Subscription != nil && s.Subscription.Status == "active"
	})
	if output, _ := run(exitOK, "reconcile", "--json"); strings.Contains(output, "unknown_organization") {
		t.Errorf("after the linking: %s", output)
	}
}

// proPrice returns the id of the monthly price of the plan pro.
func (s *testServer) proPrice(t *testing.T) string {
	t.Helper()
	var prices struct{ Data []struct{ ID string } }
	s.requestStripe(t, http.MethodGet, "/v1/prices?lookup_keys[]=usher_pro_month", nil, &prices)
	if len(prices.Data) != 1 {
		t.Fatalf("prices %+v", prices)
	}
	return prices.Data[0].ID
}

// postToStripe creates an object at the local Stripe and returns its id.
func (s *testServer) postToStripe(t *testing.T, path string, form url.Values) string {
	t.Helper()
	var created struct{ ID string }
	s.requestStripe(t, http.MethodPost, path, form, &created)
	return created.ID
}

func (s *testServer) requestStripe(t *testing.T, method, path string, form url.Values, into any) {
	t.Helper()
	requestStripe(t, s.stripeURL(t), method, path, form, into)
}

// requestStripe is what somebody at Stripe does, or their scripts.
func requestStripe(t *testing.T, origin, method, path string, form url.Values, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_123456789012", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d, %v", method, path, response.StatusCode, err)
	}
}
