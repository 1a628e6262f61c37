package dbtest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
)

// PgBouncer starts PgBouncer in transaction mode before the database of dsn, until the test ends,
// and returns a DSN through it, without other parameters. PgBouncer opens that many connections to
// the server at most.
func PgBouncer(t testing.TB, dsn string, serverConnections int) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // on no user's PATH
	}
	server, err := pq.NewConfig(dsn)
	if err != nil {
		t.Fatal("dbtest: the DSN can't be read")
	}
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "pgbouncer.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=%s port=%d user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 500
`, server.Host, server.Port, server.User, port, serverConnections), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	bouncer := exec.Command(program, config) // #nosec G204 -- a test
	bouncer.Stdout, bouncer.Stderr = log, log
	if os.Getuid() == 0 { // it does not run as root, and reads its configuration before
		bouncer.Args = append(bouncer.Args, "-u", ownerOf(t, server.Host))
	}
	if err := bouncer.Start(); err != nil {
		t.Fatalf("dbtest: PgBouncer: %v; make test installs it", err)
	}
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
	})
	through := fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable", port, server.User, server.Database)
	if err := awaitConnection(t.Context(), through); err != nil {
		t.Fatalf("dbtest: PgBouncer does not answer: %v\n%s", err, log)
	}
	return through
}

// ownerOf returns the user who may use a server's socket folder; nobody for a host.
func ownerOf(t testing.TB, folder string) string {
	t.Helper()
	info, err := os.Stat(folder)
	if err != nil {
		return "nobody"
	}
	owner, err := user.LookupId(strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
	if err != nil {
		t.Fatal(err)
	}
	return owner.Username
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func awaitConnection(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	pool, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// lockedBuffer is written by a process while it is read.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
