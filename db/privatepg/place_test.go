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

// A data directory beneath a 0700 folder of root's is out of reach for the
// user who runs the server; any other program's user reaches its own.
func TestUnreachableDataDirectory(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	closed := filepath.Join(openFolder(t), "closed")
	dir := filepath.Join(closed, ".usher")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	first := mustStart(t, m, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	c := clusterOf(t, dir)
	wantParent := dir
	if os.Geteuid() == 0 {
		wantParent = m.elsewhere[0]
	}
	if filepath.Dir(c.path) != wantParent {
		t.Errorf("the cluster is in %s, not in %s", c.path, wantParent)
	}
	checkPrivate(t, c)
	mustStop(t, first)
	if got := mustAsk(t, mustStart(t, m, dir).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
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

func TestDeletedDataDirectoryBeginsAnew(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	closed := filepath.Join(openFolder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, ".usher")
	first := mustStart(t, m, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	old := clusterOf(t, dir).path
	mustStop(t, first)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := mustAsk(t, mustStart(t, m, dir).DSN(), "SELECT to_regclass('kept') IS NULL"); got != "true" {
		t.Error("the deleted data is still there")
	}
	if now := clusterOf(t, dir).path; now != old {
		if _, err := os.Lstat(old); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the abandoned cluster is still at %s", old)
		}
	}
}

// A test of somebody's that had its data directory in a temporary folder must
// not leave a cluster behind for ever; one on a disk that is away must stay.
func TestHomesOfVanishedDataDirectories(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	m.temporary = []string{openFolder(t)}
	base := m.elsewhere[0]
	for name, dir := range map[string]string{
		"gone":  filepath.Join(m.temporary[0], "x", ".usher"),
		"there": m.temporary[0],
		"away":  "/no-such-disk/.usher",
	} {
		if err := errors.Join(openBase(base), os.Mkdir(filepath.Join(base, name), 0o700), writeNote(base, name+forSuffix, dir)); err != nil {
			t.Fatal(err)
		}
	}
	m.dropAbandoned(base, "a prefix")
	left, err := filepath.Glob(filepath.Join(base, "*[a-z]"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"away", "away.for", "there", "there.for"}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if !slices.Equal(left, want) {
		t.Errorf("left: %v, want %v", left, want)
	}
}

func TestMovedDataDirectory(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), usedDir(t)
	first := mustStart(t, m, dir)
	mustExec(t, first.DSN(), "CREATE TABLE kept AS SELECT 42 AS answer")
	mustStop(t, first)
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if got := mustAsk(t, mustStart(t, m, moved).DSN(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("kept %q", got)
	}
}

func TestLaidOutHomeIsRefused(t *testing.T) {
	t.Parallel()
	m, dir := testMachine(t), freshDir(t)
	target := filepath.Join(openFolder(t), "target")
	if err := errors.Join(os.Mkdir(dir, 0o711), os.Mkdir(target, 0o700), os.Symlink(target, filepath.Join(dir, "postgres"))); err != nil {
		t.Fatal(err)
	}
	if s, err := m.start(t.Context(), Options{DataDir: dir}); err == nil {
		mustStop(t, s)
		t.Error("a link was followed")
	}
	if left, err := os.ReadDir(target); err != nil || len(left) > 0 {
		t.Errorf("behind the link: %v, %v", left, err)
	}
}

func TestOpenBaseIsRefused(t *testing.T) {
	t.Parallel()
	open, link := filepath.Join(openFolder(t), "open"), filepath.Join(openFolder(t), "link")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Symlink(open, link)); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{open, link} {
		if openBase(base) == nil {
			t.Errorf("%s was taken", base)
		}
	}
	fresh := filepath.Join(openFolder(t), "fresh")
	if err := errors.Join(openBase(fresh), openBase(fresh)); err != nil {
		t.Error(err)
	}
}

// Path names beyond what a socket may have, and letters that mean something
// to the server or the driver.
func TestSocketOfAwkwardDataDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("a-long-name/", 12), `a, comma's "quote" \ back`, "a blank é"} {
		m := testMachine(t)
		m.temporary = []string{openFolder(t)}
		dir := filepath.Join(openFolder(t), name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
			t.Fatal(err)
		}
		copyCluster(t, dir)
		s := mustStart(t, m, dir)
		mustExec(t, s.DSN(), "SELECT 1")
		mustStop(t, s)
		if left, err := os.ReadDir(m.temporary[0]); err != nil || len(left) > 0 {
			t.Errorf("%s: left in the temporary folder: %v, %v", name, left, err)
		}
	}
}

func TestKilledProgramsSocketFolderIsRemoved(t *testing.T) {
	t.Parallel()
	temporary := openFolder(t)
	dir := filepath.Join(openFolder(t), strings.Repeat("a-long-name/", 12))
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	copyCluster(t, dir)
	startProgram(t, dir, "TMPDIR="+temporary).kill()
	folders, err := filepath.Glob(filepath.Join(temporary, socketPrefix+"*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("folders of the killed program: %v, %v", folders, err)
	}
	mustStart(t, testMachine(t), dir)
	if _, err := os.Lstat(folders[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", folders[0])
	}
}

// Where the folder's mode does not keep strangers out, the server still does.
func TestOtherUserIsKeptOut(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root can be another user; the root run covers both levels
	}
	dir := usedDir(t)
	s := mustStart(t, testMachine(t), dir)
	stranger := account{uid: 12345, gid: 12345, switched: true}
	psql := func() error {
		return stranger.command("/bin/sh", "-c", `exec psql "$1" -c 'SELECT 1'`, "sh", s.DSN()).Run()
	}
	if own := clusterOf(t, dir).account.command("/bin/sh", "-c", `exec psql "$1" -c 'SELECT 1'`, "sh", s.DSN()).Run(); own != nil {
		t.Fatalf("the server's own user is kept out: %v", own)
	}
	if psql() == nil {
		t.Error("a stranger passed the folder")
	}
	c := clusterOf(t, dir)
	for _, path := range []string{c.path, s.sockets.path, filepath.Join(s.sockets.path, socketName)} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if psql() == nil {
		t.Error("a stranger passed the server")
	}
	_ = os.Chmod(c.path, 0o700)
}
