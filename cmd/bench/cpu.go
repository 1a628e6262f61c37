package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the CPU time used by each of the programs that share the machine.
type cpuTime struct{ program, database, client time.Duration }

// cpuUsage is the total CPU time of all processes at one moment.
type cpuUsage struct {
	program, client time.Duration
	database        map[string]time.Duration // by process id, one for each connection
}

// cpuUsage reads the CPU time of a program, of PostgreSQL and of this process.
func (e *environment) cpuUsage(ctx context.Context, pid int) (cpuUsage, error) {
	program, programErr := processCPU(pid)
	client, clientErr := processCPU(os.Getpid())
	database, databaseErr := e.databaseCPU(ctx)
	return cpuUsage{program, client, database}, errors.Join(programErr, clientErr, databaseErr)
}

// perResponse returns the CPU time used since an earlier moment, divided by a number of responses.
// PostgreSQL processes that have ended in between are not counted.
func (u cpuUsage) perResponse(earlier cpuUsage, responses int) cpuTime {
	var database time.Duration
	for pid, used := range u.database {
		database += used - earlier.database[pid]
	}
	n := time.Duration(max(responses, 1))
	return cpuTime{(u.program - earlier.program) / n, database / n, (u.client - earlier.client) / n}
}

// databaseCPU returns the CPU time of PostgreSQL's processes: the siblings of this connection's.
func (e *environment) databaseCPU(ctx context.Context) (map[string]time.Duration, error) {
	var backend string
	if err := e.store.DB().GetContext(ctx, &backend, `select pg_backend_pid()::text`); err != nil {
		return nil, err
	}
	own, err := readStat(backend)
	if err != nil {
		return nil, err
	}
	used := map[string]time.Duration{}
	processes, err := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		pid := filepath.Base(process)
		// A process may have ended since it was listed.
		if stat, err := readStat(pid); err == nil && stat[statParent] == own[statParent] {
			used[pid] = cpuOf(stat)
		}
	}
	return used, err
}

func processCPU(pid int) (time.Duration, error) {
	stat, err := readStat(strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	return cpuOf(stat), nil
}

// Indexes into the fields that [readStat] returns, see proc_pid_stat(5).
const (
	statParent     = 1
	statUserTime   = 11
	statSystemTime = 12
)

// readStat reads /proc/PID/stat and returns its fields from the third, the state, on.
func readStat(pid string) ([]string, error) {
	line, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return nil, err
	}
	// The command's name, in parentheses, may contain spaces.
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) <= statSystemTime {
		return nil, fmt.Errorf("read /proc/%s/stat: unexpected content %q", pid, line)
	}
	return fields, nil
}

// cpuOf returns a process's CPU time in user mode and in the kernel. The kernel counts ticks of 10
// ms.
func cpuOf(stat []string) time.Duration {
	user, _ := strconv.ParseInt(stat[statUserTime], 10, 64)
	system, _ := strconv.ParseInt(stat[statSystemTime], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
