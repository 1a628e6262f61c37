package privatepg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNoPostgreSQLInstalled(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	_, err := environment{searchPath: traversableDir(t)}.start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("without PostgreSQL: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the data directory was created")
	}
}

func TestClusterOfAnotherMajorVersion(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	mustStop(t, mustStart(t, env, dir))
	mark := filepath.Join(clusterOf(t, dir).dataDir(), "PG_VERSION")
	if err := os.WriteFile(mark, []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := env.start(t.Context(), Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 9.6") {
		t.Errorf("another major version: %v", err)
	}
}

func TestInstallationMatchesClusterVersion(t *testing.T) {
	t.Parallel()
	a, err := chooseAccount()
	if err != nil {
		t.Fatal(err)
	}
	h := serverDir{filepath.Join(traversableDir(t), "server"), a}
	if err := os.MkdirAll(h.dataDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	env := environment{searchPath: fakeInstall(t, "17.2", "") + string(filepath.ListSeparator) + fakeInstall(t, "14.9 (Debian 14.9-1)", "")}
	for cluster, want := range map[string]string{"": "17.2", "17": "17.2", "14": "14.9"} {
		if cluster != "" {
			if err := os.WriteFile(filepath.Join(h.dataDir(), "PG_VERSION"), []byte(cluster+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.RemoveAll(filepath.Join(h.dataDir(), "PG_VERSION")); err != nil {
			t.Fatal(err)
		}
		got, err := env.findInstallation(t.Context(), h)
		if err != nil || got.version != want {
			t.Errorf("for a cluster of %q: %q, %v, want %q", cluster, got.version, err, want)
		}
	}
}

func TestFailedInitdbReportsOutput(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	env := testEnvironment(t)
	env.searchPath = fakeInstall(t, "15.1", "echo creating >&2; echo 'initdb: error: could not write: No space left on device' >&2; exit 1")
	_, err := env.start(t.Context(), Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("a full disk: %v", err)
	}
	// The failed start left nothing that blocks the next one.
	mustStart(t, testEnvironment(t), dir)
}

func TestFailedServerReportsOutput(t *testing.T) {
	t.Parallel()
	env, dir := testEnvironment(t), initializedDir(t)
	mustStop(t, mustStart(t, env, dir))
	control := filepath.Join(clusterOf(t, dir).dataDir(), "global", "pg_control")
	if err := os.WriteFile(control, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := env.start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, errServerExited) || !strings.Contains(err.Error(), "pg_control") {
		t.Errorf("a damaged cluster: %v", err)
	}
}

// fakeInstall returns a directory with programs that print the version.
func fakeInstall(t *testing.T, version, initdb string) string {
	t.Helper()
	dir := traversableDir(t)
	for name, script := range map[string]string{"postgres": "echo 'postgres (PostgreSQL) " + version + "'", "initdb": initdb} {
		writeProgram(t, filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"))
	}
	return dir
}

func TestBinDirs(t *testing.T) {
	t.Parallel()
	dir := traversableDir(t)
	for _, binDir := range []string{"pg/9.6/bin", "pg/15/bin", "pg/16/bin", "brew/postgresql@17/bin", "own/bin", "empty/8/bin"} {
		if err := os.MkdirAll(filepath.Join(dir, binDir), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"initdb", "postgres"} {
			if binDir != "empty/8/bin" {
				_ = os.WriteFile(filepath.Join(dir, binDir, program), nil, 0o755)
			}
		}
	}
	env := environment{
		searchPath:  "." + string(filepath.ListSeparator) + filepath.Join(dir, "own/bin"),
		binPatterns: []string{filepath.Join(dir, "pg/*/bin"), filepath.Join(dir, "empty/*/bin"), filepath.Join(dir, "brew/postgresql@*/bin")},
	}
	var got []string
	for _, binDir := range env.binDirs(context.Background()) {
		name, _ := filepath.Rel(dir, binDir)
		got = append(got, name)
	}
	want := []string{"own/bin", "brew/postgresql@17/bin", "pg/16/bin", "pg/15/bin", "pg/9.6/bin"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMajorVersion(t *testing.T) {
	for version, want := range map[string]string{"15.8": "15", "16": "16", "9.6.24": "9.6", "17.0": "17"} {
		if got := (installation{version: version}).major(); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

func TestLogIsRotated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postgres.log")
	log, err := openRotatingLog(path, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, _ = log.Write([]byte(strings.Repeat("x", 98) + "\n"))
	}
	_, _ = log.Write([]byte("one\n\ntwo\n"))
	if got := log.tail(); !strings.HasSuffix(got, "| one | two") || strings.Count(got, "|") != tailLines-1 {
		t.Errorf("tail: %q", got)
	}
	log.close()
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > 1000 || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
