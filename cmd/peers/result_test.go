package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCallsAreNamedByTheirRoute(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/customers/cus_Q1w2E3r4T5y6U7":                          "GET /v1/customers/{id}",
		"/v1/checkout/sessions/cs_test_a1B2c3D4/line_items?limit=1": "GET /v1/checkout/sessions/{id}/line_items",
		"/v1/radar/early_fraud_warnings":                            "GET /v1/radar/early_fraud_warnings",
		"/v1/subscription_schedules/sub_sched_1A2b3C/release":       "GET /v1/subscription_schedules/{id}/release",
	} {
		if got := callOf(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestOnlyWhatStripeRefusesMayBeRefused(t *testing.T) {
	t.Parallel()
	p := peer{refused: []refusal{{"POST /v1/refunds", 400}}}
	paid, refused := call{call: "POST /v1/charges", status: 200, count: 9}, call{call: "POST /v1/refunds", status: 400, count: 1, message: "again"}
	twice := refused
	twice.count = 2
	for name, c := range map[string]struct {
		r    result
		want string // "" if all worked
	}{
		"all worked":        {result{peer: p, calls: []call{paid, refused}, deliveries: []delivery{{Status: "succeeded", Attempts: 1}}}, ""},
		"refused once more": {result{peer: p, calls: []call{paid, twice}}, "POST /v1/refunds: 400: again"},
		"refused for once":  {result{calls: []call{paid, refused}}, "POST /v1/refunds: 400: again"},
		"not refused":       {result{peer: p, calls: []call{paid}}, "POST /v1/refunds was not refused with 400"},
		"retried":           {result{calls: []call{paid}, deliveries: []delivery{{Type: "a.b", Status: "succeeded", Attempts: 2}}}, "webhook a.b"},
		"nothing":           {result{}, "no calls"},
	} {
		err := c.r.verify()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
