package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserCommand creates and promotes users beside a running server.
func TestUserCommand(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("front of house\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		args = append([]string{"user"}, args...)
		code, stdout, stderr := runCommand(t, args, "DATA_DIR="+dataDir)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr)
		}
		return stdout, stderr
	}
	output, _ := run(exitOK, "create", "ops@example.com", "--name", "Ola", "--new-org", "Operations",
		"--password-file", password, "--json")
	var user userView
	err := json.Unmarshal([]byte(output), &user)
	if err != nil || !strings.HasPrefix(user.OrganizationID, "org_") {
		t.Fatalf("user create prints %s, %v", output, err)
	}
	_, stderr := run(exitFailed, "create", "ops@example.com", "--name", "Ola", "--new-org", "Again",
		"--password-file", password)
	if !strings.Contains(stderr, "already") {
		t.Errorf("a second account of the address: %s", stderr)
	}
	run(exitOK, "create", "may@example.com", "--name", "May", "--org", user.OrganizationID,
		"--password-file", password)
	output, _ = run(exitOK, "promote", "may@example.com", "--org", user.OrganizationID)
	if !strings.Contains(output, "admin of "+user.OrganizationID) {
		t.Errorf("user promote prints %s", output)
	}

	c := server.client(t)
	c.open("/login").submit(`form[action="/login"]`, "email=ops@example.com", "password=front of house")
	c.open("/admin/events").expectText("Only operators of this installation can see this")
	run(exitOK, "promote", "ops@example.com")
	c.open("/admin/events").expectText("What Stripe has sent")
	output, _ = run(exitOK, "end-sessions", "OPS@example.com")
	if !strings.Contains(output, "sessions ended: 1") {
		t.Errorf("user end-sessions prints %s", output)
	}
	c.open("/admin/events").expectText("Forgot your password?")

	run(exitFailed, "end-sessions", "unknown@example.com")
	run(exitUsage, "end-sessions", "ops@example.com", "--org", "org_x")
	run(exitFailed, "promote", "unknown@example.com")
	run(exitFailed, "reset-2fa", "unknown@example.com")
	if _, stderr := run(exitFailed, "reset-2fa", "ops@example.com"); !strings.Contains(stderr, "is off") {
		t.Errorf("reset of nothing: %s", stderr)
	}
	run(exitUsage, "reset-2fa", "ops@example.com", "--role", "admin")
	run(exitFailed, "promote", "may@example.com", "--org", "org_unknown")
	run(exitUsage)
	run(exitUsage, "create", "x@example.com")
	run(exitUsage, "promote", "x@example.com", "--role", "admin")
	run(exitUsage, "forget", "x@example.com")
}
