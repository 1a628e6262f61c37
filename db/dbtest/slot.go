package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"usher/db/privatepg"
)

const maxSlots = 64 // more than test binaries run at a time

// serverDSN returns the DSN of USHER_TEST_DATABASE_URL, or of a private server.
func serverDSN(ctx context.Context) (string, error) {
	if dsn := os.Getenv("USHER_TEST_DATABASE_URL"); dsn != "" {
		return dsn, nil
	}
	base := filepath.Join(privatepg.TempDir(privatepg.TestRoom), "usher-dbtest-"+strconv.Itoa(os.Geteuid()))
	if err := openBaseDir(base); err != nil {
		return "", err
	}
	return startInSlot(ctx, base)
}

// openBaseDir creates the parent of the slots. Other users may traverse it, since a test of root
// runs its server as another user, but not write to it.
func openBaseDir(base string) error {
	if err := os.Mkdir(base, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create the directory of test servers: %w", err)
	}
	info, err := os.Lstat(base)
	if err != nil {
		return fmt.Errorf("create the directory of test servers: %w", err)
	}
	if !info.IsDir() || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only this user can write to", base)
	}
	return nil
}

// startInSlot starts a server on the first data directory that no other test binary uses. Data
// directories are reused, since initdb takes longer than most tests.
func startInSlot(ctx context.Context, base string) (string, error) {
	for slot := range maxSlots {
		dir := filepath.Join(base, "slot-"+strconv.Itoa(slot))
		free, err := lockSlot(dir + ".lock")
		if err != nil {
			return "", err
		}
		if free {
			return startServer(ctx, dir)
		}
	}
	return "", fmt.Errorf("all %d test servers are in use", maxSlots)
}

// lockSlot locks a slot until the process exits: the descriptor stays open. It reports false if
// another process holds the lock.
func lockSlot(path string) (bool, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", path, err)
	}
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return true, nil
	}
	_ = syscall.Close(fd)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return false, fmt.Errorf("lock %s: %w", path, err)
}

// startServer starts the slot's server. If that fails, it deletes the data directory and tries
// again: the cluster runs without fsync, so a crash of the machine damages it, and a new major
// version cannot read it.
func startServer(ctx context.Context, dir string) (string, error) {
	options := privatepg.Options{DataDir: dir, Fast: true}
	server, err := privatepg.Start(ctx, options)
	if err != nil && ctx.Err() == nil && !errors.Is(err, privatepg.ErrNotInstalled) {
		if err := os.RemoveAll(dir); err != nil {
			return "", fmt.Errorf("remove a damaged test server: %w", err)
		}
		server, err = privatepg.Start(ctx, options)
	}
	if err != nil {
		return "", err
	}
	return server.DSN(), nil
}
