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
	maxLogBytes  = 1 << 20 // bytes per file; two files are kept
	maxTailBytes = 4 << 10 // bytes kept in memory for error messages
	tailLines    = 8
)

// rotatingLog writes PostgreSQL's output to a file. A full file is renamed and the previous one
// deleted. PostgreSQL's own collector limits a log's age but not its total size. The program writes
// the file itself, so it must be in a directory where no other user can create a symbolic link.
type rotatingLog struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	last []byte
}

func openRotatingLog(path string, limit int64) (*rotatingLog, error) {
	l := &rotatingLog{path: path, limit: limit}
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

// Write never fails: after a full disk PostgreSQL must still be able to write to its pipe.
func (l *rotatingLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, text...)
	l.last = l.last[max(0, len(l.last)-maxTailBytes):]
	if l.size+int64(len(text)) > l.limit {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(text)
		l.size += int64(n)
	}
	return len(text), nil
}

// rotate starts a new file. If that fails, nothing more is written: the size limit has priority.
func (l *rotatingLog) rotate() {
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

// tail returns the last lines written since the log was opened, joined to one line.
func (l *rotatingLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lastLines(l.last)
}

func (l *rotatingLog) close() {
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

// lastLines returns the last non-empty lines of a program's output, joined to one line.
func lastLines(text []byte) string {
	var lines []string
	for line := range bytes.Lines(text) {
		if line := strings.TrimSpace(string(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], " | ")
}
