package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
)

func TestDataIsKeptBetweenRuns(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), newDataDir(t)
	first := mustStart(t, env, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	mustStop(t, first)
	began := time.Now()
	second := mustStart(t, env, dir)
	t.Logf("the second start took %v", time.Since(began))
	if got := mustQuery(t, second.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	env := testEnvironment(t)
	for _, fast := range []bool{false, true} {
		s, err := env.start(t.Context(), Options{DataDir: initializedDir(t), Fast: fast})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { mustStop(t, s) })
		for name, want := range map[string]string{
			"timezone":         "UTC",
			"max_connections":  "100",
			"shared_buffers":   "64MB",
			"listen_addresses": "",
			"server_encoding":  "UTF8",
			"fsync":            map[bool]string{false: "on", true: "off"}[fast],
		} {
			if got := mustQuery(t, s.DSN(), "SHOW "+name); got != want {
				t.Errorf("fast %v: %s is %q, want %q", fast, name, got, want)
			}
		}
		if config, err := pq.NewConfig(s.DSN()); err != nil || config.ConnectTimeout != connectTimeout {
			t.Errorf("fast %v: the DSN has connect_timeout %v, %v", fast, config.ConnectTimeout, err)
		}
		if got := mustQuery(t, s.DSN(), "SELECT lower('ÉŁ')"); got != "éł" {
			t.Errorf("lower of non-ASCII letters: %q", got)
		}
	}
}

func TestServerStopsWithKilledProgram(t *testing.T) {
	t.Parallel()
	dir := initializedDir(t)
	p := startProgram(t, dir)
	mustExec(t, p.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
	p.kill()
	eventually(t, "the server exits", func() bool { return !alive(p.postmasterPID) })
	eventually(t, "the supervisor exits", func() bool { return len(supervisorsOf(t, p.postmasterPID)) == 0 })
	s := mustStart(t, testEnvironment(t), dir)
	if got := mustQuery(t, s.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func TestProgramKilledDuringInitdb(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	cmd := programCommand(t, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	unfinished := filepath.Join(dir, "postgres", unfinishedPrefix+"*", "base")
	eventually(t, "initdb runs", func() bool {
		found, err := filepath.Glob(unfinished)
		return err == nil && len(found) > 0
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	mustStart(t, testEnvironment(t), dir)
	eventually(t, "initdb exits", func() bool { return len(processesMatching(t, filepath.Join(dir, "postgres", unfinishedPrefix))) == 0 })
}

func TestKilledProgramsServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := initializedDir(t)
	for range 3 {
		p := startProgram(t, dir)
		p.kill()
	}
	mustStart(t, testEnvironment(t), dir)
}

func TestServerWithoutSupervisorIsStopped(t *testing.T) {
	t.Parallel()
	dir := initializedDir(t)
	p := startProgram(t, dir)
	supervisors := supervisorsOf(t, p.postmasterPID)
	if len(supervisors) != 1 {
		t.Fatalf("supervisors: %v", supervisors)
	}
	if err := syscall.Kill(supervisors[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if !alive(p.postmasterPID) {
		t.Fatal("the server has exited, so nothing is tested")
	}
	s := mustStart(t, testEnvironment(t), dir)
	if alive(p.postmasterPID) || s.postmasterPID() == p.postmasterPID {
		t.Error("the server of the previous run is still running")
	}
}

func TestRecoversAfterPostmasterIsKilled(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	s := mustStart(t, env, dir)
	mustExec(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	if err := syscall.Kill(s.postmasterPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	mustStop(t, s)
	again := mustStart(t, env, dir)
	if got := mustQuery(t, again.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func TestSecondProgramIsRefused(t *testing.T) {
	t.Parallel()
	dir := initializedDir(t)
	p := startProgram(t, dir)
	_, err := testEnvironment(t).start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", p.cmd.Process.Pid)) {
		t.Errorf("a second program: %v", err)
	}
	mustExec(t, p.dsn, "SELECT 1")
}

// The pid file of a killed server contains the id of a process that runs as the server's user by
// now, or, as in a restarted container, the program's own id.
func TestReusedPIDInStalePidFile(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	s := mustStart(t, env, dir)
	c := clusterOf(t, dir)
	other := c.account.command("/bin/sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = other.Process.Kill(), other.Wait() })
	for _, pid := range []int{other.Process.Pid, os.Getpid(), 1} {
		_ = syscall.Kill(s.postmasterPID(), syscall.SIGKILL)
		<-s.Done()
		mustStop(t, s)
		replacePID(t, c, pid)
		s = mustStart(t, env, dir)
	}
	if !alive(other.Process.Pid) {
		t.Error("the unrelated process was signalled")
	}
}

func replacePID(t *testing.T, c *cluster, pid int) {
	t.Helper()
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(c.pidFile(), []byte(strconv.Itoa(pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPidFileWithoutNumber(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	mustStop(t, mustStart(t, env, dir))
	for _, text := range []string{"", "\n", "no number\n"} {
		if err := os.WriteFile(clusterOf(t, dir).pidFile(), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		mustStop(t, mustStart(t, env, dir))
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), newDataDir(t)
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond} {
		cancelStart(t, env, dir, after)
	}
	mustStop(t, mustStart(t, env, dir))
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond} {
		cancelStart(t, env, dir, after)
	}
	mustStart(t, env, dir)
}

// The start is cancelled after its postmaster was started.
func TestCancelledWaitStopsPostmaster(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	s := &Server{}
	t.Cleanup(func() { s.release() })
	c, err := env.prepare(t.Context(), s, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if s.process == nil {
		t.Fatal("no postmaster was started, so nothing is tested")
	}
	if alive(s.postmasterPID()) {
		t.Error("the postmaster is still running")
	}
}

// cancelStart accepts a start that is faster than the cancellation.
func cancelStart(t *testing.T, env environment, dir string, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	s, err := env.start(ctx, Options{DataDir: dir})
	if err == nil {
		mustStop(t, s)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled after %v: %v", after, err)
	}
	eventually(t, "no process is left", func() bool { return len(processesMatching(t, filepath.Join(dir, "postgres"))) == 0 })
}

func TestStopWithCanceledContextAndStopTwice(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	s := mustStart(t, env, dir)
	mustExec(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	// A fast shutdown may be faster than the cancellation; both results are correct.
	if err := s.Stop(hurry); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	<-s.Done()
	if again := s.Stop(t.Context()); again != s.stopErr {
		t.Errorf("the second stop: %v", again)
	}
	s.stopErr = nil // the cleanup expects no error
	eventually(t, "no process is left", func() bool { return len(processesMatching(t, filepath.Join(dir, "postgres"))) == 0 })
	if got := mustQuery(t, mustStart(t, env, dir).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func TestStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	s := mustStart(t, env, dir)
	mustStop(t, s)
	eventually(t, "the supervisor exits", func() bool { return len(supervisorsOf(t, s.postmasterPID())) == 0 })
	if left := processesMatching(t, dir); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

// A terminal sends SIGINT to a process group and SIGHUP to a session.
func TestTerminalDoesNotReachServer(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testEnvironment(t), initializedDir(t))
	group, err := syscall.Getpgid(s.postmasterPID())
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("the server is in the program's process group %d (%v)", group, err)
	}
}

func TestServerDoesNotInheritSecrets(t *testing.T) {
	t.Setenv("USHER_TEST_SECRET", "sk_test_of_a_program")
	t.Setenv("PGTZ", "Asia/Tokyo")
	s := mustStart(t, testEnvironment(t), initializedDir(t))
	out, err := exec.Command("ps", "eww", "-p", strconv.Itoa(s.postmasterPID())).Output()
	if err != nil || !strings.Contains(string(out), "LC_ALL=C") {
		t.Fatalf("the server's environment: %q, %v", out, err)
	}
	if strings.Contains(string(out), "sk_test_of_a_program") {
		t.Error("the server inherited a secret")
	}
}

// TestAsOrdinaryUser repeats the tests that depend on the user as an unprivileged one if the test
// runs as root.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // the test already runs unprivileged
	}
	nobody := account{uid: 65534, gid: 65534, switched: true}
	dir := traversableDir(t)
	program := filepath.Join(dir, "privatepg.test")
	copyTestBinary(t, program)
	temporary := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temporary, 0o700), os.Chown(temporary, nobody.uid, nobody.gid)); err != nil {
		t.Fatal(err)
	}
	cmd := nobody.command(program, "-test.v", "-test.run",
		"Kept|StopsWithKilled|WithoutSupervisor|Second|ReusedPID|Wait|Unreachable|Deleted|Planted|Unusual|SocketDir")
	cmd.Env = append(cmd.Env, "TMPDIR="+temporary, "HOME="+temporary)
	out, err := cmd.CombinedOutput()
	if err != nil || !slices.Contains(strings.Split(string(out), "\n"), "PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func copyTestBinary(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(t, to, text)
}

// A child process between fork and exec has the lock file open too.
func TestReleasedLockIsFreeDespiteInheritedDescriptor(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	duplicate, err := syscall.Dup(int(lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(duplicate)
	lock.release()
	again, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}
