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

// forSuffix marks the file beside a home elsewhere that names the data
// directory it is for.
const forSuffix = ".for"

// elsewhereFor names a home by the data directory it is for, and by chance:
// whoever deletes the data directory wants to begin anew, so a home of the
// same data directory that no note names any more is removed, not used.
func (m machine) elsewhereFor(ctx context.Context, dir string, a account) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	prefix := hex.EncodeToString(sum[:6]) + "-"
	var problems error
	for _, base := range m.elsewhere {
		if err := openBase(base); err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		if ok, err := a.canEnter(ctx, base); err != nil || !ok {
			problems = errors.Join(problems, fmt.Errorf("%s: user %d cannot get there", base, a.uid), err)
			continue
		}
		name := prefix + strings.ToLower(rand.Text()[:8])
		m.dropAbandoned(base, prefix)
		return filepath.Join(base, name), writeNote(base, name+forSuffix, dir)
	}
	return "", fmt.Errorf("no place that user %d, which runs the server for root, can reach: %w", a.uid, problems)
}

// openBase makes the folder of homes. Only root may write there, so that
// nobody can lay out a home, or a link, for us to step on.
func openBase(base string) error {
	if err := os.Mkdir(base, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(base)
	if err != nil {
		return err
	}
	if !info.IsDir() || ownerAccount(info).uid != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that only this user can write to", base)
	}
	return nil
}

// dropAbandoned removes the homes that have the prefix, and those of data
// directories in temporary folders that are gone. Any other data directory
// that is not there may be on a disk that is not there now.
// What cannot be removed costs disk; it must not cost the start.
func (m machine) dropAbandoned(base, prefix string) {
	root, err := os.OpenRoot(base)
	if err != nil {
		return
	}
	defer root.Close()
	entries, _ := os.ReadDir(base)
	for _, entry := range entries {
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), prefix) || m.wasTemporary(root, entry.Name())) {
			dropHome(root, entry)
		}
	}
}

func (m machine) wasTemporary(root *os.Root, name string) bool {
	text, err := root.ReadFile(name + forSuffix)
	if err != nil {
		return false
	}
	dir := strings.TrimSuffix(string(text), "\n")
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	for _, folder := range m.temporary {
		if real, err := filepath.EvalSymlinks(folder); err == nil && strings.HasPrefix(dir, real+"/") {
			return true
		}
	}
	return false
}

// dropHome leaves a home alone whose data directory was removed under a
// living program.
func dropHome(root *os.Root, entry os.DirEntry) {
	info, err := entry.Info()
	if err != nil {
		return // somebody else was quicker
	}
	abandoned := &cluster{home: home{filepath.Join(root.Name(), entry.Name()), ownerAccount(info)}}
	if abandoned.runningPostmaster() != 0 {
		return
	}
	if root.RemoveAll(entry.Name()) == nil {
		_ = root.Remove(entry.Name() + forSuffix)
	}
}
