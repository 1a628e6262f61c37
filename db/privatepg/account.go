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

// account is the operating-system user that the server runs as. PostgreSQL
// refuses to run as root.
type account struct {
	uid, gid int
	switched bool // not the program's own user
}

// chooseAccount is the program's own user, or, for root, one that every
// distribution has; the one PostgreSQL's package makes comes first.
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

// ownerAccount is the account that made the folder: a cluster keeps its user.
func ownerAccount(info os.FileInfo) account {
	owner := info.Sys().(*syscall.Stat_t)
	uid, gid := int(owner.Uid), int(owner.Gid)
	return account{uid, gid, uid != os.Geteuid()}
}

// command is a program run as the account. Its environment is made from
// nothing: ours holds secrets that the account has no business with, and PG*
// and locale variables that would change what PostgreSQL does.
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

// canEnter asks the kernel rather than mode bits, which say nothing of access
// lists and of the folders above.
func (a account) canEnter(ctx context.Context, dir string) (bool, error) {
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

// own gives path, which must be no link, to the account.
func (a account) own(root *os.Root, path string) error {
	if !a.switched {
		return nil
	}
	return root.Lchown(path, a.uid, a.gid)
}
