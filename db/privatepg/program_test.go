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

// The test program is also the program whose death is tested: told so by this
// variable, it starts the private PostgreSQL of the folder named there, says
// so and waits to be killed.
const holdVariable = "PRIVATEPG_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	code := m.Run()
	if made, err := madeCluster(); err == nil {
		_ = os.RemoveAll(filepath.Dir(made))
	}
	os.Exit(code)
}

// madeCluster is the data directory of a cluster made once, for the tests
// that need one but do not look at how it is made.
var madeCluster = sync.OnceValues(func() (string, error) {
	parent, err := os.MkdirTemp("", "privatepg-test-")
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

// usedDir is a data directory that a program has run on before.
func usedDir(t *testing.T) string {
	t.Helper()
	dir := freshDir(t)
	copyCluster(t, dir)
	return dir
}

// copyCluster makes dir, which must not exist, a used data directory.
func copyCluster(t *testing.T, dir string) {
	t.Helper()
	made, err := madeCluster()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-Rp", made, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the cluster: %v: %s", err, out)
	}
}

func hold(dir string) {
	s, err := Start(context.Background(), Options{DataDir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ready", s.process.cmd.Process.Pid, s.dsn)
	select {}
}

// program is a test program that holds a private PostgreSQL.
type program struct {
	cmd        *exec.Cmd
	postmaster int
	dsn        string
}

func launchProgram(t *testing.T, dir string, variables ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), holdVariable+"="+dir), variables...)
	return cmd
}

// startProgram waits until the program says that its PostgreSQL is ready.
func startProgram(t *testing.T, dir string, variables ...string) *program {
	t.Helper()
	p := &program{cmd: launchProgram(t, dir, variables...)}
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
		t.Fatalf("the program said nothing: %v", err)
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	number, dsn, _ := strings.Cut(rest, " ")
	if p.postmaster, err = strconv.Atoi(number); word != "ready" || err != nil {
		t.Fatalf("the program said %q", line)
	}
	p.dsn = dsn
	return p
}

// kill is kill -9, and waits until the system has taken the program away.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// testMachine keeps what a start leaves outside the data directory in a
// folder that goes with the test.
func testMachine(t *testing.T) machine {
	t.Helper()
	m := thisMachine()
	m.elsewhere = []string{filepath.Join(openFolder(t), "elsewhere")}
	return m
}

// openFolder is a temporary folder that every user can pass through, which
// those of testing are not.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "privatepg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// freshDir is a data directory still to be made.
func freshDir(t *testing.T) string { return filepath.Join(openFolder(t), ".usher") }

func mustStart(t *testing.T, m machine, dir string) *Server {
	t.Helper()
	s, err := m.start(t.Context(), Options{DataDir: dir})
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

func mustAsk(t *testing.T, dsn, query string) string {
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

func (s *Server) postmaster() int { return s.process.cmd.Process.Pid }

// clusterOf is the cluster of a data directory as the last start left it.
func clusterOf(t *testing.T, dir string) *cluster {
	t.Helper()
	path, err := notedHome(dir)
	if err != nil || path == "" {
		t.Fatalf("home of %s: %q, %v", dir, path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{home: home{path, ownerAccount(info)}}
}

// eventually waits for a condition that comes about by itself.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came about: %s", what)
		case <-tick.C:
		}
	}
}

// alive does not count zombies, which nobody may be there to collect.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !bytes.HasPrefix(bytes.TrimSpace(out), []byte("Z"))
}

// processesNaming lists the living processes whose command line names text.
func processesNaming(t *testing.T, text string) []string {
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

// watchersOf lists the shells in a postmaster's session.
func watchersOf(t *testing.T, postmaster int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,sess=,comm=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[1] == strconv.Itoa(postmaster) && strings.HasSuffix(fields[2], "sh") {
			pid, _ := strconv.Atoi(fields[0])
			found = append(found, pid)
		}
	}
	return found
}
