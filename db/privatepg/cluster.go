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

// cluster is the database cluster of one private PostgreSQL with the installation that runs it.
type cluster struct {
	serverDir
	installation installation
	fast         bool
	stalePID     int // from a stale pid file, 0 for none; see stopStalePostmaster
}

const superuser = "usher"

func (h serverDir) dataDir() string { return filepath.Join(h.path, "data") }
func (h serverDir) pidFile() string { return filepath.Join(h.dataDir(), "postmaster.pid") }

// clusterVersion returns the cluster's major version, "" if there is no cluster.
func (h serverDir) clusterVersion() (string, error) {
	text, err := os.ReadFile(filepath.Join(h.dataDir(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the cluster's version: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// create initializes the cluster if there is none. It initializes a temporary directory and renames
// it, so that an interrupted start leaves no partial cluster.
func (c *cluster) create(ctx context.Context) error {
	version, err := c.clusterVersion()
	if err != nil || version != "" {
		return err
	}
	root, err := os.OpenRoot(c.path)
	if err != nil {
		return fmt.Errorf("open the cluster's directory: %w", err)
	}
	defer root.Close()
	removeUnfinished(root)
	unfinished := unfinishedPrefix + strings.ToLower(rand.Text()[:8])
	if err := c.initdb(ctx, unfinished); err != nil {
		return errors.Join(err, root.RemoveAll(unfinished))
	}
	if err := root.Rename(unfinished, "data"); err != nil {
		return fmt.Errorf("rename the new cluster: %w", err)
	}
	return nil
}

const unfinishedPrefix = "data.new-"

// removeUnfinished removes directories of interrupted starts. An initdb of theirs may still be
// writing, so errors are ignored and the next start tries again.
func removeUnfinished(root *os.Root) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, unfinishedPrefix) {
			_ = root.RemoveAll(name)
		}
	}
}

// initdb runs PostgreSQL's initdb. Text is sorted by bytes, which is the same on every machine and
// lets indexes serve prefix searches; character classes follow Unicode.
func (c *cluster) initdb(ctx context.Context, dir string) error {
	cmd := c.account.command(c.installation.initdb(), "--pgdata="+filepath.Join(c.path, dir), "--username="+superuser,
		"--encoding=UTF8", "--locale=C", "--lc-ctype="+lcCtype(), "--auth=peer", "--auth-host=reject", "--no-sync")
	cmd.Dir = c.path
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	process, err := startSupervised(cmd)
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
		return fmt.Errorf("initialize the cluster: initdb: %w: %s", process.err, lastLines(stderr.Bytes()))
	}
	return nil
}

func lcCtype() string {
	switch runtime.GOOS {
	case "darwin":
		return "UTF-8"
	case "linux":
		return "C.UTF-8"
	default:
		return "C"
	}
}

// configure writes the configuration files at every start, so that clusters of older releases get
// the current settings.
func (c *cluster) configure() error {
	root, err := os.OpenRoot(c.dataDir())
	if err != nil {
		return fmt.Errorf("configure the cluster: %w", err)
	}
	defer root.Close()
	identMap, err := c.identMap()
	if err != nil {
		return fmt.Errorf("configure the cluster: %w", err)
	}
	for name, text := range map[string]string{
		"postgresql.conf": c.postgresqlConf(),
		"pg_hba.conf":     hbaRules,
		"pg_ident.conf":   identMap,
	} {
		if err := c.writeFile(root, name, text); err != nil {
			return fmt.Errorf("configure the cluster: %w", err)
		}
	}
	return nil
}

// hbaRules admits the program's and the server's operating-system user by peer authentication over
// the socket. A password would have to be stored in a file, and every local user can connect to a
// loopback port.
const hbaRules = "local all " + superuser + " peer map=program\n"

func (c *cluster) identMap() (string, error) {
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

func (c *cluster) postgresqlConf() string {
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
		text += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmin_wal_size = 32MB\n"
	}
	return text
}

// writeFile writes a file into the cluster and makes the server's user its owner. root prevents
// following a symbolic link created by that user.
func (c *cluster) writeFile(root *os.Root, name, text string) error {
	temporary := name + ".new"
	_ = root.Remove(temporary)
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close(), c.account.chown(root, temporary)); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

func (c *cluster) postmasterCommand(socketDir string, out io.Writer) *exec.Cmd {
	cmd := c.account.command(c.installation.postgres(), "-D", c.dataDir(), "-k", socketDir)
	cmd.Dir = c.path
	cmd.Stdout, cmd.Stderr = out, out
	if c.stalePID != 0 {
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(c.stalePID))
	}
	return cmd
}
