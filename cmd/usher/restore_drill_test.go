package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"usher/billing"
	"usher/db"
	"usher/db/privatepg"
)

// restoreDrill is Usher before and after its database is lost and restored from an older dump. The
// local Stripe keeps what happened in between.
type restoreDrill struct {
	t       *testing.T
	dataDir string // of PostgreSQL and of the local Stripe
	server  *testServer
	began   time.Time
	table   [][2]string // what happened after the dump, and what is left of it
}

// TestRestoreDrill loses the changes after a dump, restores it, and shows which of them come back:
// what Stripe knows does, who belongs to an organization and which credits were used does not.
func TestRestoreDrill(t *testing.T) {
	t.Parallel()
	d := &restoreDrill{t: t, dataDir: newDataDir(t), began: time.Now()}
	d.server = startServer(t, "DATA_DIR="+d.dataDir)
	seated := d.server.client(t).logIn("admin@usher.example")
	seated.open("/pricing").choosePro()
	seated.pay("4242424242424242").reloadUntil("the plan", "8 people, 8 seats")
	canceling, refunded := d.subscribe("ending@example.com"), d.subscribe("refunded@example.com")

	dump := filepath.Join(t.TempDir(), "usher.dump")
	d.postgres("pg_dump", "--format=custom", "--file="+dump, d.dsn())
	d.note("dump")

	seated.setBillable(false)
	seated.waitForSeats(7)
	seated.open("/pricing").submit(`form[action="/billing/checkout"]:has(input[value="credits_500"])`)
	seated.pay("4242424242424242").reloadUntil("the pack", "credits are yours")
	if balance := seated.consumeCredits(200); balance != 1300 {
		t.Errorf("the balance is %d", balance)
	}
	late := d.subscribe("late@example.com")
	lateCustomer := late.summary().Customer.StripeCustomerID
	canceling.open("/billing/cancel").submit(`main form[action="/billing/cancel"]`)
	canceling.waitForSummary("the cancellation", func(s billingSummary) bool { return s.Subscription.CancelAtPeriodEnd })
	d.refund(refunded)
	refunded.waitForCredits(0)
	d.note("an hour of changes")

	if code := d.server.stop(); code != exitOK {
		t.Fatalf("the server's exit code is %d", code)
	}
	d.restore(dump)
	d.server = startServer(t, "DATA_DIR="+d.dataDir)
	seated, canceling, refunded = d.logIn("admin@usher.example", demoPassword), d.logIn("ending@example.com", testPassword), d.logIn("refunded@example.com", testPassword)
	report := d.reconcile()
	if !slices.ContainsFunc(report.Drifts, func(drift billing.Drift) bool {
		return drift.Kind == billing.DriftUnknownOrganization && drift.ObjectID == lateCustomer
	}) {
		t.Errorf("the customer of the lost organization is not reported: %+v", report.Drifts)
	}

	// Members are as in the dump, and so are their seats, at the first try.
	seated.waitForSeats(8)
	d.expectNoFailedSeatUpdates()
	d.row("a person gave up a seat: 8 to 7", "has the seat again, Stripe bills 8")
	seated.waitForCredits(1500)
	d.row("a pack of 500 credits was bought", "the credits are back")
	d.row("200 credits were used", "lost: the balance is 1,500 instead of 1,300")
	canceling.waitForSummary("the cancellation", func(s billingSummary) bool { return s.Subscription.CancelAtPeriodEnd })
	d.row("a plan was canceled", "is canceled")
	refunded.waitForCredits(0)
	d.row("an invoice was refunded", "its credits are taken back")

	again := d.server.client(t).open("/signup").signUp("late@example.com")
	again.expectNoPlan()
	d.command("adopt", "--customer", lateCustomer, "--org", again.summary().OrganizationID)
	again.waitForSeats(1)
	again.waitForCredits(1000)
	d.row("somebody signed up and paid", "signed up again; the plan is back after usher adopt")

	// The same change once more: no idempotency key of the lost hour is used again.
	seated.setBillable(false)
	seated.waitForSeats(7)
	d.expectNoFailedSeatUpdates()
	d.row("(the same change of the seat once more)", "is made at Stripe at the first try")
	d.reconcile() // receives the events of the customer that is linked now
	if drifts := d.reconcile().Drifts; len(drifts) > 0 {
		t.Errorf("after everything was repaired the comparison finds %+v", drifts)
	}
	d.print()
}

const testPassword = "front of house" // of signUp

// dsn returns the DSN of the running server's database.
func (d *restoreDrill) dsn() string {
	d.t.Helper()
	dsn, err := readAddressFile(privateDatabaseFile(Config{DataDir: d.dataDir}))
	if err != nil {
		d.t.Fatal(err)
	}
	return dsn
}

// restore replaces the database of the stopped server.
func (d *restoreDrill) restore(dump string) {
	d.t.Helper()
	server, err := privatepg.Start(d.t.Context(), privatepg.Options{DataDir: d.dataDir})
	if err != nil {
		d.t.Fatal(err)
	}
	d.postgres("pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname="+server.DSN(), dump)
	if err := server.Stop(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.note("the database is restored from the dump")
}

func (d *restoreDrill) subscribe(email string) *client {
	d.t.Helper()
	c := d.server.client(d.t)
	c.signUpForPro(email)
	c.pay("4242424242424242").reloadUntil("the plan", "1 person, 1 seat")
	c.waitForCredits(1000)
	return c
}

func (d *restoreDrill) logIn(email, password string) *client {
	d.t.Helper()
	return d.server.client(d.t).open("/login").submit(`form[action="/login"]`, "email="+email, "password="+password)
}

// refund refunds the organization's last charge at Stripe.
func (d *restoreDrill) refund(c *client) {
	d.t.Helper()
	var charges struct{ Data []struct{ ID string } }
	d.server.requestStripe(d.t, http.MethodGet, "/v1/charges?customer="+c.summary().Customer.StripeCustomerID, nil, &charges)
	d.server.postToStripe(d.t, "/v1/refunds", url.Values{"charge": {charges.Data[0].ID}})
}

// postgres runs a client program of PostgreSQL.
func (d *restoreDrill) postgres(program string, args ...string) {
	d.t.Helper()
	// #nosec G204 -- a test
	if out, err := exec.CommandContext(d.t.Context(), program, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (d *restoreDrill) command(args ...string) string {
	d.t.Helper()
	code, stdout, stderr := runCommand(d.t, args, "DATA_DIR="+d.dataDir)
	if code != exitOK {
		d.t.Fatalf("%v: exit code %d\n%s", args, code, stderr)
	}
	d.note("usher " + strings.Join(args, " "))
	return stdout
}

func (d *restoreDrill) reconcile() (report billing.DriftReport) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.command("reconcile", "--json")), &report); err != nil {
		d.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, drift := range report.Drifts {
		kind := string(drift.Kind)
		if !drift.Repaired {
			kind += " (not repaired)"
		}
		counts[kind]++
	}
	d.note(fmt.Sprint("it found ", counts))
	return report
}

// expectNoFailedSeatUpdates fails if Stripe refused an update since the restore.
func (d *restoreDrill) expectNoFailedSeatUpdates() {
	d.t.Helper()
	store, err := db.Open(d.t.Context(), d.dsn())
	if err != nil {
		d.t.Fatal(err)
	}
	defer store.Close()
	var failed []string
	err = store.DB().SelectContext(d.t.Context(), &failed, `select concat_ws(' ', key, error) from seat_attempts where error <> '' or not accepted`)
	if err != nil || len(failed) > 0 {
		d.t.Errorf("updates of seats failed: %q, %v", failed, err)
	}
}

// note logs a step with the time since the start.
func (d *restoreDrill) note(text string) {
	d.t.Logf("%5.1f s  %s", time.Since(d.began).Seconds(), text)
}

func (d *restoreDrill) row(change, after string) {
	d.table = append(d.table, [2]string{change, after})
}

func (d *restoreDrill) print() {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "After the dump\tAfter restore and comparison")
	for _, row := range d.table {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	_ = w.Flush()
	d.t.Logf("\n%s", text.String())
}

// waitForSeats waits until members and Stripe have that many seats.
func (c *client) waitForSeats(seats int) {
	c.t.Helper()
	c.waitForSummary(fmt.Sprint(seats, " seats"), func(s billingSummary) bool {
		return s.Subscription != nil && s.Sync.Status == "ok" && s.Seats.DesiredSeats == seats && s.Seats.LastAppliedSeats != nil && *s.Seats.LastAppliedSeats == seats
	})
}

// waitForCredits waits until the organization has that many credits.
func (c *client) waitForCredits(balance int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprint(balance, " credits"), func() bool {
		var answer struct{ Credits struct{ Balance int } }
		c.callJSON(http.MethodGet, "/api/v1/entitlements", "", &answer)
		return answer.Credits.Balance == balance
	})
}

// consumeCredits returns the balance that is left.
func (c *client) consumeCredits(amount int) int {
	c.t.Helper()
	var answer struct{ Balance int }
	c.callJSON(http.MethodPost, "/api/v1/credits/consume", fmt.Sprintf(`{"amount":%d,"reason":"export","idempotencyKey":"export-1"}`, amount), &answer)
	return answer.Balance
}

func (c *client) callJSON(method, path, body string, into any) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: status %d, %v", method, path, response.StatusCode, err)
	}
}

func (c *client) expectNoPlan() {
	c.t.Helper()
	if s := c.summary(); s.Subscription != nil || s.Customer != nil {
		c.t.Fatalf("a new organization has a plan: %+v", s)
	}
}
