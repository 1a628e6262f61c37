package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/lib/pq"
)

// reference is the transaction that webhooks are compared with, run by pgbench: insert the event,
// lock and update the subscription, commit.
type reference struct {
	env     *environment
	script  string // path
	payload string
}

const referenceScript = `\set n random(1, :organizations)
begin;
insert into reference_events (id, payload) values (gen_random_uuid()::text, :payload);
select id from reference_subscriptions where id = 'sub_' || :n for update;
update reference_subscriptions set as_of = now(), revision = revision + 1 where id = 'sub_' || :n;
commit;
`

// newReference creates the reference's tables. Its subscriptions are a copy of Usher's.
func (e *environment) newReference(ctx context.Context, payload string) (*reference, error) {
	for _, statement := range []string{
		`create table reference_events (id text primary key, payload text not null)`,
		`create table reference_subscriptions (like subscriptions including all)`,
		`insert into reference_subscriptions select * from subscriptions`,
		`vacuum analyze`,
	} {
		if _, err := e.store.DB().ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("create the reference's tables: %w", err)
		}
	}
	r := &reference{env: e, script: filepath.Join(e.folder, "reference.sql"), payload: payload}
	return r, os.WriteFile(r.script, []byte(referenceScript), 0o600)
}

var transactionRate = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// run measures the reference on a number of connections and returns transactions per second.
func (r *reference) run(ctx context.Context, connections int) (float64, error) {
	config, err := pq.NewConfig(r.env.server.DSN())
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, findPgbench(r.env.pgbench), "-n", "-M", "prepared",
		"-c", strconv.Itoa(connections), "-j", strconv.Itoa(min(connections, 2)), "-T", strconv.Itoa(int(r.env.duration.Seconds())),
		"-D", "organizations="+strconv.Itoa(r.env.organizations), "-D", "payload="+r.payload, "-f", r.script,
		"-h", config.Host, "-p", strconv.Itoa(int(config.Port)), "-U", config.User, config.Database)
	output, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("run pgbench: %w: %s", err, output)
	}
	found := transactionRate.FindSubmatch(output)
	if found == nil {
		return 0, fmt.Errorf("run pgbench: no rate in its output: %s", output)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// findPgbench returns the configured path, or searches for pgbench. It comes with PostgreSQL's
// server, which Debian installs outside of PATH.
func findPgbench(configured string) string {
	if configured != "" {
		return configured
	}
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench"); len(found) > 0 {
		return found[len(found)-1]
	}
	return "pgbench"
}
