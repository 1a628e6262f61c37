package privatepg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// dataDirSuffix is the suffix of the file beside an external server directory that records its data
// directory.
const dataDirSuffix = ".for"

// chooseExternalDir returns a new server directory outside the data directory. Its name is a hash
// of the data directory and a random part: after the data directory was deleted the next start must
// begin with an empty cluster, so older directories with the same hash are removed, not reused.
func (env environment) chooseExternalDir(ctx context.Context, dir string, a account) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	prefix := hex.EncodeToString(sum[:6]) + "-"
	var problems error
	for _, base := range env.externalBases {
		if err := openBaseDir(base); err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		if ok, err := a.canAccess(ctx, base); err != nil || !ok {
			problems = errors.Join(problems, fmt.Errorf("%s: user %d has no access", base, a.uid), err)
			continue
		}
		name := prefix + strings.ToLower(rand.Text()[:8])
		env.removeAbandoned(base, prefix)
		return filepath.Join(base, name), writeFileAtomically(base, name+dataDirSuffix, dir)
	}
	return "", fmt.Errorf("no directory outside the data directory is accessible to user %d, which runs the server: %w", a.uid, problems)
}

// openBaseDir creates the parent of external server directories. Only its owner may write there, so
// that no other user can plant a directory or a symbolic link.
func openBaseDir(base string) error {
	if err := os.Mkdir(base, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(base)
	if err != nil {
		return err
	}
	if !info.IsDir() || accountOf(info).uid != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only this user can write to", base)
	}
	return nil
}

// removeAbandoned removes server directories with the prefix, and those whose data directory was in
// a temporary directory and is gone. Other missing data directories may be on a disk that is not
// mounted. Errors are ignored: a directory that remains costs disk space only.
func (env environment) removeAbandoned(base, prefix string) {
	root, err := os.OpenRoot(base)
	if err != nil {
		return
	}
	defer root.Close()
	entries, _ := os.ReadDir(base)
	for _, entry := range entries {
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), prefix) || env.dataDirIsGone(root, entry.Name())) {
			removeServerDir(root, entry)
		}
	}
}

func (env environment) dataDirIsGone(root *os.Root, name string) bool {
	text, err := root.ReadFile(name + dataDirSuffix)
	if err != nil {
		return false
	}
	dir := strings.TrimSuffix(string(text), "\n")
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	for _, tempDir := range env.tempDirs {
		if real, err := filepath.EvalSymlinks(tempDir); err == nil && strings.HasPrefix(dir, real+"/") {
			return true
		}
	}
	return false
}

// removeServerDir removes a server directory unless a postmaster is running on it, whose data
// directory was deleted while the program runs.
func removeServerDir(root *os.Root, entry os.DirEntry) {
	info, err := entry.Info()
	if err != nil {
		return // removed by another process
	}
	abandoned := &cluster{serverDir: serverDir{filepath.Join(root.Name(), entry.Name()), accountOf(info)}}
	if abandoned.runningPostmasterPID() != 0 {
		return
	}
	if root.RemoveAll(entry.Name()) == nil {
		_ = root.Remove(entry.Name() + dataDirSuffix)
	}
}
