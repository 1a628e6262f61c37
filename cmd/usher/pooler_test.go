package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

var poolerRequests = flag.Int("pooler-requests", 1000, "number of requests to replicas behind PgBouncer")

// TestReplicasThroughPgBouncer sends requests of several organizations to three replicas that share
// four connections to PostgreSQL. Every answer is right and about the organization that asked, and
// every credit is taken once.
func TestReplicasThroughPgBouncer(t *testing.T) {
	t.Parallel()
	const replicas, organizations, clients, serverConnections = 3, 4, 24, 4
	dsn := dbtest.New(t, db.Migrate)
	stripe, stripeURL := startStripe(t, stripelocal.Options{}, http.Handler.ServeHTTP)
	environment := []string{
		"DATABASE_URL=" + dbtest.PgBouncer(t, dsn, serverConnections) + " statement_cache=off", "MIGRATE_DATABASE_URL=" + dsn,
		"STRIPE_SECRET_KEY=sk_test_poolerpooler", "STRIPE_WEBHOOK_SECRET=whsec_pooler", "STRIPE_API_BASE=" + stripeURL,
	}
	if code, _, stderr := runCommand(t, []string{"plans", "push"}, environment...); code != exitOK {
		t.Fatal(stderr)
	}
	servers := make([]*testServer, replicas)
	for i := range servers {
		servers[i] = startServer(t, environment...)
	}
	stripe.EnsureWebhookEndpoint(balance(t, servers)+"/stripe/webhook", "whsec_pooler")
	var people []*pooledPerson
	for i := range organizations {
		c := servers[i%replicas].client(t)
		c.signUpForPro(fmt.Sprintf("pooler%d@example.com", i)).pay("4242424242424242").reloadUntil("the plan", "1 person, 1 seat")
		c.waitForCredits(1000)
		people = append(people, &pooledPerson{client: c, organizationID: c.summary().OrganizationID})
	}

	began := time.Now()
	var next atomic.Int64
	var failures atomic.Int64
	latencies := make([][]time.Duration, clients)
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for number := next.Add(1); number <= int64(*poolerRequests); number = next.Add(1) {
				person, server := people[number%organizations], servers[number/organizations%replicas]
				sent := time.Now()
				if err := person.request(server.url, number); err != nil {
					failures.Add(1)
					t.Error(err)
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	running.Wait()
	for _, person := range people {
		person.waitForCredits(1000 - int(person.consumed.Load()))
	}
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	t.Logf("%d requests of %d clients to %d replicas over %d connections: %d failures, %.0f a second, p50 %s, p99 %s",
		len(all), clients, replicas, serverConnections, failures.Load(), float64(len(all))/time.Since(began).Seconds(),
		all[len(all)/2].Round(time.Millisecond), all[len(all)*99/100].Round(time.Millisecond))
}

// pooledPerson is an admin of an organization of their own.
type pooledPerson struct {
	*client
	organizationID string
	consumed       atomic.Int64 // credits
}

// request sends the request of a number to a replica. It returns an error unless the answer is
// right and about the person's organization.
func (p *pooledPerson) request(origin string, number int64) error {
	paths := []string{"/dashboard", billingTab, "/organization?tab=members", "/billing/getSummary", "/api/v1/entitlements", "/billing/invoices", "/api/v1/credits/consume"}
	path, method, body := paths[number/16%int64(len(paths))], http.MethodGet, ""
	if path == "/api/v1/credits/consume" {
		if p.consumed.Add(1) > 900 {
			p.consumed.Add(-1)
			path = "/billing/getSummary"
		} else {
			method, body = http.MethodPost, fmt.Sprintf(`{"amount":1,"reason":"export","idempotencyKey":"export-%d"}`, number)
		}
	}
	request, err := http.NewRequest(method, origin+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	answer := string(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case response.StatusCode != http.StatusOK || response.Request.URL.Path != request.URL.Path:
		return fmt.Errorf("%s: status %d at %s: %.200s", path, response.StatusCode, response.Request.URL, answer)
	case strings.Contains(answer, "org_") && !strings.Contains(answer, p.organizationID):
		return fmt.Errorf("%s: the answer is not about %s: %.200s", path, p.organizationID, answer)
	}
	return nil
}

// balance starts a balancer of the servers and returns its origin.
func balance(t *testing.T, servers []*testServer) string {
	t.Helper()
	var next atomic.Int64
	web := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target, err := url.Parse(servers[next.Add(1)%int64(len(servers))].url)
		if err != nil {
			t.Error(err)
			return
		}
		r.SetURL(target)
	}})
	t.Cleanup(web.Close)
	return web.URL
}
