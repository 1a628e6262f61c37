package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
)

// runOnce runs a subcommand to its end.
func runOnce(t *testing.T, args []string, variables ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	code = run(context.Background(), args, envOf(variables...), &out, &errors)
	return code, out.String(), errors.String()
}

func TestTakenPortIsAClearError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, _, stderr := runOnce(t, nil, "ADDR="+taken.Addr().String(), "DATA_DIR="+newDataDir(t))
	if code != exitFailed || !strings.Contains(stderr, "the address is in use by another program") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestServeTellsEveryMistakeAtOnce(t *testing.T) {
	code, _, stderr := runOnce(t, []string{"serve"}, "ADDR=nowhere", "BASE_URL=ftp://x", "STRIPE_SECRET_KEY=pk_test_123456789", "LOG_LEVEL=loud")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, variable := range []string{"ADDR", "BASE_URL", "STRIPE_SECRET_KEY", "LOG_LEVEL"} {
		if !strings.Contains(stderr, variable) {
			t.Errorf("%s is not named in:\n%s", variable, stderr)
		}
	}
	if strings.Contains(stderr, "pk_test_123456789") {
		t.Error("a key is shown whole")
	}
}

func TestServeWantsTheWebhookSecretBesideTheKey(t *testing.T) {
	code, _, stderr := runOnce(t, nil, "STRIPE_SECRET_KEY=sk_test_1234567890abcdef")
	if code != exitFailed || !strings.Contains(stderr, "STRIPE_WEBHOOK_SECRET") || !strings.Contains(stderr, "usher webhook setup") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestProductionRefusesWhatStandsInInDevelopment(t *testing.T) {
	code, _, stderr := runOnce(t, nil, "APP_ENV=production", "BASE_URL=http://billing.example.com")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, variable := range []string{"BASE_URL", "DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"} {
		if !strings.Contains(stderr, variable) {
			t.Errorf("%s is not named in:\n%s", variable, stderr)
		}
	}
	code, _, stderr = runOnce(t, []string{"stripe"}, "APP_ENV=production")
	if code != exitFailed || !strings.Contains(stderr, "production") {
		t.Errorf("the local Stripe in production: %d %s", code, stderr)
	}
}

func TestUsageErrors(t *testing.T) {
	cases := [][]string{{"frobnicate"}, {"serve", "now"}, {"plans"}, {"plans", "burn"}, {"migrate", "--up"}, {"webhook"}, {"version", "--yaml"}}
	for _, args := range cases {
		if code, _, stderr := runOnce(t, args); code != exitUsage || stderr == "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}

func TestEverySubcommandHasHelp(t *testing.T) {
	for _, c := range commands {
		code, stdout, _ := runOnce(t, []string{c.name, "--help"})
		if code != exitOK || !strings.Contains(stdout, "usage: usher "+c.name) {
			t.Errorf("%s --help: exit code %d, %q", c.name, code, stdout)
		}
	}
	if code, stdout, _ := runOnce(t, []string{"--help"}); code != exitOK || !strings.Contains(stdout, "migrate") {
		t.Errorf("--help: exit code %d, %q", code, stdout)
	}
}
