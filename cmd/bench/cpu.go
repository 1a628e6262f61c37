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

// processor is the processor time that each of those who share the machine has used.
type processor struct{ program, database, client time.Duration }

// spent is what all processes have used so far, by their id. PostgreSQL keeps one for each connection.
type spent struct {
	program, client time.Duration
	database        map[string]time.Duration
}

func (s *stage) spent(ctx context.Context, program int) (spent, error) {
	programs, err := cpuOf(program)
	client, err2 := cpuOf(os.Getpid())
	database, err3 := s.cpuOfDatabase(ctx)
	return spent{programs, client, database}, errors.Join(err, err2, err3)
}

// since is what was used of the processor since then, for each of so many events. What has ended meanwhile is not counted.
func (s spent) since(then spent, events int) processor {
	var database time.Duration
	for pid, used := range s.database {
		database += used - then.database[pid]
	}
	n := time.Duration(max(events, 1))
	return processor{(s.program - then.program) / n, database / n, (s.client - then.client) / n}
}

// cpuOfDatabase looks at the children of PostgreSQL's server, found as the parent of one of them.
func (s *stage) cpuOfDatabase(ctx context.Context) (map[string]time.Duration, error) {
	var backend string
	if err := s.store.DB().GetContext(ctx, &backend, `select pg_backend_pid()::text`); err != nil {
		return nil, err
	}
	mine, err := statOf(backend)
	if err != nil {
		return nil, err
	}
	used := map[string]time.Duration{}
	processes, err := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		// One that has ended meanwhile is none any more.
		if fields, err := statOf(filepath.Base(process)); err == nil && fields[parent] == mine[parent] {
			used[filepath.Base(process)] = ticksOf(fields)
		}
	}
	return used, err
}

// parent is the place of a process's parent among what [statOf] returns.
const parent = 1

// cpuOf reads the processor time a process has used; the kernel counts it in hundredths of a second (proc(5)).
func cpuOf(pid int) (time.Duration, error) {
	fields, err := statOf(strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	return ticksOf(fields), nil
}

// statOf reads what the kernel says of a process, from its state on.
func statOf(pid string) ([]string, error) {
	line, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:])) // the name before may hold spaces
	if len(fields) < 13 {
		return nil, fmt.Errorf("process %s: %q", pid, line)
	}
	return fields, nil
}

func ticksOf(fields []string) time.Duration {
	var ticks int64
	for _, field := range fields[11:13] { // in user mode and in the kernel
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
