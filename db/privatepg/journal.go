package privatepg

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

const (
	logLimit  = 1 << 20 // bytes of one file; two are kept
	tailLimit = 4 << 10 // bytes remembered for error messages
	tailLines = 8
)

// boundedLog keeps what PostgreSQL writes in a file and, when that is full, in
// a fresh one, with the one before kept beside it. PostgreSQL's own collector
// can bound a log's age but not its size. Our program writes the file, so it
// lies in a folder of ours, never in one where another user could put a link.
type boundedLog struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	last []byte
}

func openBoundedLog(path string, limit int64) (*boundedLog, error) {
	l := &boundedLog{path: path, limit: limit}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open PostgreSQL's log: %w", err), file.Close())
	}
	l.file, l.size = file, info.Size()
	return l, nil
}

// Write never fails: a full disk must not close the pipe PostgreSQL writes to.
func (l *boundedLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, text...)
	l.last = l.last[max(0, len(l.last)-tailLimit):]
	if l.size+int64(len(text)) > l.limit {
		l.turn()
	}
	if l.file != nil {
		n, _ := l.file.Write(text)
		l.size += int64(n)
	}
	return len(text), nil
}

// turn begins a fresh file. Where that fails the log ends: bounded comes first.
func (l *boundedLog) turn() {
	if l.file == nil {
		return
	}
	l.file.Close()
	l.file, l.size = nil, 0
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return
	}
	if file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err == nil {
		l.file = file
	}
}

// tail is the last few lines written since the log was opened, on one line.
func (l *boundedLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lastLines(l.last)
}

func (l *boundedLog) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// lastLines puts the last non-empty lines of a program's output on one line.
func lastLines(text []byte) string {
	var lines []string
	for line := range bytes.Lines(text) {
		if line := strings.TrimSpace(string(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], " | ")
}
