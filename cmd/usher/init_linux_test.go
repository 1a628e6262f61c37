package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInitDoesNotShowTheKey types a key into a terminal.
func TestInitDoesNotShowTheKey(t *testing.T) {
	controller, terminal := openTerminal(t)
	s := &setup{invocation: &invocation{stdin: terminal, stdout: terminal}, answers: bufio.NewReader(terminal)}
	answered := make(chan string)
	go func() {
		defer close(answered)
		if line, err := s.answer(setupVariable{hidden: true}); err == nil {
			answered <- line
		}
	}()
	eventually(t, "the hidden prompt", func() bool { return !echoes(t, terminal) })
	if _, err := controller.WriteString("sk_test_typed\n"); err != nil {
		t.Fatal(err)
	}
	if line := <-answered; line != "sk_test_typed" {
		t.Errorf("read %q", line)
	}
	shown := make([]byte, 100)
	if n, err := controller.Read(shown); err != nil || strings.TrimSpace(string(shown[:n])) != "" {
		t.Errorf("the terminal shows %q, %v", shown[:n], err)
	}
}

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (controller, terminal *os.File) {
	t.Helper()
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { _ = controller.Close() })
	number, err := unix.IoctlGetInt(int(controller.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(controller.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return controller, terminal
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
