package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

const programPool = 10 // connections, as the program's own

// benchWebhook measures a signed POST to committed and applied, in turn with the reference transaction on as many connections.
func benchWebhook(ctx context.Context, o options) error {
	s, err := openStage(ctx, o)
	defer s.close() // what of it was opened
	if err != nil {
		return err
	}
	t, price, err := s.newTemplate(ctx)
	if err != nil {
		return err
	}
	if err := s.fill(ctx, price); err != nil {
		return err
	}
	reference, err := s.newReference(ctx, string(t.next(1)))
	if err != nil {
		return err
	}
	fmt.Printf("%d organizations, events of %d bytes, %d rounds of %s each, in turn; pool of %d, fsync on\n\n", o.organizations, len(t.next(1)), o.rounds, o.length, programPool)
	fmt.Println("                                                                              CPU per event")
	fmt.Println("clients  webhooks/s  reference/s  ratio (least to most)  p50       p99       Usher     PostgreSQL  client    non-200")
	for _, clients := range []int{1, 16, 32} {
		if err := s.compare(ctx, t, reference, clients); err != nil {
			return err
		}
	}
	return s.printRows(ctx)
}

// compare posts events about organizations picked by chance, in turn with the reference.
func (s *stage) compare(ctx context.Context, t *template, r *reference, clients int) error {
	event := func(c *client) (int, error) { return c.post(t.next(1 + rand.IntN(s.organizations))) }
	if _, err := s.load(ctx, s.target(), clients, time.Second, event); err != nil { // warm
		return err
	}
	var ours []measured
	var theirs, ratios []float64
	for range s.rounds {
		base, err := r.run(ctx, min(clients, programPool))
		if err != nil {
			return err
		}
		m, err := s.load(ctx, s.target(), clients, s.length, event)
		if err != nil {
			return err
		}
		ours, theirs, ratios = append(ours, m), append(theirs, base), append(ratios, m.rate/base)
	}
	slices.Sort(theirs)
	slices.Sort(ratios)
	m := median(ours)
	fmt.Printf("%7d  %10.0f  %11.0f  %4.0f %% (%.0f to %.0f)%s  %-8s  %-8s  %-8s  %-10s  %-8s  %d\n", clients, m.rate, theirs[len(theirs)/2],
		100*ratios[len(ratios)/2], 100*ratios[0], 100*ratios[len(ratios)-1], strings.Repeat(" ", 6),
		m.p50.Round(10*time.Microsecond), m.p99.Round(10*time.Microsecond),
		m.cpu.program.Round(time.Microsecond), m.cpu.database.Round(time.Microsecond), m.cpu.client.Round(time.Microsecond), m.refused)
	return nil
}

// reference is the fixed transaction everything is held against: insert the event, lock and update the subscription, commit.
type reference struct {
	stage   *stage
	script  string
	payload string
}

const referenceScript = `\set n random(1, :organizations)
begin;
insert into reference_events (id, payload) values (gen_random_uuid()::text, :payload);
select id from reference_subscriptions where id = 'sub_' || :n for update;
update reference_subscriptions set as_of = now(), revision = revision + 1 where id = 'sub_' || :n;
commit;
`

func (s *stage) newReference(ctx context.Context, payload string) (*reference, error) {
	for _, statement := range []string{
		`create table reference_events (id text primary key, payload text not null)`,
		`create table reference_subscriptions (like subscriptions including all)`,
		`insert into reference_subscriptions select * from subscriptions`,
		`vacuum analyze`,
	} {
		if _, err := s.store.DB().ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	r := &reference{stage: s, script: filepath.Join(s.folder, "reference.sql"), payload: payload}
	return r, os.WriteFile(r.script, []byte(referenceScript), 0o600)
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// run measures the reference on so many connections, in transactions a second.
func (r *reference) run(ctx context.Context, clients int) (float64, error) {
	config, err := pq.NewConfig(r.stage.server.DSN())
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, r.pgbench(), "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)),
		"-T", strconv.Itoa(int(r.stage.length.Seconds())), "-D", "organizations="+strconv.Itoa(r.stage.organizations), "-D", "payload="+r.payload,
		"-f", r.script, "-h", config.Host, "-p", strconv.Itoa(int(config.Port)), "-U", config.User, config.Database)
	said, err := command.CombinedOutput()
	found := tps.FindSubmatch(said)
	if err != nil || found == nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, said)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// pgbench comes with PostgreSQL's server, in a folder that is on no path on some systems.
func (r *reference) pgbench() string {
	if r.stage.options.pgbench != "" {
		return r.stage.options.pgbench
	}
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench"); len(found) > 0 {
		return found[len(found)-1]
	}
	return "pgbench"
}

// printRows says what became of the events: every 200 is a row.
func (s *stage) printRows(ctx context.Context) error {
	var lines []string
	err := s.store.DB().SelectContext(ctx, &lines, `select format('%s %s', outcome, count(*)) from stripe_events group by outcome order by outcome`)
	fmt.Printf("\nevents in the inbox: %s\n", strings.Join(lines, ", "))
	return err
}
