package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserCommand: an account is made and promoted from the command line, and opens the operators' pages.
func TestUserCommand(t *testing.T) {
	data := newDataDir(t)
	u := startUsher(t, "DATA_DIR="+data)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("front of house\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := runOnce(t, args, "DATA_DIR="+data)
		if code != want {
			t.Fatalf("%v ended with %d: %s", args, code, stderr)
		}
		return stdout, stderr
	}
	made, _ := run(exitOK, "user", "create", "ops@example.com", "--name", "Ola", "--new-org", "Operations", "--password-file", password, "--json")
	var view userView
	if err := json.Unmarshal([]byte(made), &view); err != nil || !strings.HasPrefix(view.OrganizationID, "org_") {
		t.Fatalf("made %s, %v", made, err)
	}
	if _, said := run(exitFailed, "user", "create", "ops@example.com", "--name", "Ola", "--new-org", "Again", "--password-file", password); !strings.Contains(said, "already") {
		t.Errorf("a second account of the address: %s", said)
	}
	run(exitOK, "user", "create", "may@example.com", "--name", "May", "--org", view.OrganizationID, "--password-file", password)
	if said, _ := run(exitOK, "user", "promote", "may@example.com", "--org", view.OrganizationID); !strings.Contains(said, "admin of "+view.OrganizationID) {
		t.Errorf("promoted: %s", said)
	}
	v := u.visitor(t)
	v.visit("/login").send(`form[action="/login"]`, "email=ops@example.com", "password=front of house")
	v.visit("/admin/events").reads("Only operators of this installation can see this")
	run(exitOK, "user", "promote", "ops@example.com")
	v.visit("/admin/events").reads("What Stripe has sent")

	run(exitFailed, "user", "promote", "nobody@example.com")
	run(exitFailed, "user", "promote", "may@example.com", "--org", "org_nobody")
	for _, args := range [][]string{{"user"}, {"user", "create", "x@example.com"}, {"user", "promote", "x@example.com", "--role", "admin"}, {"user", "forget", "x@example.com"}} {
		run(exitUsage, args...)
	}
}
