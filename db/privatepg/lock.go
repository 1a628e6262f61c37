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

// ErrInUse is wrapped by Start's error where a living program holds the data
// directory.
var ErrInUse = errors.New("in use by another program")

// dirLock says that this program alone runs a server on a data directory. The
// kernel takes it back when the program ends, in whatever way.
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
	signLock(file)
	return &dirLock{file}, nil
}

// signLock writes who holds the lock, for the sentence that refuses others.
// A full disk must not be told as a lock that failed.
func signLock(file *os.File) {
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

// release leaves the file: removing it would let two programs lock two files
// of one name. Closing alone would not do: a child that is just being started
// holds every descriptor until it runs its program, and the lock with them
// (flock(2)).
func (l *dirLock) release() {
	if l != nil {
		_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
		l.file.Close()
	}
}
