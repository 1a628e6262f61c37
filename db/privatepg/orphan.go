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
	pollEvery         = 10 * time.Millisecond
	lingeringBackends = 5 * time.Second  // until a backend notices that its postmaster is gone
	immediateShutdown = 7 * time.Second  // PostgreSQL kills its own children after five
	orphanPatience    = 10 * time.Second // for a fast shutdown that nobody waits for
)

// endOrphan ends a postmaster that outlived the program it was started for
// and waits for it; we hold the data directory's lock, so no living program
// has one. It returns the process number that a stale pid file leaves behind,
// 0 for none.
//
// That number may be anybody's by now, and where it is a process of the
// server's user PostgreSQL takes it for a living postmaster. Removing the file
// would also remove PostgreSQL's guard against backends that outlived their
// postmaster. pg_ctl has the way out: a postmaster does not believe a pid file
// that names the process in PG_GRANDPARENT_PID (CreateLockFile in PostgreSQL's
// miscinit.c).
func (c *cluster) endOrphan(ctx context.Context) (int, error) {
	if pid := c.runningPostmaster(); pid != 0 {
		if err := c.endPostmaster(ctx, pid); err != nil {
			return 0, fmt.Errorf("wait for the last run's server to end: %w", err)
		}
	}
	return c.notedPID()
}

// endPostmaster hurries more the longer it takes.
func (c *cluster) endPostmaster(ctx context.Context, pid int) error {
	process, err := os.FindProcess(pid) // on Linux a handle, which no successor of that number gets
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	began, next := time.Now(), []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	for c.runningPostmaster() == pid {
		if len(next) > 0 && time.Since(began) >= time.Duration(3-len(next))*orphanPatience {
			_ = process.Signal(next[0])
			next = next[1:]
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// notedPID is the number in the pid file, 0 for none. A file without one, as a
// full disk leaves it, names no server and would stop the next: it is removed.
func (c *cluster) notedPID() (int, error) {
	text, err := os.ReadFile(c.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the last run's process number: %w", err)
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(first)))
	if err != nil || pid == 0 {
		return 0, os.Remove(c.pidFile())
	}
	return max(pid, -pid), nil // a single-user server writes it negative
}

// runningPostmaster is the process of a living postmaster of this cluster, 0
// for none. A number alone proves nothing: the process has to be the server's
// user's, a postmaster, and at home in this cluster.
func (c *cluster) runningPostmaster() int {
	pid, err := c.notedPID()
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

// isPostmasterByProc reads Linux's /proc. A postmaster works in its data
// folder, and unlike its children it keeps its plain name.
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

// isPostmasterByPs serves the systems without /proc.
func (c *cluster) isPostmasterByPs(pid int) bool {
	out, err := exec.Command("ps", "-ww", "-o", "uid=,args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false
	}
	uid, arguments, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	program, rest, _ := strings.Cut(strings.TrimSpace(arguments), " -D ")
	return uid == strconv.Itoa(c.account.uid) && filepath.Base(program) == "postgres" && strings.HasPrefix(rest, c.dataDir()+" ")
}
