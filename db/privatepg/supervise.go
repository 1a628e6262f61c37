package privatepg

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// supervisorScript starts a supervisor process and then executes the command. The supervisor reads
// from a pipe whose write end only the program holds. End of file means that the program has
// exited, in any way, kill -9 included; a line means that the command has exited and the supervisor
// can exit too.
//
// TERM comes first because it ends a postmaster that has no signal handlers yet, INT requests a
// fast shutdown, QUIT terminates a server that hangs. Their process id cannot have been reused: it
// is also the id of the session that the supervisor belongs to, and the kernel does not reuse such
// an id. The supervisor is a grandchild, since a postmaster does not expect children that it did
// not fork.
//
// Pdeathsig is not sufficient: it follows the thread that forked, not the process, and exists on
// Linux only.
const supervisorScript = `
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

// supervisedProcess is a child process that does not outlive the program.
type supervisedProcess struct {
	cmd  *exec.Cmd
	pipe *os.File      // closed by the kernel when the program exits
	done chan struct{} // closed when the process has exited
	err  error         // exit status; valid after done
}

// startSupervised starts cmd in a session of its own, so that Ctrl-C in a terminal signals only the
// program, which then stops its parts in order.
func startSupervised(cmd *exec.Cmd) (*supervisedProcess, error) {
	parent, err := supervise(cmd)
	if err != nil {
		return nil, err
	}
	p := &supervisedProcess{cmd: cmd, pipe: parent, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		parent.Close()
		cmd.ExtraFiles[0].Close()
		return nil, err
	}
	cmd.ExtraFiles[0].Close()
	go p.wait()
	return p, nil
}

// supervise rewrites cmd to run under supervisorScript and returns the write end of the pipe.
func supervise(cmd *exec.Cmd) (*os.File, error) {
	child, parent, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Args = append([]string{"sh", "-c", supervisorScript, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.ExtraFiles = []*os.File{child}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	// A backend that outlives a killed postmaster keeps the output pipe open.
	cmd.WaitDelay = time.Second
	return parent, nil
}

func (p *supervisedProcess) wait() {
	p.err = p.cmd.Wait()
	_, _ = p.pipe.WriteString("\n") // the supervisor may have exited
	p.pipe.Close()
	close(p.done)
}

// shutDown requests a fast shutdown and waits for the exit. If ctx ends first, it terminates the
// server and returns ctx's error.
func (p *supervisedProcess) shutDown(ctx context.Context) error {
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.abort()
		return context.Cause(ctx)
	}
}

// abort terminates the process without a checkpoint and waits for the exit. A postmaster kills its
// children after five seconds.
func (p *supervisedProcess) abort() {
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(immediateShutdownTimeout):
		p.killGroup()
	}
}

// killGroup kills the process group and waits for the exit.
func (p *supervisedProcess) killGroup() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal uses os.Process, which never signals a process that has been waited for, whose id may have
// been reused.
func (p *supervisedProcess) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }
