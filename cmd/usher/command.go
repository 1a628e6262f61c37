package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// command is a subcommand.
type command struct {
	name    string
	usage   string // what follows the name; one line per form
	summary string
	run     func(context.Context, *invocation) error
}

// invocation is one call of a subcommand. The command declares its flags on flags and then calls
// parse.
type invocation struct {
	command        command
	flags          *flag.FlagSet
	args           []string
	asJSON         bool // --json, see jsonFlag
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// usageError is the error of a call with wrong arguments; the exit code is exitUsage.
type usageError string

func (e usageError) Error() string { return string(e) }

func newInvocation(
	c command, args []string, getenv func(string) string, stdout, stderr io.Writer,
) *invocation {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints errors and usage
	return &invocation{
		command: c, flags: flags, args: args, getenv: getenv, stdin: os.Stdin, stdout: stdout, stderr: stderr,
	}
}

// run runs the command, prints its error and returns the exit code.
func (inv *invocation) run(ctx context.Context) int {
	var usage usageError
	switch err := inv.command.run(ctx, inv); {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(inv.stdout, "usher %s: %s\n\n%s", inv.command.name, inv.command.summary, inv.usage())
		inv.flags.SetOutput(inv.stdout)
		inv.flags.PrintDefaults()
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(inv.stderr, "usher %s: %s\n%s", inv.command.name, usage, inv.usage())
		return exitUsage
	default:
		fmt.Fprintf(inv.stderr, "usher: %v\n", err)
		return exitFailed
	}
}

func (inv *invocation) usage() string {
	var text strings.Builder
	label := "usage:"
	for form := range strings.SplitSeq(inv.command.usage, "\n") {
		fmt.Fprintf(&text, "%-6s %s\n", label, strings.TrimSpace("usher "+inv.command.name+" "+form))
		label = ""
	}
	return text.String()
}

// parse parses the flags and returns the other arguments. Those may come before the flags, as in
// `usher plans push --json`, or after them.
func (inv *invocation) parse() ([]string, error) {
	n := 0
	for n < len(inv.args) && !strings.HasPrefix(inv.args[n], "-") {
		n++
	}
	if err := inv.flags.Parse(inv.args[n:]); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usageError(err.Error())
	}
	return append(inv.args[:n:n], inv.flags.Args()...), nil
}

// parseFlags parses the flags of a command that takes no other arguments.
func (inv *invocation) parseFlags() error {
	args, err := inv.parse()
	if err == nil && len(args) > 0 {
		err = usageError(fmt.Sprintf("takes no arguments, got %q", strings.Join(args, " ")))
	}
	return err
}

// jsonFlag declares --json for commands that call print.
func (inv *invocation) jsonFlag() {
	inv.flags.BoolVar(&inv.asJSON, "json", false, "print JSON")
}

// print writes v as JSON if --json is set, and else the text.
func (inv *invocation) print(v any, text string) error {
	if inv.asJSON {
		return json.NewEncoder(inv.stdout).Encode(v)
	}
	_, err := io.WriteString(inv.stdout, text)
	return err
}
