package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/db/privatepg"
)

// waitTimeout limits every wait for a state. Other tests and a busy machine slow the server down.
const waitTimeout = time.Minute

func TestMain(m *testing.M) {
	stripeLimit, hashMemory = 15*time.Second, 8
	code := m.Run()
	_ = os.RemoveAll(migratedDataDir.path)
	os.Exit(code)
}

// testServer is `usher serve` running inside the test process.
type testServer struct {
	url         string
	environment []string
	stdout      *outputBuffer
	stderr      *outputBuffer
	stop        func() int // stops it and returns the exit code
	reported    sync.Once
}

var addressLine = regexp.MustCompile(`Usher is at\s+(http\S+)`)

// startServer serves on a free port until the test ends, with its own DATA_DIR unless the variables
// contain one. A private PostgreSQL has every migration: to make one takes most of a start.
func startServer(t *testing.T, variables ...string) *testServer {
	t.Helper()
	s := &testServer{
		environment: append([]string{"ADDR=127.0.0.1:0", "DATA_DIR=" + newDataDir(t), "DEMO_HISTORY=off"}, variables...),
		stdout:      newOutputBuffer(), stderr: newOutputBuffer(),
	}
	if getenv := getenvOf(s.environment...); getenv("DATABASE_URL") == "" {
		fillDataDir(t, getenv("DATA_DIR"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	code := 0
	go func() {
		defer close(done)
		code = run(ctx, nil, getenvOf(s.environment...), s.stdout, s.stderr)
	}()
	s.stop = func() int {
		cancel()
		<-done
		return code
	}
	t.Cleanup(func() { s.stop() })
	s.reportFailure(t)
	startCtx, cancelStart := context.WithTimeout(ctx, time.Minute)
	defer cancelStart()
	match := s.stdout.waitFor(startCtx, addressLine, done)
	if match == nil {
		stderr, _ := s.stderr.read()
		t.Fatalf("the server did not start:\n%s", stderr)
	}
	s.url = match[1]
	return s
}

// newDataDir returns an empty DATA_DIR that other users may traverse, unlike t.TempDir. If the test
// runs as root, the private PostgreSQL would otherwise create its cluster elsewhere and leave it
// there.
func newDataDir(t *testing.T) string {
	t.Helper()
	dir := makeDataDir(t)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func makeDataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(privatepg.TempDir(privatepg.TestRoom), "usher-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// migratedDataDir is a DATA_DIR in which only `usher migrate` was run, made by the first test that
// needs one.
var migratedDataDir struct {
	once sync.Once
	path string
}

// fillDataDir copies migratedDataDir into an empty DATA_DIR. It does nothing with another one.
func fillDataDir(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return
	}
	migratedDataDir.once.Do(func() {
		migratedDataDir.path = makeDataDir(t)
		if code, _, stderr := runCommand(t, []string{"migrate"}, "DATA_DIR="+migratedDataDir.path); code != exitOK {
			t.Fatalf("migrate: %s", stderr)
		}
	})
	// Of root's copy the database server stays the owner.
	if output, err := exec.Command("cp", "-a", migratedDataDir.path+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("copy a DATA_DIR: %v: %s", err, output)
	}
}

// getenvOf returns a getenv that knows only the given NAME=value variables.
func getenvOf(variables ...string) func(string) string {
	values := map[string]string{}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// reportFailure prints the server's log and the event inbox if the test fails. The inbox is read
// from the running server's database, so a subtest whose parent stops the server must call it too.
func (s *testServer) reportFailure(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			s.reported.Do(func() { s.report(t) })
		}
	})
}

func (s *testServer) report(t *testing.T) {
	t.Helper()
	log, _ := s.stderr.read()
	args := []string{"events", "--json", "--limit", "1000", "list"}
	code, stdout, stderr := runCommand(t, args, s.environment...)
	var events []eventView
	if err := json.Unmarshal([]byte(stdout), &events); code != exitOK || err != nil {
		t.Logf("server log:\n%s\nevent inbox not readable: %d, %v, %s", log, code, err, stderr)
		return
	}
	var inbox strings.Builder
	for _, e := range events {
		fmt.Fprintf(&inbox, "%s  %-8s %-42s attempts %d  %s\n",
			e.ID, e.Outcome, e.Type, e.Attempts, e.Error)
	}
	t.Logf("server log:\n%s\nevent inbox, newest first:\n%s", log, inbox.String())
}

// runCommand runs a subcommand until it ends.
func runCommand(t *testing.T, args []string, variables ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	variables = append([]string{"DATA_DIR=" + newDataDir(t)}, variables...)
	code = run(context.Background(), args, getenvOf(variables...), &out, &errors)
	return code, out.String(), errors.String()
}

// outputBuffer collects output and can be read and waited for meanwhile.
type outputBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed by the next Write
}

func newOutputBuffer() *outputBuffer { return &outputBuffer{changed: make(chan struct{})} }

func (b *outputBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.text.Write(p)
}

func (b *outputBuffer) read() (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String(), b.changed
}

// waitFor waits until the output matches, and returns the match, or nil when done is closed or ctx
// ends.
func (b *outputBuffer) waitFor(
	ctx context.Context, pattern *regexp.Regexp, done <-chan struct{},
) []string {
	for {
		text, changed := b.read()
		if match := pattern.FindStringSubmatch(text); match != nil {
			return match
		}
		select {
		case <-changed:
		case <-done:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	eventuallyWithin(t, waitTimeout, what, condition)
}

// eventuallyWithin is eventually for what takes longer on a busy machine.
func eventuallyWithin(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		time.Sleep(20 * time.Millisecond) // polling interval
	}
}
