package privatepg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	port       = "5432" // a part of the socket's name and nothing else
	socketName = ".s.PGSQL." + port
	// socketLimit is what a socket's path may have in bytes, the closing zero
	// not counted: 107 on Linux, 103 on macOS and the BSDs.
	socketLimit = 103
	socketNote  = "postgres.socket"
	// socketPrefix marks temporary folders of ours.
	socketPrefix = "usher-pg-"
)

// socketDir is the folder of the server's socket. One that lies in a
// temporary folder goes with the server.
type socketDir struct {
	path string
	note string // the file that names a temporary one
}

// openSocketDir uses the home where the path is short and plain enough, else a
// fresh folder in a temporary one. The data directory remembers that, and what
// a killed program left is removed.
func (m machine) openSocketDir(dir string, h home) (socketDir, error) {
	note := filepath.Join(dir, socketNote)
	if text, err := os.ReadFile(note); err == nil {
		socketDir{strings.TrimSuffix(string(text), "\n"), note}.remove()
	}
	if run := filepath.Join(h.path, "run"); fits(run) {
		return socketDir{path: run}, h.makeRun()
	}
	for _, base := range m.temporary {
		if !fits(filepath.Join(base, socketPrefix+"0123456789")) {
			continue
		}
		path, err := os.MkdirTemp(base, socketPrefix) // 0700 and new, so nobody's trap
		if err != nil {
			return socketDir{}, fmt.Errorf("make a folder for the socket: %w", err)
		}
		s := socketDir{path, note}
		if err := errors.Join(writeNote(dir, socketNote, path), h.account.giveFolder(path)); err != nil {
			s.remove()
			return socketDir{}, err
		}
		return s, nil
	}
	return socketDir{}, fmt.Errorf("no temporary folder has a path short enough for a socket: set TMPDIR to one like /tmp")
}

// fits says whether a socket in the folder can be named to the kernel, to the
// server, which takes a list of folders, and to the driver, which takes a list
// of hosts.
func fits(folder string) bool {
	return len(folder)+len("/"+socketName) <= socketLimit && !strings.ContainsAny(folder, ",\"'\\\n")
}

func (h home) makeRun() error {
	root, err := os.OpenRoot(h.path)
	if err != nil {
		return fmt.Errorf("make a folder for the socket: %w", err)
	}
	defer root.Close()
	if err := root.Mkdir("run", 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a folder for the socket: %w", err)
	}
	for _, left := range []string{socketName, socketName + ".lock"} {
		_ = root.Remove(filepath.Join("run", left)) // of a server that was killed
	}
	return h.account.own(root, "run")
}

func (a account) giveFolder(path string) error {
	if !a.switched {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// remove takes a temporary folder away, file by file: were the note wrong, it
// could do no harm.
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
