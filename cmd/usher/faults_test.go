package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var localStripeLine = regexp.MustCompile(`Local Stripe\s+(http\S+)`)

// stripeURL returns the address that the server printed for its local Stripe.
func (s *testServer) stripeURL(t *testing.T) string {
	t.Helper()
	text, _ := s.stdout.read()
	match := localStripeLine.FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("the server printed no local Stripe: %s", text)
	}
	return match[1]
}

// failSeatSync makes every update of a subscription fail at the local Stripe.
func (s *testServer) failSeatSync(t *testing.T) {
	t.Helper()
	s.addFault(t, `{"kind":"server_error","method":"POST","path":"/v1/subscriptions/*","calls":-1}`)
}

// addFault adds a fault, given as JSON, to the local Stripe.
func (s *testServer) addFault(t *testing.T, fault string) {
	t.Helper()
	s.callFaults(t, http.MethodPost, fault)
}

func (s *testServer) clearFaults(t *testing.T) {
	t.Helper()
	s.callFaults(t, http.MethodDelete, "")
}

func (s *testServer) callFaults(t *testing.T, method, body string) {
	t.Helper()
	url := s.stripeURL(t) + "/_usher/faults"
	request, _ := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, url, response.Status)
	}
}
