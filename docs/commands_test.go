package docs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"usher/db/privatepg"
)

// blockTimeout ends a block that hangs. One that runs a program compiles it first, which takes
// minutes on a new machine.
const blockTimeout = 10 * time.Minute

// TestDocumentation compares the documentation with a running server.
func TestDocumentation(t *testing.T) {
	d := startDocumented(t)
	d.buyPlan(t)
	t.Run("commands", d.testCommands)
	t.Run("inline commands", d.testInlineCommands)
	t.Run("routes", d.testRoutes)
	t.Run("metrics", d.testMetrics)
	t.Run("plan keys", d.testPlanKeys)
	t.Run("tables", d.testTables)
}

// testCommands runs every sh block, as it is written, with bash in a folder per file. Wrappers on
// PATH replace what cannot run inside a test; see [documented.writeWrappers].
func (d *documented) testCommands(t *testing.T) {
	count := 0
	for _, path := range markdownFiles(t) {
		folder := d.folder(t, path)
		for _, b := range blocksOf(t, path) {
			switch {
			case b.test == "plan file":
				write(t, filepath.Join(folder, "plans.toml"), b.text, 0o644)
			case b.language == "sh":
				count++
				d.run(t, b, folder)
			}
		}
	}
	if count < 20 {
		t.Errorf("only %d blocks were run", count)
	}
}

// TestStripeListenNeedsEvents shows that the check of a documented `stripe listen` can fail: this
// is the command of earlier versions of the CLI.
func TestStripeListenNeedsEvents(t *testing.T) {
	d := &documented{bin: t.TempDir(), home: t.TempDir()}
	d.writeStripe(t, "http://127.0.0.1:9")
	b := block{path: "example.md", test: "account", text: "stripe listen --forward-to localhost:4312/stripe/webhook\n"}
	if out, err := d.bash(t, b, t.TempDir()); err == nil || !strings.Contains(out, "--all-snapshot") {
		t.Errorf("the command is accepted: %v\n%s", err, out)
	}
}

// TestDocumentedTestHasToExist shows that the check of a documented `go test -run` can fail.
func TestDocumentedTestHasToExist(t *testing.T) {
	d := &documented{bin: t.TempDir(), home: t.TempDir()}
	d.writeWrappers(t)
	for name, exists := range map[string]bool{"TestDecide": true, "TestDecides": false} {
		b := block{path: "example.md", text: "go test -run " + name + " ./billing\n"}
		if out, err := d.bash(t, b, t.TempDir()); (err == nil) != exists {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// documented is a running Usher and local Stripe, with what the documented commands need.
type documented struct {
	bin      string // on PATH before everything else
	home     string
	data     string // DATA_DIR
	usher    string // host:port
	stripe   string // host:port of the local Stripe beside it
	alone    string // host:port of `usher stripe`
	database string // DSN
}

func startDocumented(t *testing.T) *documented {
	t.Helper()
	d := &documented{bin: t.TempDir(), home: t.TempDir(), data: dataDir(t)}
	d.buildUsher(t)
	out := d.start(t, "ADDR=127.0.0.1:0", "serve")
	d.usher = awaitMatch(t, out, regexp.MustCompile(`Usher is at\s+http://(\S+)`))
	d.stripe = awaitMatch(t, out, regexp.MustCompile(`Local Stripe\s+http://(\S+)`))
	out = d.start(t, "", "stripe", "--addr", "127.0.0.1:0")
	d.alone = awaitMatch(t, out, regexp.MustCompile(`http://(\S+)[; ]`))
	d.alone = strings.TrimRight(d.alone, ";")
	dsn, err := os.ReadFile(filepath.Join(d.data, "postgres.dsn"))
	if err != nil {
		t.Fatal(err)
	}
	d.database = strings.TrimSpace(string(dsn))
	d.writeWrappers(t)
	return d
}

// dataDir is a folder that the private PostgreSQL's user can enter.
func dataDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp(privatepg.TempDir(privatepg.TestRoom), "usher-docs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (d *documented) buildUsher(t *testing.T) {
	t.Helper()
	build := exec.Command("go", "build", "-o", filepath.Join(d.bin, "usher-program"), "./cmd/usher")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build usher: %v\n%s", err, out)
	}
}

// start runs usher until the test ends and returns what it prints.
func (d *documented) start(t *testing.T, variable string, args ...string) *output {
	t.Helper()
	out := &output{}
	cmd := exec.Command(filepath.Join(d.bin, "usher-program"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), out, out
	cmd.Env = append(d.environment(), "DATA_DIR="+d.data)
	if variable != "" {
		cmd.Env = append(cmd.Env, variable)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			t.Errorf("usher %v did not end:\n%s", args, out)
		}
	})
	return out
}

// environment is the process's without Usher's and Stripe's variables, so that they cannot reach a
// real account.
func (d *documented) environment() []string {
	foreign := regexp.MustCompile(`^(STRIPE_|BILLING_|DATABASE_URL=|BASE_URL=|ADDR=|APP_ENV=|PLANS_FILE=|SMTP_URL=|MAIL_FROM=|` +
		`OPERATOR_EMAILS=|METRICS_TOKEN=|RATE_LIMITS=|TRUSTED_PROXIES=|SECRETS_KEY=|REQUIRE_2FA=|LOG_|DATA_DIR=|HOME=|XDG_CONFIG_HOME=)`)
	return slices.DeleteFunc(os.Environ(), foreign.MatchString)
}

// buyPlan subscribes the demo organization, as a person does in the browser.
func (d *documented) buyPlan(t *testing.T) {
	t.Helper()
	script := `
curl -fsS -c jar -o /dev/null -d email=admin@usher.example -d password=usher-demo http://localhost:4312/login
org=$(curl -fsS -b jar http://localhost:4312/billing/getSummary | grep -o 'org_[a-z0-9]*')
page=$(curl -fsS -b jar -o /dev/null -w '%{redirect_url}' -d organizationId=$org -d plan=pro -d interval=month http://localhost:4312/billing/checkout)
back=$(curl -fsS -o /dev/null -w '%{redirect_url}' -d action=pay -d email=ana@example.com -d cardNumber=4242424242424242 \
  -d cardExpiry=12/34 -d cardCvc=123 -d billingName=Ana "$page")
curl -fsS -b jar -o /dev/null "$back"
`
	folder := t.TempDir()
	d.run(t, block{path: "docs/commands_test.go", text: script}, folder)
	paid := block{text: `curl -fsS -b jar http://localhost:4312/api/v1/entitlements | grep '"balance":1000'`}
	poll(t, "the plan is not active", func() (string, bool) {
		out, err := d.bash(t, paid, folder)
		return out, err == nil
	})
}

// folder is the working folder of a file's blocks.
func (d *documented) folder(t *testing.T, path string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), strings.ReplaceAll(path, "/", "_"))
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (d *documented) run(t *testing.T, b block, folder string) {
	t.Helper()
	if out, err := d.bash(t, b, folder); err != nil {
		t.Errorf("%s:%d: %v\n%s\n%s", b.path, b.line, err, b.text, out)
	}
}

func (d *documented) bash(t *testing.T, b block, folder string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), blockTimeout)
	defer cancel()
	text := strings.NewReplacer("localhost:4312", d.usher, "localhost:4313", d.stripe, "localhost:12111", d.alone, "127.0.0.1:12111", d.alone).Replace(b.text)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-x", "-c", text)
	cmd.Dir = folder
	cmd.Env = append(d.environment(), "PATH="+d.bin+":"+os.Getenv("PATH"), "HOME="+d.home, "XDG_CONFIG_HOME="+d.home,
		"GOPATH="+goEnv(t, "GOPATH"), "GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"),
		"DATA_DIR="+d.data, "DATABASE_URL="+d.database, "STRIPE_CLI_TELEMETRY_OPTOUT=1", "DOCS_TEST="+b.test)
	if b.test == "account" {
		cmd.Env = append(cmd.Env, "STRIPE_SECRET_KEY=sk_test_usherlocal", "STRIPE_WEBHOOK_SECRET=whsec_documented",
			"STRIPE_API_BASE=http://"+d.stripe, "BASE_URL=http://"+d.usher)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// writeWrappers puts programs on PATH that take the documented arguments:
//
//   - usher runs the program. Where it would start a server, which runs already, its flags are
//     compared with --help.
//   - go run ./cmd/usher is usher. Other programs are built, and their flags compared with -h.
//   - go test has to name a test of the package. It is not compiled once more for that.
//   - make checks that the target exists.
//   - stripe is the official CLI. Commands that need an account have to get as far as the account:
//     their request arrives at a server that refuses it.
func (d *documented) writeWrappers(t *testing.T) {
	t.Helper()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.bin, "usher"), strings.ReplaceAll(usherWrapper, "BIN", d.bin), 0o755)
	goProgram, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.bin, "go"), strings.NewReplacer("GO", goProgram, "ROOT", absolute, "BIN", d.bin).Replace(goWrapper), 0o755)
	makeProgram, err := exec.LookPath("make")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.bin, "make"), fmt.Sprintf("#!/bin/sh\nexec %s -n -C %s \"$@\" >/dev/null\n", makeProgram, absolute), 0o755)
	d.writeStripe(t, refusingStripe(t))
}

const usherWrapper = `#!/usr/bin/env bash
set -euo pipefail
case "${1:-serve}" in
serve | stripe)
  help=$(BIN/usher-program "${1:-serve}" --help)
  for word in "$@"; do
    case "$word" in
    --*) grep -qE -- "^ +-${word#--}( |$)" <<<"$help" || { echo "no flag $word" >&2; exit 1; } ;;
    esac
  done
  ;;
*) exec BIN/usher-program "$@" ;;
esac
`

const goWrapper = `#!/usr/bin/env bash
set -euo pipefail
case "$1 ${2:-}" in
"run ./cmd/usher") shift 2; exec BIN/usher "$@" ;;
"run ./"*)
  help=$(cd ROOT && { GO run "$2" -h 2>&1 || true; })
  for word in "${@:3}"; do
    case "$word" in
    -*) grep -qE -- "^ +$word( |$)" <<<"$help" || { echo "no flag $word in: $help" >&2; exit 1; } ;;
    esac
  done
  ;;
"test -run")
  tests=$(cd ROOT/"$4" && grep -hoE '^func Test[A-Za-z0-9_]+' ./*_test.go)
  grep -qE -- "^func .*$3" <<<"$tests" || { echo "no test $3 in $4" >&2; exit 1; }
  ;;
"env "*) exec GO "$@" ;;
*) echo "go $*: the documentation's test does not know how to check this" >&2; exit 1 ;;
esac
`

// stripeWrapper adds a key and a Stripe. The refusing one ends the command with an authentication
// error, which is what a documented command with right arguments comes to.
const stripeWrapper = `#!/usr/bin/env bash
set -uo pipefail
if [ "$DOCS_TEST" != account ]; then exec TOOL "$@"; fi
if [ "$1" = login ]; then TOOL login --help >/dev/null; exit; fi
out=$(TOOL "$@" --skip-update --api-base REFUSING --api-key sk_test_1234567890 2>&1)
grep -q 'documented refusal' <<<"$out" && exit 0
echo "$out"
exit 1
`

func (d *documented) writeStripe(t *testing.T, refusing string) {
	t.Helper()
	text := strings.NewReplacer("TOOL", stripeTool(t), "REFUSING", refusing).Replace(stripeWrapper)
	write(t, filepath.Join(d.bin, "stripe"), text, 0o755)
}

// refusingStripe answers every call like Stripe answers an unknown key.
func refusingStripe(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"type":"invalid_request_error","message":"documented refusal"}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// stripeTool is the official CLI that npm installs: the program for this machine where it is known,
// else the script that starts it.
func stripeTool(t *testing.T) string {
	t.Helper()
	machine := strings.ReplaceAll(runtime.GOOS+"-"+runtime.GOARCH, "amd64", "x64")
	for _, name := range []string{filepath.Join("@stripe", "cli-"+machine, "bin", "stripe"), filepath.Join(".bin", "stripe")} {
		path, err := filepath.Abs(filepath.Join(root, "node_modules", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	t.Fatal("the Stripe CLI is not installed: run `make node_modules/.package-lock.json`, or `make test`")
	return ""
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// output collects what a process prints, and can be read meanwhile.
type output struct{ text atomic.Pointer[string] }

// Write implements [io.Writer]. The process writes from one goroutine for both streams.
func (o *output) Write(p []byte) (int, error) {
	text := o.String() + string(bytes.Clone(p))
	o.text.Store(&text)
	return len(p), nil
}

func (o *output) String() string {
	if text := o.text.Load(); text != nil {
		return *text
	}
	return ""
}

// awaitMatch waits until the output matches and returns the first group.
func awaitMatch(t *testing.T, out *output, pattern *regexp.Regexp) string {
	t.Helper()
	var found string
	poll(t, pattern.String()+" does not appear", func() (string, bool) {
		match := pattern.FindStringSubmatch(out.String())
		if match != nil {
			found = match[1]
		}
		return out.String(), match != nil
	})
	return found
}

// poll repeats try until it succeeds. Otherwise the test ends with what try saw last.
func poll(t *testing.T, failure string, try func() (saw string, ok bool)) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		saw, ok := try()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s:\n%s", failure, saw)
		}
	}
}
