package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// locationFile is the file in the data directory that records the path of the server directory.
const locationFile = "postgres.location"

// serverDir is the directory owned by the server's user and accessible to nobody else. It holds the
// cluster in data and the socket in run.
type serverDir struct {
	path    string
	account account
}

// openServerDir returns the server directory of a data directory and creates it at the first start.
func (env environment) openServerDir(ctx context.Context, dir string) (serverDir, error) {
	path, err := recordedPath(dir)
	if err != nil {
		return serverDir{}, err
	}
	if info, err := os.Lstat(path); path != "" && err == nil && !ownedByRoot(info) {
		return checkServerDir(path, accountOf(info))
	}
	a, err := chooseAccount()
	if err != nil {
		return serverDir{}, err
	}
	if path == "" {
		if path, err = env.chooseServerDir(ctx, dir, a); err != nil {
			return serverDir{}, err
		}
	}
	return createServerDir(path, a)
}

// recordedPath returns the path of the server directory that an earlier start recorded, "" for
// none.
func recordedPath(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, locationFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the location of the cluster: %w", err)
	}
	path := strings.TrimSuffix(string(text), "\n")
	if path == "" {
		return "", nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path) // stays valid when the data directory is moved
	}
	return path, nil
}

// ownedByRoot reports a directory whose creation was interrupted before chown.
func ownedByRoot(info os.FileInfo) bool { return accountOf(info).uid == 0 }

// chooseServerDir prefers the data directory. If the server's user has no access to it, for example
// below root's home of mode 0700, the server directory is created outside.
func (env environment) chooseServerDir(ctx context.Context, dir string, a account) (string, error) {
	reachable := true
	if a.switched {
		var err error
		if reachable, err = a.canAccess(ctx, dir); err != nil {
			return "", err
		}
	}
	if reachable {
		return filepath.Join(dir, "postgres"), writeFileAtomically(dir, locationFile, "postgres")
	}
	path, err := env.chooseExternalDir(ctx, dir, a)
	if err != nil {
		return "", err
	}
	return path, writeFileAtomically(dir, locationFile, path)
}

func createServerDir(path string, a account) (serverDir, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return serverDir{}, fmt.Errorf("create the cluster's directory: %w", err)
	}
	if a.switched {
		if err := os.Lchown(path, a.uid, a.gid); err != nil {
			return serverDir{}, fmt.Errorf("change the owner of the cluster's directory to user %d: %w", a.uid, err)
		}
	}
	return checkServerDir(path, a)
}

// checkServerDir rejects a directory that is a symbolic link, has another owner or is accessible to
// others.
func checkServerDir(path string, a account) (serverDir, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return serverDir{}, fmt.Errorf("open the cluster's directory: %w", err)
	}
	if a.switched && os.Geteuid() != 0 || a.uid != int(info.Sys().(*syscall.Stat_t).Uid) {
		return serverDir{}, fmt.Errorf("the cluster's directory %s belongs to another user", path)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return serverDir{}, fmt.Errorf("the cluster's directory %s is not a directory that only its owner can read", path)
	}
	return serverDir{path, a}, nil
}

// writeFileAtomically replaces the file by rename, so that a crash leaves the previous content.
func writeFileAtomically(dir, name, text string) error {
	temporary := filepath.Join(dir, name+".new")
	if err := os.WriteFile(temporary, []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("record the location of the cluster: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("record the location of the cluster: %w", err)
	}
	return nil
}
