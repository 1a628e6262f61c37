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

const slots = 64 // more test binaries than anybody runs at a time

// serverDSN is the server the environment names, or a private one.
func serverDSN(ctx context.Context) (string, error) {
	if dsn := os.Getenv("USHER_TEST_DATABASE_URL"); dsn != "" {
		return dsn, nil
	}
	base := filepath.Join(os.TempDir(), "usher-dbtest-"+strconv.Itoa(os.Geteuid()))
	if err := openBase(base); err != nil {
		return "", err
	}
	return startInSlot(ctx, base)
}

// openBase makes the folder of slots. Others may pass through it, since the
// server of a root's test is another user's, but not write to it.
func openBase(base string) error {
	if err := os.Mkdir(base, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a folder for test servers: %w", err)
	}
	info, err := os.Lstat(base)
	if err != nil {
		return fmt.Errorf("make a folder for test servers: %w", err)
	}
	if !info.IsDir() || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that only this user can write to", base)
	}
	return nil
}

// startInSlot starts a server on the first data directory that no other test
// binary is using. They are used again, since making a cluster takes longer
// than most tests.
func startInSlot(ctx context.Context, base string) (string, error) {
	for slot := range slots {
		dir := filepath.Join(base, "slot-"+strconv.Itoa(slot))
		free, err := takeSlot(dir + ".lock")
		if err != nil {
			return "", err
		}
		if free {
			return startServer(ctx, dir)
		}
	}
	return "", fmt.Errorf("all %d test servers are in use", slots)
}

// takeSlot holds the slot until this process ends: the file stays open.
func takeSlot(path string) (bool, error) {
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

// startServer begins anew where a cluster does not start: its writes were not
// flushed, so a crash of the machine spoils it, as does a new major version.
func startServer(ctx context.Context, dir string) (string, error) {
	options := privatepg.Options{DataDir: dir, Fast: true}
	server, err := privatepg.Start(ctx, options)
	if err != nil && ctx.Err() == nil && !errors.Is(err, privatepg.ErrNotInstalled) {
		if err := os.RemoveAll(dir); err != nil {
			return "", fmt.Errorf("remove a spoilt test server: %w", err)
		}
		server, err = privatepg.Start(ctx, options)
	}
	if err != nil {
		return "", err
	}
	return server.DSN(), nil
}
