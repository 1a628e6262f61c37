package privatepg

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// If the data directory is below a directory of root with mode 0700, the server's user has no
// access to it; without root, the program's user is the server's user and has access.
func TestUnreachableDataDirectory(t *testing.T) {
	t.Parallel()
	env := testEnvironment(t)
	closed := filepath.Join(traversableDir(t), "closed")
	dir := filepath.Join(closed, ".usher")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	first := mustStart(t, env, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	c := clusterOf(t, dir)
	wantParent := dir
	if os.Geteuid() == 0 {
		wantParent = env.externalBases[0]
	}
	if filepath.Dir(c.path) != wantParent {
		t.Errorf("the cluster is in %s, not in %s", c.path, wantParent)
	}
	checkPrivate(t, c)
	mustStop(t, first)
	if got := mustQuery(t, mustStart(t, env, dir).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func checkPrivate(t *testing.T, c *cluster) {
	t.Helper()
	for _, path := range []string{c.path, c.dataDir(), filepath.Join(c.path, "run")} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 || int(info.Sys().(*syscall.Stat_t).Uid) != c.account.uid {
			t.Errorf("%s is %v of user %d", path, info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
		}
	}
	if c.account.uid == 0 {
		t.Error("the server's user is root")
	}
}

func TestDeletedDataDirectoryStartsEmpty(t *testing.T) {
	t.Parallel()
	env := testEnvironment(t)
	closed := filepath.Join(traversableDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, ".usher")
	first := mustStart(t, env, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	old := clusterOf(t, dir).path
	mustStop(t, first)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := mustQuery(t, mustStart(t, env, dir).DSN(), "SELECT to_regclass('kept') IS NULL"); got != "true" {
		t.Error("the deleted data still exists")
	}
	if now := clusterOf(t, dir).path; now != old {
		if _, err := os.Lstat(old); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the abandoned cluster is still at %s", old)
		}
	}
}

// Server directories of data directories in temporary directories are removed when these are gone;
// those of data directories on unmounted disks are kept.
func TestAbandonedServerDirsAreRemoved(t *testing.T) {
	t.Parallel()
	env := testEnvironment(t)
	env.tempDirs = []string{traversableDir(t)}
	base := env.externalBases[0]
	for name, dir := range map[string]string{
		"gone":  filepath.Join(env.tempDirs[0], "x", ".usher"),
		"there": env.tempDirs[0],
		"away":  "/no-such-disk/.usher",
	} {
		if err := errors.Join(openBaseDir(base), os.Mkdir(filepath.Join(base, name), 0o700), writeFileAtomically(base, name+dataDirSuffix, dir)); err != nil {
			t.Fatal(err)
		}
	}
	env.removeAbandoned(base, "a prefix")
	left, err := filepath.Glob(filepath.Join(base, "*[a-z]"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"away", "away.for", "there", "there.for"}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if !slices.Equal(left, want) {
		t.Errorf("remaining: %v, want %v", left, want)
	}
}

func TestMovedDataDirectory(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	first := mustStart(t, env, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	mustStop(t, first)
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if got := mustQuery(t, mustStart(t, env, moved).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("answer = %q, want 42", got)
	}
}

func TestPlantedServerDirIsRefused(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), newDataDir(t)
	target := filepath.Join(traversableDir(t), "target")
	if err := errors.Join(os.Mkdir(dir, 0o711), os.Mkdir(target, 0o700), os.Symlink(target, filepath.Join(dir, "postgres"))); err != nil {
		t.Fatal(err)
	}
	if s, err := env.start(t.Context(), Options{DataDir: dir}); err == nil {
		mustStop(t, s)
		t.Error("a symbolic link was followed")
	}
	if left, err := os.ReadDir(target); err != nil || len(left) > 0 {
		t.Errorf("target of the link: %v, %v", left, err)
	}
}

func TestWritableBaseDirIsRefused(t *testing.T) {
	t.Parallel()
	open, link := filepath.Join(traversableDir(t), "open"), filepath.Join(traversableDir(t), "link")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Symlink(open, link)); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{open, link} {
		if openBaseDir(base) == nil {
			t.Errorf("%s was accepted", base)
		}
	}
	fresh := filepath.Join(traversableDir(t), "fresh")
	if err := errors.Join(openBaseDir(fresh), openBaseDir(fresh)); err != nil {
		t.Error(err)
	}
}

// Paths longer than a socket may have, and characters with a meaning for the server or the driver.
func TestSocketOfUnusualDataDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("a-long-name/", 12), `a, comma's "quote" \ back`, "a blank é"} {
		env := testEnvironment(t)
		env.tempDirs = []string{traversableDir(t)}
		dir := filepath.Join(traversableDir(t), name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
			t.Fatal(err)
		}
		copyCluster(t, dir)
		s := mustStart(t, env, dir)
		mustExec(t, s.DSN(), "SELECT 1")
		mustStop(t, s)
		if left, err := os.ReadDir(env.tempDirs[0]); err != nil || len(left) > 0 {
			t.Errorf("%s: left in the temporary directory: %v, %v", name, left, err)
		}
	}
}

func TestKilledProgramsSocketDirIsRemoved(t *testing.T) {
	t.Parallel()
	temporary := traversableDir(t)
	dir := filepath.Join(traversableDir(t), strings.Repeat("a-long-name/", 12))
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	copyCluster(t, dir)
	startProgram(t, dir, "TMPDIR="+temporary).kill()
	left, err := filepath.Glob(filepath.Join(temporary, socketPrefix+"*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("directories of the killed program: %v, %v", left, err)
	}
	mustStart(t, testEnvironment(t), dir)
	if _, err := os.Lstat(left[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s still exists", left[0])
	}
}

// Peer authentication rejects other users even if the directory's mode does not.
func TestOtherUserIsRejected(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root can switch to another user; the run as root covers both levels
	}
	dir := initializedDir(t)
	s := mustStart(t, testEnvironment(t), dir)
	other := account{uid: 12345, gid: 12345, switched: true}
	psql := func() error {
		return other.command("/bin/sh", "-c", `exec psql "$1" -c 'SELECT 1'`, "sh", s.DSN()).Run()
	}
	if err := clusterOf(t, dir).account.command("/bin/sh", "-c", `exec psql "$1" -c 'SELECT 1'`, "sh", s.DSN()).Run(); err != nil {
		t.Fatalf("the server's own user is rejected: %v", err)
	}
	if psql() == nil {
		t.Error("another user reached the socket")
	}
	c := clusterOf(t, dir)
	for _, path := range []string{c.path, s.socketDir.path, filepath.Join(s.socketDir.path, socketName)} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if psql() == nil {
		t.Error("the server accepted another user")
	}
	_ = os.Chmod(c.path, 0o700)
}
