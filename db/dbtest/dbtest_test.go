package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

var migrationRuns atomic.Int32

// migrate leaves a connection open, which the template has to tolerate.
func migrate(ctx context.Context, dsn string) error {
	migrationRuns.Add(1)
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE seats (number int)")
	return err
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestDatabasesAreMigratedAndIsolated(t *testing.T) {
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			db := open(t, New(t, migrate))
			mustExec(t, db, "INSERT INTO seats VALUES (1)")
			var seats int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM seats").Scan(&seats); err != nil || seats != 1 {
				t.Errorf("%d seats, %v", seats, err)
			}
		})
	}
	t.Cleanup(func() {
		if n := migrationRuns.Load(); n != 1 {
			t.Errorf("migrated %d times", n)
		}
	})
}

func TestDatabaseIsDroppedAtCleanup(t *testing.T) {
	var dsn string
	t.Run("test", func(t *testing.T) {
		dsn = New(t, migrate)
		db, err := sql.Open("postgres", dsn) // stays open: the cleanup has to close it
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, db, "SELECT 1")
	})
	err := open(t, dsn).PingContext(t.Context())
	if pq.As(err, pqerror.InvalidCatalogName) == nil {
		t.Errorf("after the test: %v", err)
	}
}

func TestTwoDatabasesInOneTest(t *testing.T) {
	first, second := open(t, New(t, migrate)), open(t, New(t, migrate))
	mustExec(t, first, "DROP TABLE seats")
	mustExec(t, second, "INSERT INTO seats VALUES (1)")
}

func TestFailedMigrationFailsEveryClone(t *testing.T) {
	s := anotherServer(t)
	broken := errors.New("no such column")
	for range 2 {
		_, err := s.clone(t.Context(), func(context.Context, string) error { return broken })
		if !errors.Is(err, broken) {
			t.Errorf("clone: %v", err)
		}
	}
}

// anotherServer returns this binary's server as another test binary would use it.
func anotherServer(t *testing.T) *server {
	t.Helper()
	mine, err := binaryServer()
	if err != nil {
		t.Fatal(err)
	}
	s, err := openServer(t.Context(), mine.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	return s
}

func TestDatabasesOfKilledRunsAreDropped(t *testing.T) {
	mine := open(t, New(t, migrate))
	killed := anotherServer(t)
	left, err := killed.clone(t.Context(), noMigration)
	if err != nil {
		t.Fatal(err)
	}
	killed.lease.Close()
	killed.db.Close() // as the exit of the binary does
	next := anotherServer(t)
	// PostgreSQL releases the locks of a connection some time after it was closed.
	for deadline := time.Now().Add(time.Minute); ; {
		if err := next.dropAbandoned(t.Context()); err != nil {
			t.Fatal(err)
		}
		names, err := next.testDatabases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(names, left) && !slices.Contains(names, killed.template()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s or its template still exists: %v", left, names)
		}
		time.Sleep(20 * time.Millisecond) // polling interval
	}
	mustExec(t, mine, "INSERT INTO seats VALUES (1)")
}

func noMigration(context.Context, string) error { return nil }

// Two binaries at a time use different slots, and a later run reuses the slot of an earlier one,
// however that ended.
func TestSlots(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	if err := openBaseDir(base); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if free, err := lockSlot(filepath.Join(base, "slot-0.lock")); err != nil || free != want {
			t.Errorf("try %d: %v, %v", i, free, err)
		}
	}
	if free, err := lockSlot(filepath.Join(base, "slot-1.lock")); err != nil || !free {
		t.Errorf("another slot: %v, %v", free, err)
	}
}

func TestDamagedServerIsRecreated(t *testing.T) {
	base, err := os.MkdirTemp("", "dbtest-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir := filepath.Join(base, "slot-0")
	data := filepath.Join(dir, "postgres", "data")
	if err := errors.Join(os.Chmod(base, 0o711), os.MkdirAll(data, 0o700), os.Chmod(dir, 0o711)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server stops with this binary; the directory is removed by the cleanup above.
	dsn, err := startServer(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, open(t, dsn), "SELECT 1")
}

func TestWritableBaseDirIsRefused(t *testing.T) {
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(dir, 0o777), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{dir, link} {
		if openBaseDir(base) == nil {
			t.Errorf("%s was accepted", base)
		}
	}
}

func TestWithDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"host='/run/x' dbname='usher'":                    "host='/run/x' dbname='usher' dbname=new",
		"postgres://u:p@localhost:5432/a?sslmode=disable": "postgres://u:p@localhost:5432/new?sslmode=disable",
		"postgresql://localhost?dbname=a":                 "postgresql://localhost/new",
	} {
		if got := withDatabase(dsn, "new"); got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}

// A server in the environment variable is used without starting another: this test runs the test
// binary again on its own server.
func TestServerFromEnvironment(t *testing.T) {
	mine, err := binaryServer()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere") // a private server would fail here
	cmd := exec.Command(self, "-test.run", "TestDatabasesAreMigratedAndIsolated|TestDatabaseIsDropped", "-test.v")
	cmd.Env = append(os.Environ(), "USHER_TEST_DATABASE_URL="+mine.dsn, "TMPDIR="+nowhere)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDatabaseIsDropped") {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkNew(b *testing.B) {
	s, err := binaryServer()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		name, err := s.clone(b.Context(), migrate)
		if err == nil {
			err = s.drop(b.Context(), name)
		}
		if err != nil {
			b.Fatal(fmt.Errorf("clone and drop: %w", err))
		}
	}
}
