package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the operating-system user that runs the server. PostgreSQL refuses to run as root.
type account struct {
	uid, gid int
	switched bool // differs from the program's user
}

// chooseAccount returns the program's user. For root it returns a user that every distribution has,
// preferably the one of PostgreSQL's package.
func chooseAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{uid, gid, true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and this system has neither a user postgres nor nobody: run as another user, or set DATABASE_URL")
}

// accountOf returns the owner of a directory. A cluster keeps its user.
func accountOf(info os.FileInfo) account {
	owner := info.Sys().(*syscall.Stat_t)
	uid, gid := int(owner.Uid), int(owner.Gid)
	return account{uid, gid, uid != os.Geteuid()}
}

// command returns a program to run as the account. The environment starts empty: the program's own
// holds secrets, and PG* and locale variables that would change PostgreSQL's behavior.
func (a account) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/local/bin:/usr/bin:/bin"}
	for _, loader := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if path := os.Getenv(loader); path != "" {
			cmd.Env = append(cmd.Env, loader+"="+path)
		}
	}
	cmd.Dir = "/"
	if a.switched {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}}
	}
	return cmd
}

// canAccess reports whether the account can change into dir. It runs a shell as the account, since
// mode bits do not cover access lists and parent directories.
func (a account) canAccess(ctx context.Context, dir string) (bool, error) {
	var exit *exec.ExitError
	err := a.command("/bin/sh", "-c", `cd "$1"`, "sh", dir).Run()
	if errors.As(err, &exit) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("run a program as user %d: %w", a.uid, err)
	}
	return true, ctx.Err()
}

// chown makes the account the owner of path, which must not be a symbolic link.
func (a account) chown(root *os.Root, path string) error {
	if !a.switched {
		return nil
	}
	return root.Lchown(path, a.uid, a.gid)
}
