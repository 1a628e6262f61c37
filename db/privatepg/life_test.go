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
)

func TestDataIsKeptBetweenRuns(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), freshDir(t)
	first := mustStart(t, m, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	mustStop(t, first)
	began := time.Now()
	second := mustStart(t, m, dir)
	t.Logf("the second start took %v", time.Since(began))
	if got := mustAsk(t, second.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	for _, fast := range []bool{false, true} {
		s, err := m.start(t.Context(), Options{DataDir: usedDir(t), Fast: fast})
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
			if got := mustAsk(t, s.DSN(), "SHOW "+name); got != want {
				t.Errorf("fast %v: %s is %q, want %q", fast, name, got, want)
			}
		}
		if got := mustAsk(t, s.DSN(), "SELECT lower('ÉŁ')"); got != "éł" {
			t.Errorf("letters beyond ASCII: %q", got)
		}
	}
}

func TestServerDiesWithKilledProgram(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	p := startProgram(t, dir)
	mustExec(t, p.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
	p.kill()
	eventually(t, "the server ends with the program", func() bool { return !alive(p.postmaster) })
	eventually(t, "the watcher ends too", func() bool { return len(watchersOf(t, p.postmaster)) == 0 })
	s := mustStart(t, testMachine(t), dir)
	if got := mustAsk(t, s.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
	}
}

func TestServerDiesWithProgramKilledWhileStarting(t *testing.T) {
	t.Parallel()
	dir := freshDir(t)
	cmd := launchProgram(t, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	unfinished := filepath.Join(dir, "postgres", unfinishedPrefix+"*", "base")
	eventually(t, "initdb is at work", func() bool {
		found, err := filepath.Glob(unfinished)
		return err == nil && len(found) > 0
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	mustStart(t, testMachine(t), dir)
	eventually(t, "initdb ends", func() bool { return len(processesNaming(t, filepath.Join(dir, "postgres", unfinishedPrefix))) == 0 })
}

func TestKilledProgramsServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	for range 3 {
		p := startProgram(t, dir)
		p.kill()
	}
	mustStart(t, testMachine(t), dir)
}

func TestServerWithoutWatcherIsEnded(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	p := startProgram(t, dir)
	watchers := watchersOf(t, p.postmaster)
	if len(watchers) != 1 {
		t.Fatalf("watchers: %v", watchers)
	}
	if err := syscall.Kill(watchers[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if !alive(p.postmaster) {
		t.Fatal("the server is gone: there is nothing to test")
	}
	s := mustStart(t, testMachine(t), dir)
	if alive(p.postmaster) || s.postmaster() == p.postmaster {
		t.Error("the last run's server still runs")
	}
}

func TestRecoversAfterPostmasterIsKilled(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	s := mustStart(t, m, dir)
	mustExec(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	if err := syscall.Kill(s.postmaster(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	mustStop(t, s)
	again := mustStart(t, m, dir)
	if got := mustAsk(t, again.DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
	}
}

func TestSecondProgramIsRefused(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	p := startProgram(t, dir)
	_, err := testMachine(t).start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", p.cmd.Process.Pid)) {
		t.Errorf("a second program: %v", err)
	}
	mustExec(t, p.dsn, "SELECT 1")
}

// A pid file of a killed server names a number that is a living process of
// the server's own user by now, or, as in a container started again, us.
func TestStrangerInStalePidFile(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	s := mustStart(t, m, dir)
	c := clusterOf(t, dir)
	stranger := c.account.command("/bin/sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = stranger.Process.Kill(), stranger.Wait() })
	for _, pid := range []int{stranger.Process.Pid, os.Getpid(), 1} {
		_ = syscall.Kill(s.postmaster(), syscall.SIGKILL)
		<-s.Done()
		mustStop(t, s)
		nameInPidFile(t, c, pid)
		s = mustStart(t, m, dir)
	}
	if !alive(stranger.Process.Pid) {
		t.Error("the stranger was signalled")
	}
}

func nameInPidFile(t *testing.T, c *cluster, pid int) {
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
	m, dir := testMachine(t), usedDir(t)
	mustStop(t, mustStart(t, m, dir))
	for _, text := range []string{"", "\n", "no number\n"} {
		if err := os.WriteFile(clusterOf(t, dir).pidFile(), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		mustStop(t, mustStart(t, m, dir))
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), freshDir(t)
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond} {
		cancelStart(t, m, dir, after)
	}
	mustStop(t, mustStart(t, m, dir))
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond} {
		cancelStart(t, m, dir, after)
	}
	mustStart(t, m, dir)
}

// A start that is cancelled when its postmaster already runs.
func TestCancelledWaitEndsPostmaster(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	s := &Server{}
	t.Cleanup(func() { s.release() })
	c, err := m.prepare(t.Context(), s, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if s.process == nil {
		t.Fatal("no postmaster was started: there is nothing to test")
	}
	if alive(s.postmaster()) {
		t.Error("the postmaster still runs")
	}
}

// cancelStart allows for a start that is quicker than the cancellation.
func cancelStart(t *testing.T, m machine, dir string, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	s, err := m.start(ctx, Options{DataDir: dir})
	if err == nil {
		mustStop(t, s)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled after %v: %v", after, err)
	}
	eventually(t, "nothing runs", func() bool { return len(processesNaming(t, filepath.Join(dir, "postgres"))) == 0 })
}

func TestStopTwiceAndStopInAHurry(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	s := mustStart(t, m, dir)
	mustExec(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	// A fast shutdown may still win, so that both answers are right.
	if err := s.Stop(hurry); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	<-s.Done()
	if again := s.Stop(t.Context()); again != s.stopErr {
		t.Errorf("the second stop: %v", again)
	}
	s.stopErr = nil // for the cleanup, which wants a stop without error
	eventually(t, "nothing runs", func() bool { return len(processesNaming(t, filepath.Join(dir, "postgres"))) == 0 })
	if got := mustAsk(t, mustStart(t, m, dir).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
	}
}

func TestStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	s := mustStart(t, m, dir)
	mustStop(t, s)
	eventually(t, "the watcher ends", func() bool { return len(watchersOf(t, s.postmaster())) == 0 })
	if left := processesNaming(t, dir); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

// A terminal sends Ctrl-C to a process group, and hangs up on a session.
func TestTerminalDoesNotReachServer(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testMachine(t), usedDir(t))
	group, err := syscall.Getpgid(s.postmaster())
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("the server is in the program's process group %d (%v)", group, err)
	}
}

func TestServerDoesNotInheritSecrets(t *testing.T) {
	t.Setenv("USHER_TEST_SECRET", "sk_test_of_a_program")
	t.Setenv("PGTZ", "Asia/Tokyo")
	s := mustStart(t, testMachine(t), usedDir(t))
	out, err := exec.Command("ps", "eww", "-p", strconv.Itoa(s.postmaster())).Output()
	if err != nil || !strings.Contains(string(out), "LC_ALL=C") {
		t.Fatalf("the server's environment: %q, %v", out, err)
	}
	if strings.Contains(string(out), "sk_test_of_a_program") {
		t.Error("the server has the program's secrets")
	}
}

// TestAsOrdinaryUser runs what depends on the user again as one without
// rights, where this test program runs as root.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // it is that user who runs this
	}
	nobody := account{uid: 65534, gid: 65534, switched: true}
	dir := openFolder(t)
	program := filepath.Join(dir, "privatepg.test")
	copySelf(t, program)
	temporary := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temporary, 0o700), os.Chown(temporary, nobody.uid, nobody.gid)); err != nil {
		t.Fatal(err)
	}
	cmd := nobody.command(program, "-test.v", "-test.run", "Kept|DiesWithKilled|WithoutWatcher|Second|Stranger|Wait|Unreachable|Deleted|LaidOut|Awkward|Folder")
	cmd.Env = append(cmd.Env, "TMPDIR="+temporary, "HOME="+temporary)
	out, err := cmd.CombinedOutput()
	if err != nil || !slices.Contains(strings.Split(string(out), "\n"), "PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func copySelf(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// A child that is just being started has the lock's file open too.
func TestReleasedLockIsFreeWhateverAChildHolds(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	held, err := syscall.Dup(int(lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(held)
	lock.release()
	again, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}
