package main

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"usher/billing/stripelocal"
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
	var pushes []pricePush
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
	all := func(word string) []string { return slices.Repeat([]string{word}, 4) }
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
	var first, second webhookSetup
	for _, into := range []*webhookSetup{&first, &second} {
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
