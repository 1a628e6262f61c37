package main

import (
	"encoding/json"
	"strings"
	"testing"

	"usher/billing"
)

// TestReconcileAndEvents runs both subcommands beside a server on the same DATA_DIR.
func TestReconcileAndEvents(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	c := server.client(t)
	c.open("/pricing").choosePro()
	c.signUp("tools@example.com").pay("4242424242424242").reloadUntil("the plan", "Active")

	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := runCommand(t, args, "DATA_DIR="+dataDir)
		if code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
		return stdout
	}
	var report billing.DriftReport
	err := json.Unmarshal([]byte(run("reconcile", "--json")), &report)
	if err != nil || report.Events == 0 || report.Subscriptions != 1 {
		t.Errorf("report %+v, %v", report, err)
	}
	output := run("reconcile", "--dry-run", "--org", c.summary().OrganizationID)
	if !strings.Contains(output, "1 customers, 0 open Checkout sessions compared; 0 differences.") {
		t.Errorf("the second reconciliation prints %s", output)
	}
	var events []eventView
	output = run("events", "--json", "--type", "customer.subscription.*", "list")
	if err := json.Unmarshal([]byte(output), &events); err != nil || len(events) == 0 {
		t.Fatalf("events %v, %v", events, err)
	}
	output = run("events", "show", events[0].ID)
	if !strings.Contains(output, `"object"`) || !strings.Contains(output, events[0].Type) {
		t.Errorf("events show prints %s", output)
	}
	run("events", "replay", events[0].ID)
	c.waitForSummary("the unchanged plan", func(s billingSummary) bool {
		return s.Subscription.Status == "active" && s.Sync.Status == "ok"
	})
}

func TestUnknownEvent(t *testing.T) {
	dataDir := newDataDir(t)
	startServer(t, "DATA_DIR="+dataDir)
	for _, subcommand := range []string{"show", "replay"} {
		code, _, stderr := runCommand(t, []string{"events", subcommand, "evt_unknown"}, "DATA_DIR="+dataDir)
		if code != exitFailed || !strings.Contains(stderr, "no event evt_unknown") {
			t.Errorf("events %s: exit code %d: %s", subcommand, code, stderr)
		}
	}
}

func TestNoRunningServer(t *testing.T) {
	for _, args := range [][]string{{"reconcile"}, {"events", "list"}, {"clock", "advance", "1 day"}} {
		code, _, stderr := runCommand(t, args, "DATA_DIR="+newDataDir(t))
		if code != exitFailed || !strings.Contains(stderr, "start `usher` first") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
