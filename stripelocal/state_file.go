package stripelocal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveDelay combines changes in quick succession into one write.
const saveDelay = 100 * time.Millisecond

// stateWriter writes the state file in the background after changes.
type stateWriter struct {
	path     string
	snapshot func() ([]byte, error)
	log      *slog.Logger
	dirty    chan struct{}
	stop     chan struct{}
	ended    sync.Once
	done     sync.WaitGroup
}

// newStateWriter starts writing snapshots to path after each markDirty. With an empty path it does
// nothing.
func newStateWriter(path string, snapshot func() ([]byte, error), log *slog.Logger) *stateWriter {
	s := &stateWriter{path: path, snapshot: snapshot, log: log, dirty: make(chan struct{}, 1), stop: make(chan struct{})}
	if path != "" {
		s.done.Add(1)
		go s.run()
	}
	return s
}

// markDirty requests a write. It never blocks, because it is called under the server's lock.
func (s *stateWriter) markDirty() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

func (s *stateWriter) run() {
	defer s.done.Done()
	pause := saveDelay
	for s.waitForChange(pause) {
		began := time.Now()
		if err := s.save(); err != nil {
			s.log.Error("state file not written", "err", err)
		}
		// The pause grows with the time of a write, so that a large state is not written
		// constantly.
		pause = max(saveDelay, 10*time.Since(began))
	}
}

func (s *stateWriter) waitForChange(pause time.Duration) bool {
	select {
	case <-s.stop:
		return false
	case <-s.dirty:
	}
	select {
	case <-s.stop:
		return false
	case <-time.After(pause):
		return true
	}
}

// close stops the background goroutine and writes once more. It can be called again.
func (s *stateWriter) close() error {
	if s.path == "" {
		return nil
	}
	s.ended.Do(func() { close(s.stop) })
	s.done.Wait()
	return s.save()
}

// save replaces the file atomically, so that a crash leaves the previous one.
func (s *stateWriter) save() error {
	raw, err := s.snapshot()
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := writeFile(s.path, raw); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

func writeFile(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := writeAndClose(f, raw); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeAndClose(f *os.File, raw []byte) error {
	if _, err := f.Write(raw); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
