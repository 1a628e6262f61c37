package privatepg

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the program that tests kill: if this variable is set, it starts the
// private PostgreSQL of the directory in it, prints its process id and DSN and waits to be killed.
const programVariable = "PRIVATEPG_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(programVariable); dir != "" {
		runProgram(dir)
	}
	code := m.Run()
	if made, err := sharedCluster(); err == nil {
		_ = os.RemoveAll(filepath.Dir(made))
	}
	os.Exit(code)
}

// sharedCluster is the data directory of a cluster initialized once, for tests that do not test
// initialization.
var sharedCluster = sync.OnceValues(func() (string, error) {
	parent, err := os.MkdirTemp(TempDir(TestRoom), "privatepg-test-")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, ".usher")
	if err := os.Chmod(parent, 0o711); err != nil {
		return "", err
	}
	s, err := Start(context.Background(), Options{DataDir: dir})
	if err != nil {
		return "", err
	}
	return dir, s.Stop(context.Background())
})

// writeProgram writes an executable file. No process may be forked meanwhile: the child of another
// test would have the file open for writing, and executing it would fail with ETXTBSY
// (https://go.dev/issue/22315).
func writeProgram(t *testing.T, path string, text []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// initializedDir returns a data directory with a cluster of an earlier run.
func initializedDir(t *testing.T) string {
	t.Helper()
	dir := newDataDir(t)
	copyCluster(t, dir)
	return dir
}

// copyCluster copies the shared cluster to dir, which must not exist.
func copyCluster(t *testing.T, dir string) {
	t.Helper()
	made, err := sharedCluster()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-Rp", made, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the cluster: %v: %s", err, out)
	}
}

func runProgram(dir string) {
	s, err := Start(context.Background(), Options{DataDir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ready", s.process.cmd.Process.Pid, s.dsn)
	select {}
}

// program is a process of this test binary that runs a private PostgreSQL.
type program struct {
	cmd           *exec.Cmd
	postmasterPID int
	dsn           string
}

func programCommand(t *testing.T, dir string, variables ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), programVariable+"="+dir), variables...)
	return cmd
}

// startProgram returns when the program's PostgreSQL has started.
func startProgram(t *testing.T, dir string, variables ...string) *program {
	t.Helper()
	p := &program{cmd: programCommand(t, dir, variables...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no output of the program: %v", err)
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	number, dsn, _ := strings.Cut(rest, " ")
	if p.postmasterPID, err = strconv.Atoi(number); word != "ready" || err != nil {
		t.Fatalf("unexpected output of the program: %q", line)
	}
	p.dsn = dsn
	return p
}

// kill sends SIGKILL and waits for the exit.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// testEnvironment returns an environment whose external directories are removed with the test.
func testEnvironment(t *testing.T) environment {
	t.Helper()
	env := systemEnvironment()
	env.externalBases = []string{filepath.Join(traversableDir(t), "external")}
	return env
}

// traversableDir returns a temporary directory that every user can traverse, unlike t.TempDir.
func traversableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(TempDir(TestRoom), "privatepg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newDataDir returns the path of a data directory that does not exist yet.
func newDataDir(t *testing.T) string { return filepath.Join(traversableDir(t), ".usher") }

func mustStart(t *testing.T, env environment, dir string) *Server {
	t.Helper()
	s, err := env.start(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, s) })
	return s
}

func mustStop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func mustExec(t *testing.T, dsn, statement string) {
	t.Helper()
	if err := execute(t.Context(), dsn, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func mustQuery(t *testing.T, dsn, query string) string {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func (s *Server) postmasterPID() int { return s.process.cmd.Process.Pid }

// clusterOf returns the cluster of a data directory as the last start left it.
func clusterOf(t *testing.T, dir string) *cluster {
	t.Helper()
	path, err := recordedPath(dir)
	if err != nil || path == "" {
		t.Fatalf("server directory of %s: %q, %v", dir, path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{serverDir: serverDir{path, accountOf(info)}}
}

// eventually polls until the condition holds and fails after a minute.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("timed out waiting until %s", what)
		case <-tick.C:
		}
	}
}

// alive reports whether the process runs; zombies do not count.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !bytes.HasPrefix(bytes.TrimSpace(out), []byte("Z"))
}

// processesMatching returns the running processes whose command line contains text.
func processesMatching(t *testing.T, text string) []string {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-ww", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// supervisorsOf returns the shells in a postmaster's session.
func supervisorsOf(t *testing.T, postmasterPID int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,sess=,comm=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[1] == strconv.Itoa(postmasterPID) && strings.HasSuffix(fields[2], "sh") {
			pid, _ := strconv.Atoi(fields[0])
			found = append(found, pid)
		}
	}
	return found
}
