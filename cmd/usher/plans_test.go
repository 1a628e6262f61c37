package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/stripelocal"
)

// newStripeAccount serves a local Stripe and returns the variables for it.
func newStripeAccount(t *testing.T) []string {
	t.Helper()
	stripe, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stripe.Handler())
	t.Cleanup(func() {
		server.Close()
		_ = stripe.Close(t.Context())
	})
	stripe.SetOrigin(server.URL)
	return []string{
		"STRIPE_SECRET_KEY=sk_test_1234567890abcdef", "STRIPE_API_BASE=" + server.URL,
		"BASE_URL=http://localhost:4312",
	}
}

// runPlansCommand runs plans diff or plans push.
func runPlansCommand(t *testing.T, subcommand string, environment []string) []priceResult {
	t.Helper()
	code, stdout, stderr := runCommand(t, []string{"plans", subcommand, "--json"}, environment...)
	if code != exitOK {
		t.Fatalf("plans %s: exit code %d: %s", subcommand, code, stderr)
	}
	var results []priceResult
	if err := json.Unmarshal([]byte(stdout), &results); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestPlansPushIsIdempotent(t *testing.T) {
	environment := newStripeAccount(t)
	steps := []struct{ subcommand, want string }{
		{"diff", "missing"}, {"push", "created"}, {"diff", "unchanged"}, {"push", "unchanged"},
	}
	for i, step := range steps {
		var got []string
		for _, r := range runPlansCommand(t, step.subcommand, environment) {
			got = append(got, r.Result)
		}
		if want := slices.Repeat([]string{step.want}, 6); !slices.Equal(got, want) {
			t.Errorf("step %d, plans %s: results are %v, want %v", i, step.subcommand, got, want)
		}
	}
}

func TestWebhookSetupPrintsSecretOnce(t *testing.T) {
	environment := newStripeAccount(t)
	var first, second webhookResult
	for _, into := range []*webhookResult{&first, &second} {
		code, stdout, stderr := runCommand(t, []string{"webhook", "setup", "--json"}, environment...)
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		if err := json.Unmarshal([]byte(stdout), into); err != nil {
			t.Fatal(err)
		}
	}
	if !first.Created || first.Secret == "" || first.URL != "http://localhost:4312/stripe/webhook" {
		t.Errorf("first: %+v", first)
	}
	if second.Created || second.Secret != "" || second.ID != first.ID {
		t.Errorf("second: %+v", second)
	}
}

// TestAnotherAPIBase serves with a Stripe at STRIPE_API_BASE and only STRIPE_PRICE_ID as catalog.
func TestAnotherAPIBase(t *testing.T) {
	environment := newStripeAccount(t)
	results := runPlansCommand(t, "push", environment)
	pro := slices.IndexFunc(results, func(r priceResult) bool {
		return r.Plan == "pro" && r.Interval == "month"
	})
	if pro < 0 {
		t.Fatalf("no monthly Pro price in %v", results)
	}
	apiBase := strings.TrimPrefix(environment[1], "STRIPE_API_BASE=")
	server := startServer(t, append(environment[:2:2],
		"STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef", "STRIPE_PRICE_ID="+results[pro].PriceID)...)
	response, err := http.Get(server.url + "/pricing")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, apiBase) {
		t.Errorf("the policy allows no redirect of a form to %s: %s", apiBase, policy)
	}
	server.client(t).open("/pricing").expectText("Pro", "$29", "$29 per person")
}

// A file that was pulled sells exactly what the account has.
func TestPlansPull(t *testing.T) {
	environment := newStripeAccount(t)
	runPlansCommand(t, "push", environment)
	once := createPrice(t, environment, url.Values{"currency": {"usd"}, "unit_amount": {"900"}, "product_data[name]": {"Setup"}})
	code, pulled, left := runCommand(t, []string{"plans", "pull"}, environment...)
	if code != exitOK || !strings.Contains(left, once+" of Setup: it is paid once") {
		t.Fatalf("exit code %d: %s", code, left)
	}
	for _, r := range runPlansCommand(t, "diff", append(slices.Clone(environment), writePlans(t, pulled))) {
		if r.Result != "unchanged" {
			t.Errorf("%+v of\n%s", r, pulled)
		}
	}
}
