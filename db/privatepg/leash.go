package privatepg

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// leashScript becomes the wanted program after leaving a watcher behind. The
// watcher reads a pipe of which only our program holds the other end. End of
// file means that our program is gone, however it went, kill -9 included; a
// line means that the wanted program has ended and the watcher may go too.
//
// TERM comes first because it ends a postmaster that has no handlers yet, INT
// makes the shutdown a fast one, QUIT is for one that hangs. The number they
// go to cannot have become somebody else's: it is also the number of the
// session the watcher is in, and a system gives none away that is in use so.
// The watcher is a grandchild, since a postmaster would wonder about a child
// it did not make.
//
// Linux could do with Pdeathsig, but that follows the thread that forked, not
// the program, and other systems lack it.
const leashScript = `
((
	exec </dev/null >/dev/null 2>&1
	read -r line <&3 && exit
	kill -TERM $$
	kill -INT $$
	tries=0
	while [ $tries -lt 5 ] && kill -0 $$; do
		sleep 1
		tries=$((tries+1))
	done
	kill -QUIT $$
)&)
exec "$@" 3<&-`

// leashed is a child process that does not outlive our program.
type leashed struct {
	cmd  *exec.Cmd
	line *os.File      // its closing is our program's end
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

// startLeashed starts cmd in a session of its own, so that a terminal's
// Ctrl-C reaches our program alone, which then stops things in its order.
func startLeashed(cmd *exec.Cmd) (*leashed, error) {
	ours, err := leash(cmd)
	if err != nil {
		return nil, err
	}
	l := &leashed{cmd: cmd, line: ours, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		ours.Close()
		cmd.ExtraFiles[0].Close()
		return nil, err
	}
	cmd.ExtraFiles[0].Close()
	go l.wait()
	return l, nil
}

// leash rewrites cmd to run under leashScript and returns our end of the pipe.
func leash(cmd *exec.Cmd) (*os.File, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Args = append([]string{"sh", "-c", leashScript, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.ExtraFiles = []*os.File{theirs}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	// A backend that outlives a killed postmaster holds the output pipe open.
	cmd.WaitDelay = time.Second
	return ours, nil
}

func (l *leashed) wait() {
	l.err = l.cmd.Wait()
	_, _ = l.line.WriteString("\n") // a watcher that is gone needs no word
	l.line.Close()
	close(l.done)
}

// shutDown asks for a fast shutdown and waits for it; when ctx ends first it
// ends the server at once and returns ctx's error.
func (l *leashed) shutDown(ctx context.Context) error {
	l.signal(syscall.SIGINT)
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		l.abort()
		return context.Cause(ctx)
	}
}

// abort ends the process without a checkpoint and waits for it. A postmaster
// gives its children five seconds before it kills them.
func (l *leashed) abort() {
	l.signal(syscall.SIGQUIT)
	select {
	case <-l.done:
	case <-time.After(immediateShutdown):
		l.killGroup()
	}
}

// killGroup ends the process and all it started in its session, and waits.
func (l *leashed) killGroup() {
	select {
	case <-l.done:
		return
	default:
	}
	_ = syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL)
	l.signal(syscall.SIGKILL)
	<-l.done
}

// signal goes through os.Process, which never signals a process that has been
// waited for, whoever has its number now.
func (l *leashed) signal(s syscall.Signal) { _ = l.cmd.Process.Signal(s) }
