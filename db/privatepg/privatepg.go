package privatepg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options configures a private PostgreSQL.
type Options struct {
	// DataDir is the program's directory, for example ".usher". It is created if missing. It holds
	// the cluster, or, if the server's user has no access to it, a file with the cluster's
	// location.
	DataDir string
	// Log receives start and unexpected exit; nil discards them. PostgreSQL's own log is
	// postgres.log in DataDir.
	Log *slog.Logger
	// Fast trades durability after a crash of the machine for speed. For tests.
	Fast bool
}

// Server is a running private PostgreSQL.
type Server struct {
	dsn       string
	log       *slog.Logger
	lock      *dirLock
	socketDir socketDir
	serverLog *rotatingLog
	process   *supervisedProcess
	stopping  chan struct{}
	stopOnce  sync.Once
	stopErr   error
}

// Start starts the private PostgreSQL of o.DataDir and returns when its database accepts
// connections. The first start of a DataDir initializes the cluster, which takes one to two
// seconds; a start after a crash waits for recovery.
//
// ctx limits the start only: if it ends first, no process is left. The error wraps [ErrInUse] if
// another program holds the DataDir and [ErrNotInstalled] if no PostgreSQL is installed.
func Start(ctx context.Context, o Options) (*Server, error) {
	return systemEnvironment().start(ctx, o)
}

// DSN returns the lib/pq connection string of the database named usher. Its user is a superuser, so
// it can create databases.
func (s *Server) DSN() string { return s.dsn }

// Done is closed when the server has exited, by Stop or otherwise.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop shuts the server down, terminates open connections and waits for the exit. If ctx ends
// first, the server is terminated without a checkpoint, the next start recovers, and the error is
// ctx's. Further calls return the result of the first.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		s.stopErr = s.process.shutDown(ctx)
		s.release()
	})
	return s.stopErr
}

// release frees the resources of a server that has exited. The lock is last: the next holder
// expects the others to be free.
func (s *Server) release() {
	s.socketDir.remove()
	s.serverLog.close()
	s.lock.release()
}

func (env environment) start(ctx context.Context, o Options) (*Server, error) {
	if len(env.binDirs(ctx)) == 0 {
		return nil, ErrNotInstalled
	}
	dir, err := openDataDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	lock, err := lockDataDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Log, lock: lock, stopping: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := env.startServer(ctx, s, dir, o.Fast); err != nil {
		s.release()
		return nil, fmt.Errorf("private PostgreSQL in %s: %w", o.DataDir, err)
	}
	return s, nil
}

func (env environment) startServer(ctx context.Context, s *Server, dir string, fast bool) error {
	started := time.Now()
	c, err := env.prepare(ctx, s, dir, fast)
	if err != nil {
		return err
	}
	if err := s.run(ctx, c); err != nil {
		return err
	}
	go s.monitor()
	s.log.Info("private PostgreSQL started", "version", c.installation.version, "data_dir", c.dataDir(),
		"duration", time.Since(started).Round(time.Millisecond))
	return nil
}

// prepare does everything that must precede the start of a postmaster.
func (env environment) prepare(ctx context.Context, s *Server, dir string, fast bool) (*cluster, error) {
	h, err := env.openServerDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{serverDir: h, fast: fast}
	if c.installation, err = env.findInstallation(ctx, h); err != nil {
		return nil, err
	}
	if s.serverLog, err = openRotatingLog(filepath.Join(dir, "postgres.log"), maxLogBytes); err != nil {
		return nil, err
	}
	if c.stalePID, err = c.stopStalePostmaster(ctx); err != nil {
		return nil, err
	}
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	if s.socketDir, err = env.openSocketDir(dir, h); err != nil {
		return nil, err
	}
	return c, c.configure()
}

// run starts the postmaster and waits until the database accepts connections.
//
// After a postmaster was killed, a backend may still be exiting and hold the cluster's shared
// memory, and PostgreSQL refuses to start. So after an unclean shutdown the start is retried for a
// limited time.
func (s *Server) run(ctx context.Context, c *cluster) error {
	timeout := time.NewTimer(backendExitTimeout)
	defer timeout.Stop()
	for {
		err := s.runOnce(ctx, c)
		if c.stalePID == 0 || !errors.Is(err, errServerExited) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout.C:
			return err
		case <-time.After(pollInterval):
		}
	}
}

func (s *Server) runOnce(ctx context.Context, c *cluster) error {
	process, err := startSupervised(c.postmasterCommand(s.socketDir.path, s.serverLog))
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.process = process
	s.dsn = dsn(s.socketDir.path, databaseName)
	err = c.waitForDatabase(ctx, s.socketDir.path, process)
	if err == nil {
		return nil
	}
	process.abort()
	if errors.Is(err, errServerExited) {
		return fmt.Errorf("%w (%v): %s", err, process.err, s.serverLog.tail())
	}
	return err
}

// monitor logs an exit that Stop did not cause.
func (s *Server) monitor() {
	select {
	case <-s.stopping:
	case <-s.process.done:
		select {
		case <-s.stopping:
		default:
			s.log.Error("private PostgreSQL exited unexpectedly", "err", s.process.err, "output", s.serverLog.tail())
		}
	}
}

// openDataDir creates the directory if missing and returns its real path. If root creates it, other
// users may traverse but not list it, since the server's user has to reach the cluster in it.
func openDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("private PostgreSQL: no data directory was given")
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return "", fmt.Errorf("create the data directory: %w", err)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return filepath.EvalSymlinks(absolute)
}
