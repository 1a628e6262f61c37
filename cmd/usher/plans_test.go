package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"usher/stripelocal"
)

// account serves a local Stripe alone and returns the environment that points at it.
func account(t *testing.T) []string {
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
	return []string{"STRIPE_SECRET_KEY=sk_test_1234567890abcdef", "STRIPE_API_BASE=" + server.URL, "BASE_URL=http://localhost:4312"}
}

func plansResults(t *testing.T, word string, environment []string) []string {
	t.Helper()
	code, stdout, stderr := runOnce(t, []string{"plans", word, "--json"}, environment...)
	if code != exitOK {
		t.Fatalf("plans %s: %d %s", word, code, stderr)
	}
	var pushes []priceResult
	if err := json.Unmarshal([]byte(stdout), &pushes); err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, p := range pushes {
		results = append(results, p.Result)
	}
	return results
}

func TestPlansPushCreatesOnceAndDiffTellsTheTruth(t *testing.T) {
	environment := account(t)
	all := func(word string) []string { return slices.Repeat([]string{word}, 6) }
	steps := []struct {
		word string
		want []string
	}{{"diff", all("missing")}, {"push", all("created")}, {"diff", all("unchanged")}, {"push", all("unchanged")}}
	for i, step := range steps {
		if got := plansResults(t, step.word, environment); !slices.Equal(got, step.want) {
			t.Errorf("step %d, %s: %v, want %v", i, step.word, got, step.want)
		}
	}
}

func TestWebhookSetupTellsTheSecretOnce(t *testing.T) {
	environment := account(t)
	var first, second webhookResult
	for _, into := range []*webhookResult{&first, &second} {
		code, stdout, stderr := runOnce(t, []string{"webhook", "setup", "--json"}, environment...)
		if code != exitOK {
			t.Fatalf("%d %s", code, stderr)
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

// TestAnotherStripeOfOnesOwn serves beside a Stripe that is named by its base URL, with STRIPE_PRICE_ID alone for a catalogue.
func TestAnotherStripeOfOnesOwn(t *testing.T) {
	environment := account(t)
	if results := plansResults(t, "push", environment); len(results) == 0 {
		t.Fatal("nothing was pushed")
	}
	base := strings.TrimPrefix(environment[1], "STRIPE_API_BASE=")
	u := startUsher(t, append(environment[:2:2], "STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef", "STRIPE_PRICE_ID="+pushedPrice(t, environment))...)
	answer, err := http.Get(u.url + "/pricing")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.Contains(policy, base) {
		t.Errorf("browsers would not follow a form to %s: %s", base, policy)
	}
	u.visitor(t).visit("/pricing").reads("Pro", "$29", "per person / month")
}

// pushedPrice is the id that the Pro plan's monthly price has at the account.
func pushedPrice(t *testing.T, environment []string) string {
	t.Helper()
	_, stdout, _ := runOnce(t, []string{"plans", "diff", "--json"}, environment...)
	var found []priceResult
	if err := json.Unmarshal([]byte(stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if p.Plan == "pro" && p.Interval == "month" {
			return p.PriceID
		}
	}
	t.Fatal("there is no Pro price")
	return ""
}
