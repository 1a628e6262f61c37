package privatepg

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// cluster is the data of one private PostgreSQL and the programs for it.
type cluster struct {
	home
	programs    programs
	fast        bool
	strangerPID int // named by a stale pid file; see endOrphan
}

const superuser = "usher"

func (h home) dataDir() string { return filepath.Join(h.path, "data") }
func (h home) pidFile() string { return filepath.Join(h.dataDir(), "postmaster.pid") }

// clusterVersion is the major version of the cluster; "" where there is none.
func (h home) clusterVersion() (string, error) {
	text, err := os.ReadFile(filepath.Join(h.dataDir(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the cluster's version: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// create makes the cluster where there is none. It is made beside its place
// and moved there when it is whole: a start that is killed leaves no half.
func (c *cluster) create(ctx context.Context) error {
	version, err := c.clusterVersion()
	if err != nil || version != "" {
		return err
	}
	root, err := os.OpenRoot(c.path)
	if err != nil {
		return fmt.Errorf("open the cluster's folder: %w", err)
	}
	defer root.Close()
	dropUnfinished(root)
	unfinished := unfinishedPrefix + strings.ToLower(rand.Text()[:8])
	if err := c.initdb(ctx, unfinished); err != nil {
		return errors.Join(err, root.RemoveAll(unfinished))
	}
	if err := root.Rename(unfinished, "data"); err != nil {
		return fmt.Errorf("put the new cluster in its place: %w", err)
	}
	return nil
}

const unfinishedPrefix = "data.new-"

// dropUnfinished removes what killed starts left. One of their initdb may be
// about to end and still write, so that a failure is left to the next start.
func dropUnfinished(root *os.Root) {
	folder, err := root.Open(".")
	if err != nil {
		return
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, unfinishedPrefix) {
			_ = root.RemoveAll(name)
		}
	}
}

// initdb runs PostgreSQL's own. Text sorts by bytes, which is the same on
// every machine and lets indexes serve prefixes; letters are Unicode's.
func (c *cluster) initdb(ctx context.Context, folder string) error {
	cmd := c.account.command(c.programs.initdb(), "--pgdata="+filepath.Join(c.path, folder), "--username="+superuser,
		"--encoding=UTF8", "--locale=C", "--lc-ctype="+unicodeLetters(), "--auth=peer", "--auth-host=reject", "--no-sync")
	cmd.Dir = c.path
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	process, err := startLeashed(cmd)
	if err != nil {
		return fmt.Errorf("start initdb: %w", err)
	}
	select {
	case <-process.done:
	case <-ctx.Done():
		process.killGroup()
		return context.Cause(ctx)
	}
	if process.err != nil {
		return fmt.Errorf("make the cluster: initdb: %w: %s", process.err, lastLines(said.Bytes()))
	}
	return nil
}

func unicodeLetters() string {
	switch runtime.GOOS {
	case "darwin":
		return "UTF-8"
	case "linux":
		return "C.UTF-8"
	default:
		return "C"
	}
}

// configure writes all settings anew at each start, so that a cluster made by
// an older version of this program gets today's.
func (c *cluster) configure() error {
	root, err := os.OpenRoot(c.dataDir())
	if err != nil {
		return fmt.Errorf("configure the cluster: %w", err)
	}
	defer root.Close()
	identities, err := c.identities()
	if err != nil {
		return fmt.Errorf("configure the cluster: %w", err)
	}
	for name, text := range map[string]string{
		"postgresql.conf": c.settings(),
		"pg_hba.conf":     accessRules,
		"pg_ident.conf":   identities,
	} {
		if err := c.writeFile(root, name, text); err != nil {
			return fmt.Errorf("configure the cluster: %w", err)
		}
	}
	return nil
}

// accessRules lets in who the kernel says is the program's or the server's
// user, over the socket alone. A password would have to lie in a file, and a
// loopback port can be tried by every local user.
const accessRules = "local all " + superuser + " peer map=program\n"

func (c *cluster) identities() (string, error) {
	var text strings.Builder
	for _, uid := range []int{os.Geteuid(), c.account.uid} {
		u, err := user.LookupId(strconv.Itoa(uid))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "program \"%s\" %s\n", u.Username, superuser)
	}
	return text.String(), nil
}

func (c *cluster) settings() string {
	text := `listen_addresses = ''
unix_socket_permissions = 0700
port = ` + port + `
max_connections = 100
shared_buffers = 64MB
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
cluster_name = 'usher'
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
jit = off
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] '
log_checkpoints = off
`
	if c.fast {
		text += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_wal_size = 1GB\n"
	}
	return text
}

// writeFile puts a file into the cluster and gives it to the server's user.
// The root keeps it there even if that user had put a link in its way.
func (c *cluster) writeFile(root *os.Root, name, text string) error {
	temporary := name + ".new"
	_ = root.Remove(temporary)
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close(), c.account.own(root, temporary)); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

func (c *cluster) postmaster(socketFolder string, out io.Writer) *exec.Cmd {
	cmd := c.account.command(c.programs.postgres(), "-D", c.dataDir(), "-k", socketFolder)
	cmd.Dir = c.path
	cmd.Stdout, cmd.Stderr = out, out
	if c.strangerPID != 0 {
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(c.strangerPID))
	}
	return cmd
}
