package privatepg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pollInterval             = 10 * time.Millisecond
	backendExitTimeout       = 5 * time.Second  // until a backend notices that its postmaster is gone
	immediateShutdownTimeout = 7 * time.Second  // the postmaster kills its children after five seconds
	stopEscalation           = 10 * time.Second // from one shutdown signal to the next stronger one
)

// stopStalePostmaster stops a postmaster left by a previous run and waits for its exit. The caller
// holds the data directory's lock, so no running program owns it. It returns the process id in the
// remaining pid file, 0 for none.
//
// That id may belong to an unrelated process by now. If that process runs as the server's user,
// PostgreSQL takes it for a running postmaster. Removing the file would also remove PostgreSQL's
// protection against backends that outlived their postmaster. pg_ctl shows the way: a postmaster
// ignores a pid file that contains the process id in PG_GRANDPARENT_PID (CreateLockFile in
// PostgreSQL's miscinit.c).
func (c *cluster) stopStalePostmaster(ctx context.Context) (int, error) {
	if pid := c.runningPostmasterPID(); pid != 0 {
		if err := c.stopPostmaster(ctx, pid); err != nil {
			return 0, fmt.Errorf("stop the server of the previous run: %w", err)
		}
	}
	return c.recordedPID()
}

// stopPostmaster sends SIGINT (fast shutdown), then SIGQUIT, then SIGKILL.
func (c *cluster) stopPostmaster(ctx context.Context, pid int) error {
	process, err := os.FindProcess(pid) // on Linux a pidfd, which never refers to a later process
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	started, signals := time.Now(), []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	for c.runningPostmasterPID() == pid {
		if len(signals) > 0 && time.Since(started) >= time.Duration(3-len(signals))*stopEscalation {
			_ = process.Signal(signals[0])
			signals = signals[1:]
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// recordedPID returns the process id in the pid file, 0 for none. A file without one, as left by a
// full disk, would block every start and is removed.
func (c *cluster) recordedPID() (int, error) {
	text, err := os.ReadFile(c.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the pid file of the previous run: %w", err)
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(first)))
	if err != nil || pid == 0 {
		return 0, os.Remove(c.pidFile())
	}
	return max(pid, -pid), nil // a single-user server writes a negative number
}

// runningPostmasterPID returns the process id of this cluster's running postmaster, 0 for none. The
// id in the pid file is not sufficient: the process must belong to the server's user, be a
// postmaster and have this cluster as its working directory.
func (c *cluster) runningPostmasterPID() int {
	pid, err := c.recordedPID()
	if err != nil || pid == 0 {
		return 0
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		if c.isPostmasterByProc(filepath.Join("/proc", strconv.Itoa(pid))) {
			return pid
		}
		return 0
	}
	if c.isPostmasterByPs(pid) {
		return pid
	}
	return 0
}

// isPostmasterByProc checks Linux's /proc. A postmaster's working directory is its data directory,
// and unlike its children it keeps its plain process name.
func (c *cluster) isPostmasterByProc(proc string) bool {
	info, err := os.Stat(proc)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != c.account.uid {
		return false
	}
	work, err := os.Stat(filepath.Join(proc, "cwd"))
	if err != nil {
		return false
	}
	data, err := os.Stat(c.dataDir())
	if err != nil || !os.SameFile(work, data) {
		return false
	}
	arguments, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	name, _, _ := bytes.Cut(arguments, []byte{0})
	return err == nil && filepath.Base(string(name)) == "postgres"
}

// isPostmasterByPs is for systems without /proc.
func (c *cluster) isPostmasterByPs(pid int) bool {
	out, err := exec.Command("ps", "-ww", "-o", "uid=,args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false
	}
	uid, arguments, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	program, rest, _ := strings.Cut(strings.TrimSpace(arguments), " -D ")
	return uid == strconv.Itoa(c.account.uid) && filepath.Base(program) == "postgres" && strings.HasPrefix(rest, c.dataDir()+" ")
}
