package privatepg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrInUse is wrapped by the error of [Start] if another process holds the data directory.
var ErrInUse = errors.New("in use by another program")

// dirLock is the exclusive lock on a data directory. The kernel releases it when the process exits.
type dirLock struct{ file *os.File }

func lockDataDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "postgres.lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("the data directory %s belongs to another user: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data directory: %w", err)
		}
		return nil, fmt.Errorf("the data directory %s is %w%s: stop that one, or give this one a DATA_DIR of its own", dir, ErrInUse, holder(file))
	}
	writeHolder(file)
	return &dirLock{file}, nil
}

// writeHolder writes the process id into the lock file, for the error message of other programs.
// Errors are ignored: a full disk does not affect the lock.
func writeHolder(file *os.File) {
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

func holder(file *os.File) string {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	pid := strings.TrimSpace(string(text))
	if err != nil || pid == "" {
		return ""
	}
	return " (process " + pid + ")"
}

// release unlocks the directory and keeps the file: if it were removed, two programs could lock two
// files of the same name. Closing the file would not unlock it while a child process is between
// fork and exec, since it inherits the descriptor (flock(2)).
func (l *dirLock) release() {
	if l != nil {
		_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
		l.file.Close()
	}
}
