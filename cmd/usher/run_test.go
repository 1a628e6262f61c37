package main

import (
	"net"
	"strings"
	"testing"
)

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	code, _, stderr := runCommand(t, nil, "ADDR="+listener.Addr().String(), "DATA_DIR="+newDataDir(t))
	if code != exitFailed || !strings.Contains(stderr, "the address is in use by another program") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestServeReportsEveryConfigError(t *testing.T) {
	expectServeFails(t, []string{
		"ADDR=nowhere", "BASE_URL=ftp://x", "STRIPE_SECRET_KEY=pk_test_123456789", "LOG_LEVEL=loud",
	}, "ADDR", "BASE_URL", "STRIPE_SECRET_KEY", "LOG_LEVEL")
}

func TestServeRequiresWebhookSecret(t *testing.T) {
	expectServeFails(t, []string{"STRIPE_SECRET_KEY=sk_test_1234567890abcdef"},
		"STRIPE_WEBHOOK_SECRET", "usher webhook setup")
}

func TestProductionHasNoSubstitutes(t *testing.T) {
	expectServeFails(t, []string{"APP_ENV=production", "BASE_URL=http://billing.example.com"},
		"BASE_URL", "DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
	code, _, stderr := runCommand(t, []string{"stripe"}, "APP_ENV=production")
	if code != exitFailed || !strings.Contains(stderr, "production") {
		t.Errorf("usher stripe: exit code %d: %s", code, stderr)
	}
}

// expectServeFails requires that serve fails, prints all of the texts and no value of a secret.
func expectServeFails(t *testing.T, environment []string, texts ...string) {
	t.Helper()
	code, _, stderr := runCommand(t, []string{"serve"}, environment...)
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	for _, text := range texts {
		if !strings.Contains(stderr, text) {
			t.Errorf("the error does not contain %q:\n%s", text, stderr)
		}
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if secretVariables[name] && strings.Contains(stderr, value) {
			t.Errorf("the error contains the value of %s:\n%s", name, stderr)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"frobnicate"}, {"serve", "now"}, {"plans"}, {"plans", "burn"}, {"migrate", "--up"}, {"webhook"},
		{"version", "--yaml"}, {"events", "list", "--outcome", "lost"}, {"clock"},
		{"stripe", "--secret", "x"}, {"stripe", "--origin", "stripe:12111"}, {"stripe", "--origin", "http://stripe/x"},
		{"stripe", "--allow-origin", "app.test"},
	} {
		code, stdout, stderr := runCommand(t, args)
		if code != exitUsage || stderr == "" || stdout != "" {
			t.Errorf("%v: exit code %d, output %q, error %q", args, code, stdout, stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, c := range commands {
		code, stdout, stderr := runCommand(t, []string{c.name, "--help"})
		if code != exitOK || !strings.Contains(stdout, "usage: usher "+c.name) || stderr != "" {
			t.Errorf("%s --help: exit code %d, output %q, error %q", c.name, code, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}} {
		if code, stdout, _ := runCommand(t, args); code != exitOK || !strings.Contains(stdout, "migrate") {
			t.Errorf("%v: exit code %d, output %q", args, code, stdout)
		}
	}
}

// TestFlagPositions has flags before, between and after the other arguments.
func TestFlagPositions(t *testing.T) {
	for _, args := range [][]string{
		{"version", "--json"}, {"plans", "diff", "--json"}, {"plans", "--json", "diff"},
	} {
		if code, _, stderr := runCommand(t, args); code == exitUsage {
			t.Errorf("%v is a usage error: %s", args, stderr)
		}
	}
}
