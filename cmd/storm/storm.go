package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"usher/db"
	"usher/db/privatepg"
)

// storm is all batches together.
type storm struct {
	options
	out         io.Writer
	folder      string
	server      *privatepg.Server
	faults      map[string]int
	played      int // histories
	killed      int
	divergences []string
	judgedEarly int // histories, before the last comparison
}

const templateName = "usher" // the private PostgreSQL's own database; the batches' are clones of it

func newStorm(ctx context.Context, o options, out io.Writer) (*storm, error) {
	s := &storm{options: o, out: out, faults: map[string]int{}}
	var err error
	if s.folder, err = os.MkdirTemp("", "usher-storm-"); err != nil {
		return nil, err
	}
	if s.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: s.folder}); err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, s.server.DSN()); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "storm: seed %d, %d histories, %d at a time\n", o.seed, o.histories, o.batch)
	return s, nil
}

func (s *storm) play(ctx context.Context) error {
	batches := (s.histories + s.batch - 1) / s.batch
	for n := range batches {
		kills := s.kills*(n+1)/batches - s.kills*n/batches
		seed := s.seed + uint64(n)
		if s.only != 0 {
			seed = s.only / 1_000_000
		}
		began := time.Now()
		w, err := s.openWorld(ctx, seed, kills)
		if err == nil {
			err = w.play()
			s.take(w)
			w.close()
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", n, err)
		}
		if s.verbose {
			fmt.Fprintf(s.out, "batch %d of %d: %s, %d divergences so far\n", n+1, batches, time.Since(began).Round(time.Millisecond), len(s.divergences))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// take adds up what a batch came to.
func (s *storm) take(w *world) {
	s.played += len(w.histories)
	s.killed += w.killed
	for what, n := range w.courier.faults {
		s.faults["webhooks "+what] += n
	}
	for what, n := range w.crashed {
		s.faults["crashes: "+what] += n
	}
	s.faults["answers about seats: lost after the act"] += w.late.cut
	s.faults["answers about seats: overtaken by another change"] += w.late.held
	for what, n := range w.refused {
		s.faults["Stripe: "+what] += n
	}
	s.divergences = append(s.divergences, w.divergences...)
	s.judgedEarly += w.judgedEarly
}

func (s *storm) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = s.server.Stop(ctx)
	_ = os.RemoveAll(s.folder)
}

func (s *storm) report(took time.Duration) {
	fmt.Fprintf(s.out, "histories    %d\n", s.played)
	for _, what := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Fprintf(s.out, "fault        %s: %d\n", what, s.faults[what])
	}
	fmt.Fprintf(s.out, "judged early %d\nkills        %d\nminutes      %.1f\ndivergences  %d\n", s.judgedEarly, s.killed, took.Minutes(), len(s.divergences))
	for i, d := range s.divergences {
		if i == 20 {
			fmt.Fprintf(s.out, "  … and %d more\n", len(s.divergences)-i)
			break
		}
		fmt.Fprintln(s.out, "  "+d)
	}
	if len(s.divergences) == 0 {
		fmt.Fprintf(s.out, "replay       go run ./cmd/storm -seed %d -histories %d -batch %d\n", s.seed, s.histories, s.batch)
	}
}

// drop removes a database that nobody uses any more; what can't be removed goes with the server.
func (s *storm) drop(ctx context.Context, database string) {
	admin, err := db.Open(ctx, s.dsnOf("postgres"))
	if err != nil {
		return
	}
	defer admin.Close()
	_, _ = admin.DB().ExecContext(ctx, `drop database if exists `+database+` with (force)`)
}

// dsnOf names another database of the same server.
func (s *storm) dsnOf(database string) string {
	return strings.Replace(s.server.DSN(), "dbname='"+templateName+"'", "dbname='"+database+"'", 1)
}
