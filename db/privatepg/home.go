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

// locationNote is the file in the data directory that names the home.
const locationNote = "postgres.location"

// home is the folder that belongs to the server's user: the cluster is in its
// data, the socket in its run. Nobody else may look in.
type home struct {
	path    string
	account account
}

// settle finds the home of a data directory or makes it one, and remembers it.
func (m machine) settle(ctx context.Context, dir string) (home, error) {
	path, err := notedHome(dir)
	if err != nil {
		return home{}, err
	}
	if info, err := os.Lstat(path); path != "" && err == nil && !madeByRoot(info) {
		return enterHome(path, ownerAccount(info))
	}
	a, err := chooseAccount()
	if err != nil {
		return home{}, err
	}
	if path == "" {
		if path, err = m.chooseHome(ctx, dir, a); err != nil {
			return home{}, err
		}
	}
	return makeHome(path, a)
}

// notedHome is where the last start put the home; "" where there was none.
func notedHome(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, locationNote))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read where the cluster is: %w", err)
	}
	path := strings.TrimSuffix(string(text), "\n")
	if path == "" {
		return "", nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path) // survives a move of the data directory
	}
	return path, nil
}

// madeByRoot marks a home whose maker was killed before it gave it away.
func madeByRoot(info os.FileInfo) bool { return ownerAccount(info).uid == 0 }

// chooseHome prefers the data directory. One that the server's user cannot
// reach, beneath root's own 0700 home say, gets a home elsewhere.
func (m machine) chooseHome(ctx context.Context, dir string, a account) (string, error) {
	reachable := true
	if a.switched {
		var err error
		if reachable, err = a.canEnter(ctx, dir); err != nil {
			return "", err
		}
	}
	if reachable {
		return filepath.Join(dir, "postgres"), writeNote(dir, locationNote, "postgres")
	}
	path, err := m.elsewhereFor(ctx, dir, a)
	if err != nil {
		return "", err
	}
	return path, writeNote(dir, locationNote, path)
}

func makeHome(path string, a account) (home, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return home{}, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if a.switched {
		if err := os.Lchown(path, a.uid, a.gid); err != nil {
			return home{}, fmt.Errorf("give the cluster's folder to user %d: %w", a.uid, err)
		}
	}
	return enterHome(path, a)
}

// enterHome refuses a home that is a link, somebody else's or open to others.
func enterHome(path string, a account) (home, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return home{}, fmt.Errorf("open the cluster's folder: %w", err)
	}
	if a.switched && os.Geteuid() != 0 || a.uid != int(info.Sys().(*syscall.Stat_t).Uid) {
		return home{}, fmt.Errorf("the cluster's folder %s belongs to another user", path)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return home{}, fmt.Errorf("the cluster's folder %s is not a folder that its owner alone can read", path)
	}
	return home{path, a}, nil
}

// writeNote replaces the file whole, so that a crash leaves the old one.
func writeNote(dir, name, text string) error {
	temporary := filepath.Join(dir, name+".new")
	if err := os.WriteFile(temporary, []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("note where the cluster is: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("note where the cluster is: %w", err)
	}
	return nil
}
