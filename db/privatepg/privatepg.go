// Package privatepg starts a PostgreSQL that belongs to one running program:
// it lives and dies with that program, keeps its data between runs, and is
// reached over a Unix socket by nobody else.
//
// It knows nothing of schemas and migrations; it ends at an empty database.
// It runs on Unix only: process groups, flock and peer authentication are
// what it is made of.
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

// Options says where the private PostgreSQL lives and how it behaves.
type Options struct {
	// DataDir is the program's own folder, for example ".usher". It is made
	// where it is missing. The cluster lies in it, or, where the user the
	// server runs as cannot get there, in a place that a note in it names.
	DataDir string
	// Log hears what a person running the program should know; nil is silent.
	// What PostgreSQL itself says goes to postgres.log in DataDir.
	Log *slog.Logger
	// Fast gives up surviving a crash of the machine for speed. For tests.
	Fast bool
}

// Server is a running private PostgreSQL.
type Server struct {
	dsn      string
	log      *slog.Logger
	lock     *dirLock
	sockets  socketDir
	journal  *boundedLog
	process  *leashed
	stopping chan struct{}
	stopOnce sync.Once
	stopErr  error
}

// Start brings up the private PostgreSQL of o.DataDir and returns once its
// database answers. The first start of a DataDir makes the cluster, which
// takes a second or two; a start after a crash waits for recovery.
//
// ctx bounds the start alone: when it ends first, nothing is left running.
// The error wraps ErrInUse where another program holds the DataDir and
// ErrNotInstalled where this machine has no PostgreSQL to run.
func Start(ctx context.Context, o Options) (*Server, error) {
	return thisMachine().start(ctx, o)
}

// DSN is the lib/pq connection string of the database named usher. Its user
// owns the server, so it may create databases too.
func (s *Server) DSN() string { return s.dsn }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop shuts the server down, ending open connections, and waits for it. When
// ctx ends first the server is made to end at once, the next start recovers,
// and the error is ctx's. Calling it again returns the first call's result.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		s.stopErr = s.process.shutDown(ctx)
		s.release()
	})
	return s.stopErr
}

// release gives back what a server that has ended still holds. The lock goes
// last: whoever takes it next must find everything else gone.
func (s *Server) release() {
	s.sockets.remove()
	s.journal.close()
	s.lock.release()
}

func (m machine) start(ctx context.Context, o Options) (*Server, error) {
	if len(m.installFolders(ctx)) == 0 {
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
	if err := m.bringUp(ctx, s, dir, o.Fast); err != nil {
		s.release()
		return nil, fmt.Errorf("private PostgreSQL in %s: %w", o.DataDir, err)
	}
	return s, nil
}

func (m machine) bringUp(ctx context.Context, s *Server, dir string, fast bool) error {
	began := time.Now()
	c, err := m.prepare(ctx, s, dir, fast)
	if err != nil {
		return err
	}
	if err := s.run(ctx, c); err != nil {
		return err
	}
	go s.watch()
	s.log.Info("private PostgreSQL is ready", "version", c.programs.version, "data", c.dataDir(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// prepare does everything that comes before a postmaster may be started.
func (m machine) prepare(ctx context.Context, s *Server, dir string, fast bool) (*cluster, error) {
	h, err := m.settle(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{home: h, fast: fast}
	if c.programs, err = m.locate(ctx, h); err != nil {
		return nil, err
	}
	if s.journal, err = openBoundedLog(filepath.Join(dir, "postgres.log"), logLimit); err != nil {
		return nil, err
	}
	if c.strangerPID, err = c.endOrphan(ctx); err != nil {
		return nil, err
	}
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	if s.sockets, err = m.openSocketDir(dir, h); err != nil {
		return nil, err
	}
	return c, c.configure()
}

// run starts the postmaster and waits until the database answers.
//
// A postmaster that was killed can leave a backend that has not noticed yet
// and still holds the cluster's shared memory, which PostgreSQL rightly
// refuses to share: so after an unclean end the start is tried for a while.
func (s *Server) run(ctx context.Context, c *cluster) error {
	patience := time.NewTimer(lingeringBackends)
	defer patience.Stop()
	for {
		err := s.runOnce(ctx, c)
		if c.strangerPID == 0 || !errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-patience.C:
			return err
		case <-time.After(pollEvery):
		}
	}
}

func (s *Server) runOnce(ctx context.Context, c *cluster) error {
	process, err := startLeashed(c.postmaster(s.sockets.path, s.journal))
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.process = process
	s.dsn = dsn(s.sockets.path, databaseName)
	err = c.awaitDatabase(ctx, s.sockets.path, process)
	if err == nil {
		return nil
	}
	process.abort()
	if errors.Is(err, errEnded) {
		return fmt.Errorf("%w (%v): %s", err, process.err, s.journal.tail())
	}
	return err
}

// watch tells of a server that ended without being asked to.
func (s *Server) watch() {
	select {
	case <-s.stopping:
	case <-s.process.done:
		select {
		case <-s.stopping:
		default:
			s.log.Error("private PostgreSQL ended by itself", "state", s.process.err, "said", s.journal.tail())
		}
	}
}

// openDataDir makes the folder where it is missing and returns its real path.
// A folder made by root can be passed through, not listed, by others, since
// the server's user has to get to the cluster in it.
func openDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("private PostgreSQL: no data directory was given")
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return filepath.EvalSymlinks(absolute)
}
