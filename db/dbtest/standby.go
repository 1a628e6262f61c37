package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// WithStandby starts a PostgreSQL and a hot standby that follows it by streaming replication, until
// the test ends, and returns their DSNs. Both have the schema that migrate makes, see [New].
func WithStandby(t testing.TB, migrate func(ctx context.Context, dsn string) error) (primary, standby string) {
	t.Helper()
	c := newPair(t, New(t, migrate))
	c.run("initdb", "-D", c.path("primary"), "-U", "usher", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions")
	primary = c.start("primary")
	if err := migrate(t.Context(), primary); err != nil {
		t.Fatal(err)
	}
	c.run("pg_basebackup", "-d", primary, "-D", c.path("standby"), "-R", "-c", "fast", "--no-sync")
	return primary, c.start("standby")
}

// pair is a folder with two servers, and who runs them.
type pair struct {
	testing.TB
	dir      string
	programs string
	owner    *syscall.Credential // nil: this user
}

// newPair makes a folder for servers that run as that of dsn does.
func newPair(t testing.TB, dsn string) pair {
	t.Helper()
	// Not t.TempDir: its parent is closed to other users, and its path is too long for a socket.
	dir, err := os.MkdirTemp("", "usher-pair-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := pair{TB: t, dir: dir}
	var owner string
	c.programs, owner = serverPrograms(t, dsn)
	if os.Getuid() != 0 {
		return c
	}
	account, err := user.Lookup(owner) // PostgreSQL refuses to run as root
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return c
}

// serverPrograms returns the folder of the programs of a server, and its user.
func serverPrograms(t testing.TB, dsn string) (folder, owner string) {
	t.Helper()
	pool, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var sockets string
	query := `select (select setting from pg_config where name = 'BINDIR'), split_part(current_setting('unix_socket_directories'), ',', 1)`
	if err := pool.QueryRowContext(t.Context(), query).Scan(&folder, &sockets); err != nil {
		t.Fatal(err)
	}
	return folder, ownerOf(t, sockets)
}

func (c pair) path(name string) string { return filepath.Join(c.dir, name) }

func (c pair) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.programs, name), args...) // #nosec G204 -- a test
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	return cmd
}

func (c pair) run(name string, args ...string) {
	c.Helper()
	if out, err := c.command(name, args...).CombinedOutput(); err != nil {
		c.Fatalf("dbtest: %s: %v\n%s", name, err, out)
	}
}

// start starts a server, whose socket is in the pair's folder, and returns its DSN.
func (c pair) start(name string) string {
	c.Helper()
	port := map[string]int{"primary": 5432, "standby": 5433}[name]
	log := &lockedBuffer{}
	server := c.command("postgres", "-D", c.path(name), "-k", c.dir, "-p", strconv.Itoa(port), "-c", "listen_addresses=", "-c", "fsync=off")
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
	})
	dsn := fmt.Sprintf("host=%s port=%d user=usher dbname=postgres sslmode=disable", c.dir, port)
	if err := awaitConnection(c.Context(), dsn); err != nil {
		c.Fatalf("dbtest: the %s does not answer: %v\n%s", name, err, log)
	}
	return dsn
}
