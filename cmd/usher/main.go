// Command usher serves the billing front of a product sold by the seat, and has subcommands to set
// it up and operate it.
//
// The package holds configuration, wiring and one file per subcommand. Rules belong in package
// billing, SQL in package db, pages in packages handlers and views. Start reading at run and
// runServe.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"usher/billing/account"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands lists the subcommands in the order of the help text.
var commands = []command{
	{"serve", "", "run the web application (the default)", runServe},
	{"init", "[--yes] [--env FILE] [--key-file FILE] [--database URL] [--address URL] [--mail URL] [--plans push|pull|keep]",
		"set an installation up: settings, database, plans, webhook", runInit},
	{"migrate", "", "apply the database migrations", runMigrate},
	{"plans", "diff|push|pull [--json]", "compare the plans with Stripe, create what is missing there, or write a plan file from Stripe",
		runPlans},
	{"webhook", "setup [--json]", "create or update the webhook endpoint at Stripe", runWebhook},
	{"doctor", "[--json]", "check configuration, database, Stripe and mail server", runDoctor},
	{"healthcheck", "[--ready]", "fail unless the server with the same ADDR answers", runHealthcheck},
	{"reconcile", "[--dry-run] [--org ID] [--json]", "compare with Stripe and repair differences",
		runReconcile},
	{"import", "stripe [--dry-run] [--calls-per-second N] [--max-calls N] [--invite-again] [--json]",
		"make organizations of Stripe's customers", runImport},
	{"adopt", "--customer cus_… --org org_… [--dry-run] [--json]", "link a customer at Stripe to an organization",
		runLinkCustomer},
	{"api-key", "create --name NAME --scopes SCOPES (--org ID | --all) [--expires DAY] [--json]\nlist (--org ID | --all) [--json]\nrevoke KEY [--json]", "create, list and revoke API keys", runAPIKey},
	{"domain", "remove DOMAIN [--json]", "remove a verified domain from its organization", runDomain},
	{"events", "list [--outcome O] [--type T] [--org ID] [--object ID] [--limit N] [--json]\n" +
		"show ID [--json]\nreplay ID", "list stored Stripe events, or process one again", runEvents},
	{"user", "create EMAIL --name NAME --new-org NAME [--password-file FILE] [--json]\n" +
		"create EMAIL --name NAME --org ID [--role ROLE] [--billable] [--password-file FILE] [--json]\n" +
		"promote EMAIL [--org ID [--role ROLE]] [--json]\n" +
		"end-sessions EMAIL [--json]\nreset-2fa EMAIL [--json]\nunlink EMAIL [--json]",
		"create a user, change a user's role, sign a user out, or remove their second factor", runUser},
	{"handover-key", "[--json]", "make a key for hand-over tokens (HANDOVER_KEY)", runHandoverKey},
	{"secrets", "reseal [--json]", "seal stored secrets again with the newest SECRETS_KEY", runSecrets},
	{"audit", "erase USER [--email ADDRESS] [--json]", "erase a person from the audit log", runAudit},
	{"stripe", "[--addr ADDRESS] [--origin URL] [--state FILE] [--seed FILE] [--speed N] [--allow-origin ORIGINS] [--webhook URL --secret SECRET]",
		"run the local Stripe alone, for any Stripe SDK", runStripe},
	{"clock", "advance SPAN [--json]   (SPAN: 3 days, 1 month, 1 year …)",
		"advance the clock of the running local Stripe", runClock},
	{"version", "[--json]", "print the version", runVersion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the subcommand that args name, by default serve, and returns the exit code. Everything
// it started has stopped by then.
func run(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer,
) int {
	name := "serve"
	if len(args) > 0 && (!strings.HasPrefix(args[0], "-") || isHelpFlag(args[0])) {
		name, args = args[0], args[1:]
	}
	for _, c := range commands {
		if c.name == name {
			return newInvocation(c, args, getenv, stdout, stderr).run(withOrigin(ctx, c))
		}
	}
	if name == "help" || isHelpFlag(name) {
		printHelp(stdout)
		return exitOK
	}
	fmt.Fprintf(stderr, "usher: unknown subcommand %q; `usher help` lists them\n", name)
	return exitUsage
}

// withOrigin names the subcommand as the actor of what it does. The server's acts have the origin
// of their request, or none.
func withOrigin(ctx context.Context, c command) context.Context {
	if c.name == "serve" {
		return ctx
	}
	return account.WithOrigin(ctx, account.Origin{Kind: account.ActorCommand, Name: "usher " + c.name})
}

func isHelpFlag(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func printHelp(w io.Writer) {
	fmt.Fprint(w, "Usher is the billing front of a product sold by the seat.\n\n",
		"usage: usher [subcommand] [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nThe default is serve. `usher SUBCOMMAND --help` prints its flags. "+
		"docs/configuration.md\nlists the environment variables.\n")
}
