package stripelocal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"usher/stripelocal"
)

// runningTool is a command of the official CLI that runs until the test ends.
type runningTool struct {
	t     *testing.T
	lines chan string
}

// startTool starts a command against the server.
func (l *testServer) startTool(args ...string) *runningTool {
	l.t.Helper()
	cmd := l.toolCommand(l.t.Context(), args...)
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	p := &runningTool{l.t, make(chan string, 1000)}
	l.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = writer.Close() })
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(reader); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// toolCommand is a command of the CLI against the server, with an empty configuration.
func (l *testServer) toolCommand(ctx context.Context, args ...string) *exec.Cmd {
	l.t.Helper()
	cmd := exec.CommandContext(ctx, stripeTool(l.t), append(args, "--api-base", l.url, "--api-key", testKey)...)
	home := l.t.TempDir()
	for _, pair := range cmd.Environ() {
		if !strings.HasPrefix(pair, "STRIPE_") && !strings.HasPrefix(pair, "HOME=") && !strings.HasPrefix(pair, "XDG_CONFIG_HOME=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+home, "STRIPE_CLI_TELEMETRY_OPTOUT=1", "STRIPE_DEVICE_NAME=test")
	return cmd
}

// waitFor waits for a line that matches, and returns its last group.
func (p *runningTool) waitFor(pattern string) string {
	p.t.Helper()
	wanted := regexp.MustCompile(pattern)
	limit := time.After(3 * time.Minute) // the tool starts slowly on a busy machine
	var seen []string
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the tool ended, %q was not printed:\n%s", pattern, strings.Join(seen, "\n"))
			}
			seen = append(seen, line)
			if found := wanted.FindStringSubmatch(line); found != nil {
				return found[len(found)-1]
			}
		case <-limit:
			p.t.Fatalf("%q was not printed:\n%s", pattern, strings.Join(seen, "\n"))
		}
	}
}

func TestOfficialListenForwardsSignedEvents(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	printed, err := l.toolCommand(t.Context(), "listen", "--print-secret").Output()
	secret := strings.TrimSpace(string(printed))
	if err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("--print-secret: %v, %q", err, printed)
	}
	got := make(chan stripe.Event, 100)
	app := serveWebhooks(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		e, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), secret)
		if err != nil {
			t.Errorf("an event cannot be verified with the printed secret: %v", err)
		}
		w.WriteHeader(http.StatusAccepted)
		got <- e
	}))
	tool := l.startTool("listen", "--skip-update", "--all-snapshot", "--forward-to", app)
	if shown := tool.waitFor(`Ready! .*\[2024-06-20\].*(whsec_\w+)`); shown != secret {
		t.Errorf("listen shows %s, --print-secret %s", shown, secret)
	}

	l.createSubscription(2)
	want := map[string]bool{}
	for _, raw := range l.AllEvents() {
		if !strings.Contains(string(raw), `"type":"invoice_payment.paid"`) { // which this version lacks
			want[idOf(t, raw)] = true
		}
	}
	for len(want) > 0 {
		select {
		case e := <-got:
			if !want[e.ID] {
				t.Fatalf("%s %s arrived twice, or is none of the server's", e.ID, e.Type)
			}
			delete(want, e.ID)
		case <-time.After(time.Minute):
			t.Fatalf("not delivered: %v", want)
		}
	}
	tool.waitFor(`<--  \[.*202.*\] POST`)
	resent := l.eventOf("customer.created")
	if out, err := l.toolCommand(t.Context(), "events", "resend", resent).CombinedOutput(); err != nil || !strings.Contains(string(out), resent) {
		t.Fatalf("events resend: %v\n%s", err, out)
	}
	if e := <-got; e.ID != resent {
		t.Errorf("resent %s, %s arrived", resent, e.ID)
	}
	if l.browse("GET", "/_usher/cli_sessions", nil).status != http.StatusOK {
		t.Error("the sessions are not shown")
	}
}

func idOf(t *testing.T, raw []byte) string {
	t.Helper()
	var o struct{ ID string }
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// eventOf returns the id of the latest event of a type.
func (l *testServer) eventOf(kind string) string {
	l.t.Helper()
	it := l.api.Events.List(&stripe.EventListParams{Type: stripe.String(kind)})
	if !it.Next() {
		l.t.Fatalf("no %s: %v", kind, it.Err())
	}
	return it.Event().ID
}

func TestOfficialListenTakesTheLatestVersion(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	tool := l.startTool("listen", "--skip-update", "--latest", "--events", "customer.created")
	tool.waitFor(`Ready!`)
	l.createPrice("pro", 1000, "month")
	customer := l.createCustomer()
	if e := tool.waitFor(`--> (\S+)`); !strings.Contains(e, "customer.created") {
		t.Errorf("shown first: %s, want the event of %s", e, customer.ID)
	}
}

func TestOfficialListenContinuesAfterAReset(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	tool := l.startTool("listen", "--skip-update")
	tool.waitFor(`Ready!`)
	l.createCustomer()
	tool.waitFor(`--> customer.created`)
	if done := l.browse("POST", "/_usher/reset", nil); done.status != http.StatusOK {
		t.Fatalf("reset: %d %s", done.status, done.body)
	}
	l.createPrice("pro", 1000, "month")
	tool.waitFor(`--> product.created`)
}

func TestOfficialLogsTail(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	all := l.startTool("logs", "tail")
	failed := l.startTool("logs", "tail", "--filter-status-code-type", "4XX", "--format", "JSON")
	all.waitFor(`Ready!`)
	failed.waitFor(`Ready!`)
	l.createCustomer()
	all.waitFor(`\[.*200.*\] POST /v1/customers \[.*req_`) // the tool prints calls of one moment in any order
	_, err := l.api.Customers.Get("cus_no", nil)
	if err == nil {
		t.Fatal("cus_no exists")
	}
	all.waitFor(`\[.*404.*\] GET /v1/customers/cus_no`)
	all.waitFor(`Message: No such customer`)
	line := failed.waitFor(`^(\{.*)$`)
	if !strings.Contains(line, `"url":"/v1/customers/cus_no"`) || !strings.Contains(line, `"resource_missing"`) {
		t.Errorf("the filtered log begins with %s", line)
	}
}

func TestListeningForTheLatestVersion(t *testing.T) {
	t.Parallel()
	stripeTool(t)
	l := start(t, stripelocal.Options{})
	address, got := recordWebhooks(t, always(200))
	tool := l.startTool("listen", "--skip-update", "--latest", "--all-snapshot", "--forward-to", address)
	tool.waitFor(`Ready! .*\[(` + regexp.QuoteMeta(stripelocal.LatestAPIVersion()) + `)\]`)
	l.createSubscription(1)
	for {
		var e receivedEvent
		if err := json.Unmarshal(next(t, got).body, &e); err != nil || e.APIVersion != stripelocal.LatestAPIVersion() {
			t.Fatalf("%v, version %s", err, e.APIVersion)
		}
		if e.Type == "customer.subscription.created" {
			if _, old := e.Data.Object["current_period_end"]; old || firstItem(e.Data.Object)["current_period_end"] == nil {
				t.Errorf("%v", e.Data.Object)
			}
			return
		}
	}
}
