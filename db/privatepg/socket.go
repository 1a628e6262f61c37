package privatepg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	port       = "5432" // only part of the socket's name
	socketName = ".s.PGSQL." + port
	// maxSocketPath is the longest path of a socket in bytes without the final zero: 107 on Linux,
	// 103 on macOS and the BSDs.
	maxSocketPath = 103
	socketFile    = "postgres.socket"
	// socketPrefix begins the names of this package's temporary directories.
	socketPrefix = "usher-pg-"
)

// socketDir is the directory of the server's socket. A temporary one is removed with the server.
type socketDir struct {
	path string
	note string // records the path of a temporary directory
}

// openSocketDir uses the server directory if its path is short and plain enough, else a new
// temporary directory, whose path is recorded in the data directory. The temporary directory of a
// killed program is removed.
func (env environment) openSocketDir(dir string, h serverDir) (socketDir, error) {
	note := filepath.Join(dir, socketFile)
	if text, err := os.ReadFile(note); err == nil {
		socketDir{strings.TrimSuffix(string(text), "\n"), note}.remove()
	}
	if run := filepath.Join(h.path, "run"); socketPathFits(run) {
		return socketDir{path: run}, h.createRunDir()
	}
	for _, base := range env.tempDirs {
		if !socketPathFits(filepath.Join(base, socketPrefix+"0123456789")) {
			continue
		}
		path, err := os.MkdirTemp(base, socketPrefix) // mode 0700 and new, so it cannot be a symbolic link
		if err != nil {
			return socketDir{}, fmt.Errorf("create the socket directory: %w", err)
		}
		s := socketDir{path, note}
		if err := errors.Join(writeFileAtomically(dir, socketFile, path), h.account.chownPath(path)); err != nil {
			s.remove()
			return socketDir{}, err
		}
		return s, nil
	}
	return socketDir{}, fmt.Errorf("no temporary directory has a path short enough for a socket: set TMPDIR to one like /tmp")
}

// socketPathFits reports whether a socket in the directory can be passed to the kernel (length), to
// the server (which parses a list of directories) and to the driver (which parses a list of hosts).
func socketPathFits(dir string) bool {
	return len(dir)+len("/"+socketName) <= maxSocketPath && !strings.ContainsAny(dir, ",\"'\\\n")
}

func (h serverDir) createRunDir() error {
	root, err := os.OpenRoot(h.path)
	if err != nil {
		return fmt.Errorf("create the socket directory: %w", err)
	}
	defer root.Close()
	if err := root.Mkdir("run", 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create the socket directory: %w", err)
	}
	for _, left := range []string{socketName, socketName + ".lock"} {
		_ = root.Remove(filepath.Join("run", left)) // left by a killed server
	}
	return h.account.chown(root, "run")
}

func (a account) chownPath(path string) error {
	if !a.switched {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// remove removes a temporary directory file by file, so that a wrong record cannot delete anything
// else.
func (s socketDir) remove() {
	if s.note == "" {
		return
	}
	if strings.HasPrefix(filepath.Base(s.path), socketPrefix) {
		_ = os.Remove(filepath.Join(s.path, socketName))
		_ = os.Remove(filepath.Join(s.path, socketName+".lock"))
		_ = os.Remove(s.path)
	}
	_ = os.Remove(s.note)
}
