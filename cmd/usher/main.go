// Command usher is the billing front of a product sold by the seat.
//
// Kept out: rules (package billing), SQL (package db), pages (packages handlers and views). Here is configuration, wiring, and a small
// file per subcommand.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program is what a subcommand gets from outside.
type program struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

// command is a subcommand: its flags are declared on set, and run is called once they are parsed.
type command struct {
	name    string
	summary string
	usage   string // what follows the name
	prepare func(set *flag.FlagSet) func(ctx context.Context, p program, args []string) error
}

// usageError is a call that can't be understood; the program exits with 2.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// commands lists the subcommands in the order help shows them.
func commands() []command {
	return []command{
		serveCommand(), migrateCommand(), plansCommand(), webhookCommand(), doctorCommand(), reconcileCommand(), eventsCommand(), userCommand(),
		stripeCommand(), clockCommand(), versionCommand(),
	}
}

// run is the whole program: it returns the exit code once everything it started has ended.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	p := program{getenv: getenv, stdout: stdout, stderr: stderr}
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		printHelp(stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == name {
			return c.execute(ctx, p, args)
		}
	}
	if name == "help" {
		printHelp(stdout)
		return exitOK
	}
	fmt.Fprintf(stderr, "usher: there is no subcommand %q; `usher help` lists them\n", name)
	return exitUsage
}

func (c command) execute(ctx context.Context, p program, args []string) int {
	set := flag.NewFlagSet("usher "+c.name, flag.ContinueOnError)
	set.SetOutput(p.stderr)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "usher %s: %s\n\nusage: usher %s %s\n", c.name, c.summary, c.name, c.usage)
		set.PrintDefaults()
	}
	do := c.prepare(set)
	if wantsHelp(args) {
		set.SetOutput(p.stdout)
	}
	flags, rest := splitArguments(args)
	switch err := set.Parse(flags); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	return report(p, c, do(ctx, p, append(rest, set.Args()...)))
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			return true
		}
	}
	return false
}

// splitArguments takes leading plain words off, so that `usher plans push --json` reads its flag too.
func splitArguments(args []string) (flags, rest []string) {
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		rest, args = append(rest, args[0]), args[1:]
	}
	return args, rest
}

// report prints an error and returns the exit code.
func report(p program, c command, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "usher %s: %s\nusage: usher %s %s\n", c.name, usage.message, c.name, c.usage)
		return exitUsage
	}
	fmt.Fprintf(p.stderr, "usher: %v\n", err)
	return exitFailed
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "Usher is the billing front of a product sold by the seat.\n\nusage: usher [subcommand] [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nWithout a subcommand: serve. `usher SUBCOMMAND --help` tells more; the README lists the environment variables.\n")
}

// noArguments refuses words that a subcommand does not take.
func noArguments(args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Sprintf("takes no arguments, got %q", strings.Join(args, " "))}
	}
	return nil
}
