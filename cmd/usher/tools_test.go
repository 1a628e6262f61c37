package main

import (
	"encoding/json"
	"strings"
	"testing"

	"usher/billing"
)

// TestToolsWorkBesideARunningServer: the reconciler and the inbox, from the command line.
func TestToolsWorkBesideARunningServer(t *testing.T) {
	data := newDataDir(t)
	u := startUsher(t, "DATA_DIR="+data)
	v := u.visitor(t)
	v.visit("/pricing").send(`form[action="/billing/checkout"]:has(input[value="pro"])`)
	v.send(`form[action="/signup"]`, "name=Nora", "email=tools@example.com", "password=front of house", "organization=Balcony Books")
	v.send(payForm, card("4242424242424242")...).settles("the plan", "Active")

	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := runOnce(t, args, "DATA_DIR="+data)
		if code != exitOK {
			t.Fatalf("%v ended with %d: %s", args, code, stderr)
		}
		return stdout
	}
	var report billing.DriftReport
	if err := json.Unmarshal([]byte(run("reconcile", "--json")), &report); err != nil || report.Events == 0 || report.Subscriptions != 1 {
		t.Errorf("report %+v, %v", report, err)
	}
	if said := run("reconcile", "--dry-run", "--org", v.summary().OrganizationID); !strings.Contains(said, "1 customers, 0 open Checkout sessions compared; 0 differences.") {
		t.Errorf("a second comparison says %s", said)
	}
	var listed []eventView
	if err := json.Unmarshal([]byte(run("events", "--json", "--type", "customer.subscription.*", "list")), &listed); err != nil || len(listed) == 0 {
		t.Fatalf("listed %v, %v", listed, err)
	}
	if said := run("events", "show", listed[0].ID); !strings.Contains(said, `"object"`) || !strings.Contains(said, listed[0].Type) {
		t.Errorf("shown: %s", said)
	}
	run("events", "replay", listed[0].ID)
	v.waitFor("the plan to stay", func(s summaryAnswer) bool { return s.Subscription.Status == "active" && s.Sync.Status == "ok" })
	for _, args := range [][]string{{"events", "show", "evt_nobody"}, {"events", "replay", "evt_nobody"}} {
		if code, _, stderr := runOnce(t, args, "DATA_DIR="+data); code != exitFailed || !strings.Contains(stderr, "no event evt_nobody") {
			t.Errorf("%v: %d, %s", args, code, stderr)
		}
	}
	if code, _, stderr := runOnce(t, []string{"reconcile"}, "DATA_DIR="+newDataDir(t)); code != exitFailed || !strings.Contains(stderr, "start `usher` first") {
		t.Errorf("without a server: %d, %s", code, stderr)
	}
}
