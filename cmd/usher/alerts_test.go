package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"

	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

// TestAlertsFireForFaults breaks running servers in the ways of which the alerts warn. Prometheus'
// rules are run over what /metrics shows before and after: no alert fires before the fault, and its
// own ones alone fire after it.
func TestAlertsFireForFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		inject func(*monitoredServer) samples // returns what is to be seen after it
		fires  []string
	}{
		"program away":  {(*monitoredServer).stopProgram, []string{"UsherDown"}},
		"database away": {(*monitoredServer).closeDatabase, []string{"UsherDatabaseDown", "UsherServerErrors"}},
		"Stripe away":   {(*monitoredServer).failStripe, []string{"UsherStripeAway"}},
		// Stripe's certificate is not valid yet, and its webhooks were signed at another time.
		"wrong clock":     {(*monitoredServer).moveClock, []string{"UsherStripeAway", "UsherWebhookRejected"}},
		"webhooks silent": {(*monitoredServer).dropWebhooks, []string{"UsherWebhooksMissed"}},
		"dead letter":     {(*monitoredServer).refuseFetch, []string{"UsherDeadLetters"}},
		"drift":           {(*monitoredServer).changeInvoice, []string{"UsherDriftNotRepaired"}},
		"queue stuck":     {(*monitoredServer).pauseQueues, []string{"UsherQueueStuck"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMonitoredServer(t)
			began := m.scrape()
			m.client.open("/dashboard").open("/organization?tab=billing")
			before := m.scrapeIdle()
			m.expectAlerts("before the fault", began, before)
			m.expectAlerts("after the fault", before, fault.inject(m), fault.fires...)
		})
	}
}

// samples are the values of a scrape by series, with the labels that Prometheus adds, and up.
type samples map[string]float64

// The series that are looked at by name. Gauges of times are Unix seconds, or 0.
const (
	seriesUp           = `up{job="usher"}`
	seriesOldestJob    = `usher_jobs_oldest_available_timestamp_seconds{job="usher"}`
	seriesOldestEvent  = `usher_events_oldest_pending_timestamp_seconds{job="usher"}`
	seriesPendingSeats = `usher_seat_syncs{job="usher",state="pending"}`
	seriesDeadLetter   = `usher_events{job="usher",outcome="failed"}`
)

// isIdle reports whether no job, event or change of seats waits.
func (s samples) isIdle() bool {
	return s[seriesUp] == 1 && s[seriesOldestJob] == 0 && s[seriesOldestEvent] == 0 && s[seriesPendingSeats] == 0
}

const (
	monitoredKey    = "sk_test_monitored123"
	monitoredSecret = "whsec_monitored"
)

// monitoredServer is a server whose database and Stripe can fail, and a customer's admin.
type monitoredServer struct {
	t           *testing.T
	server      *testServer
	environment []string
	client      *client
	store       *db.Store
	customerID  string
	stripe      *stripelocal.Server
	stripeURL   string
	stripeFails atomic.Pointer[stripeFailure]
}

// stripeFailure is the status of Stripe's answer to the calls that it is about.
type stripeFailure struct {
	method, prefix string // any method if empty
	status         int
}

// startMonitoredServer starts a server and waits until a customer's plan is active. Stripe's clock
// is behind, so that a comparison finds the events whose webhooks do not come late already.
func startMonitoredServer(t *testing.T) *monitoredServer {
	t.Helper()
	m, dsn := &monitoredServer{t: t}, dbtest.New(t, db.Migrate)
	m.stripe, m.stripeURL = startStripe(t, stripelocal.Options{Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }}, m.serveStripe)
	m.environment = []string{
		"DATABASE_URL=" + dsn, "STRIPE_SECRET_KEY=" + monitoredKey, "STRIPE_WEBHOOK_SECRET=" + monitoredSecret, "STRIPE_API_BASE=" + m.stripeURL,
	}
	m.command("plans", "push")
	m.server = startServer(t, m.environment...)
	m.stripe.EnsureWebhookEndpoint(m.server.url+"/stripe/webhook", monitoredSecret)
	store, err := db.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	m.store = store
	m.client = m.server.client(t)
	m.client.signUpForPro("monitored@example.com").pay("4242424242424242").reloadUntil("the plan", "1 person, 1 seat")
	m.customerID = m.client.summary().Customer.StripeCustomerID
	return m
}

func (m *monitoredServer) serveStripe(stripe http.Handler, w http.ResponseWriter, r *http.Request) {
	failure := m.stripeFails.Load()
	if failure != nil && strings.HasPrefix(r.URL.Path, failure.prefix) && (failure.method == "" || failure.method == r.Method) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(failure.status)
		_, _ = io.WriteString(w, `{"error":{"type":"invalid_request_error","message":"Not now"}}`)
		return
	}
	stripe.ServeHTTP(w, r)
}

func (m *monitoredServer) command(args ...string) {
	m.t.Helper()
	if code, _, stderr := runCommand(m.t, args, m.environment...); code != exitOK {
		m.t.Fatalf("%v: exit code %d: %s", args, code, stderr)
	}
}

func (m *monitoredServer) exec(statement string) {
	m.t.Helper()
	if _, err := m.store.DB().ExecContext(m.t.Context(), statement); err != nil {
		m.t.Fatal(err)
	}
}

// updateCustomer changes the customer at Stripe.
func (m *monitoredServer) updateCustomer() {
	m.t.Helper()
	requestStripe(m.t, m.stripeURL, http.MethodPost, "/v1/customers/"+m.customerID, url.Values{"phone": {rand.Text()[:10]}}, &struct{}{})
}

// refund refunds the customer's charge at Stripe.
func (m *monitoredServer) refund() {
	m.t.Helper()
	var charges struct{ Data []struct{ ID string } }
	requestStripe(m.t, m.stripeURL, http.MethodGet, "/v1/charges?customer="+m.customerID, nil, &charges)
	var refund struct{ ID string }
	requestStripe(m.t, m.stripeURL, http.MethodPost, "/v1/refunds", url.Values{"charge": {charges.Data[0].ID}, "amount": {"100"}}, &refund)
}

func (m *monitoredServer) stopProgram() samples {
	m.server.stop()
	return m.scrape()
}

// closeDatabase makes PostgreSQL refuse the server's connections.
func (m *monitoredServer) closeDatabase() samples {
	m.t.Helper()
	var name string
	if err := m.store.DB().GetContext(m.t.Context(), &name, `select current_database()`); err != nil {
		m.t.Fatal(err)
	}
	elsewhere, err := db.Open(m.t.Context(), dbtest.New(m.t, db.Migrate))
	if err != nil {
		m.t.Fatal(err)
	}
	defer elsewhere.Close()
	for _, statement := range []string{
		`alter database "` + name + `" with allow_connections false`,
		`select pg_terminate_backend(pid) from pg_stat_activity where datname = '` + name + `'`,
	} {
		if _, err := elsewhere.DB().ExecContext(m.t.Context(), statement); err != nil {
			m.t.Fatal(err)
		}
	}
	for range 3 {
		m.client.open("/dashboard")
	}
	return m.scrape()
}

func (m *monitoredServer) failStripe() samples {
	m.t.Helper()
	m.stripeFails.Store(&stripeFailure{prefix: "/v1/", status: http.StatusServiceUnavailable})
	for range 3 {
		m.client.open("/organization?tab=billing").submit(`form[action="/billing/portal"]:has(button:contains("Cards, invoices and address"))`)
	}
	return m.scrapeIdle()
}

// moveClock is the server on a machine whose clock is wrong by a day.
func (m *monitoredServer) moveClock() samples {
	m.t.Helper()
	m.server.stop()
	stripe := httptest.NewUnstartedServer(m.stripe.Handler())
	stripe.TLS = &tls.Config{Certificates: []tls.Certificate{newFutureCertificate(m.t)}, MinVersion: tls.VersionTLS12}
	stripe.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	stripe.StartTLS()
	m.t.Cleanup(stripe.Close)
	m.server = startServer(m.t, append(m.environment, "STRIPE_API_BASE="+stripe.URL)...)
	for range 3 {
		m.sendOldWebhook() // calls fail since the start already
	}
	if text, _ := m.server.stderr.read(); !strings.Contains(text, "certificate has expired or is not yet valid") {
		m.t.Error("the log does not say why calls of Stripe fail")
	}
	return m.scrapeIdle()
}

// sendOldWebhook sends a webhook whose signature is a day old.
func (m *monitoredServer) sendOldWebhook() {
	m.t.Helper()
	body, signed := []byte(`{"id":"evt_1"}`), time.Now().AddDate(0, 0, -1)
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.server.url+"/stripe/webhook", strings.NewReader(string(body)))
	if err != nil {
		m.t.Fatal(err)
	}
	signature := hex.EncodeToString(webhook.ComputeSignature(signed, body, monitoredSecret))
	request.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%s", signed.Unix(), signature))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	response.Body.Close()
}

// newFutureCertificate returns a certificate that is valid from tomorrow on.
func newFutureCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().AddDate(0, 0, 1), NotAfter: time.Now().AddDate(0, 0, 2),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// dropWebhooks makes Stripe send no webhooks, and compares when they are late.
func (m *monitoredServer) dropWebhooks() samples {
	m.t.Helper()
	if _, err := m.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.DropDelivery, Event: "*", Calls: -1}); err != nil {
		m.t.Fatal(err)
	}
	m.updateCustomer()
	m.command("reconcile")
	return m.scrapeIdle()
}

// refuseFetch makes Stripe refuse to show the charge that a webhook is about.
func (m *monitoredServer) refuseFetch() samples {
	m.t.Helper()
	m.stripeFails.Store(&stripeFailure{http.MethodGet, "/v1/charges/", http.StatusBadRequest})
	m.refund()
	return m.scrapeUntil("the failed event", func(s samples) bool { return s.isIdle() && s[seriesDeadLetter] > 0 })
}

// changeInvoice changes an invoice here, and Stripe does not show its own.
func (m *monitoredServer) changeInvoice() samples {
	m.t.Helper()
	m.exec(`update invoices set amount_due = amount_due + 1, total = total + 1`)
	m.stripeFails.Store(&stripeFailure{http.MethodGet, "/v1/invoices/", http.StatusInternalServerError})
	m.command("reconcile")
	return m.scrapeIdle()
}

// pauseQueues pauses River's queues on every replica.
func (m *monitoredServer) pauseQueues() samples {
	m.t.Helper()
	m.exec(`update river_queue set paused_at = now(), updated_at = now()`)
	return m.scrapeUntil("a job that is not taken", func(s samples) bool {
		waiting := s[seriesOldestJob]
		if waiting == 0 {
			m.updateCustomer()
		}
		return waiting > 0 && time.Since(time.Unix(int64(waiting), 0)) > 5*time.Second && s[seriesOldestEvent] == 0
	})
}

var sampleLine = regexp.MustCompile(`(?m)^(usher_\w+)(?:\{(.*)\})? (\S+)$`)

// scrapeIdle waits until nothing is left to do, as at most times.
func (m *monitoredServer) scrapeIdle() samples {
	m.t.Helper()
	return m.scrapeUntil("the end of the work", samples.isIdle)
}

// scrapeUntil scrapes until a condition holds.
func (m *monitoredServer) scrapeUntil(what string, condition func(samples) bool) (scraped samples) {
	m.t.Helper()
	eventually(m.t, what, func() bool {
		scraped = m.scrape()
		return condition(scraped)
	})
	return scraped
}

// scrape reads /metrics as Prometheus does.
func (m *monitoredServer) scrape() samples {
	m.t.Helper()
	scraped := samples{seriesUp: 0}
	response, err := http.Get(m.server.url + "/metrics")
	if err != nil {
		return scraped
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return scraped
	}
	scraped[seriesUp] = 1
	for _, match := range sampleLine.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(match[3], 64)
		if err != nil {
			m.t.Fatal(err)
		}
		scraped[match[1]+"{"+strings.Trim(`job="usher",`+match[2], ",")+"}"] = value
	}
	return scraped
}

func decimal(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// expectAlerts runs the rules over four hours in which the state is the one after. Counters rise by
// the difference to the one before in each minute.
func (m *monitoredServer) expectAlerts(when string, before, after samples, alerts ...string) {
	m.t.Helper()
	rules, err := filepath.Abs(filepath.Join("..", "..", "ops", "alerts.yml"))
	if err != nil {
		m.t.Fatal(err)
	}
	var file strings.Builder
	fmt.Fprintf(&file, "rule_files: [%s]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n", rules)
	now := time.Now().Unix()
	for _, series := range slices.Sorted(maps.Keys(after)) {
		value, step := after[series], 0.0
		switch metric, _, _ := strings.Cut(series, "{"); {
		case strings.HasSuffix(metric, "_total"):
			if step = value - before[series]; step < 0 {
				step = value // the program was restarted
			}
		case strings.HasSuffix(metric, "_timestamp_seconds") && value > 0:
			value = max(1, value-float64(now)+600) // promtool's clock begins at 0
		}
		fmt.Fprintf(&file, "      - series: '%s'\n        values: '%s+%sx240'\n", series, decimal(value), decimal(step))
	}
	file.WriteString("    promql_expr_test:\n      - expr: group by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: 239m\n        exp_samples: [")
	for _, alert := range alerts {
		fmt.Fprintf(&file, "{labels: '{alertname=\"%s\"}', value: 1}, ", alert)
	}
	file.WriteString("]\n")
	path := filepath.Join(m.t.TempDir(), "alerts.yml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		m.t.Fatal(err)
	}
	// #nosec G204 -- a test
	if output, err := exec.CommandContext(m.t.Context(), findProgram(m.t, "promtool"), "test", "rules", path).CombinedOutput(); err != nil {
		m.t.Errorf("%s: %v\n%s", when, err, output)
	}
}
