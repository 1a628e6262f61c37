package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// storm is all batches together.
type storm struct {
	options
	out io.Writer

	mutex           sync.Mutex
	faults          map[string]int
	played          int // histories
	done            int // batches
	killed          int
	databaseCrashes int
	divergences     []string
	judgedEarly     int // histories, before the last comparison
}

func newStorm(o options, out io.Writer) *storm {
	fmt.Fprintf(out, "storm: seed %d, %d histories, %d at a time in each of %d lanes\n", o.seed, o.histories, o.batch, o.lanes)
	return &storm{options: o, out: out, faults: map[string]int{}}
}

// play hands the batches out to the lanes. The first error ends all of them.
func (s *storm) play(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make(chan part)
	var group sync.WaitGroup
	for range s.lanes {
		group.Go(func() {
			l, err := openLane(ctx)
			if err == nil {
				err = l.play(ctx, s, parts)
				l.close()
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	for _, p := range s.parts() {
		select {
		case parts <- p:
		case <-ctx.Done():
		}
	}
	close(parts)
	group.Wait()
	return context.Cause(ctx)
}

// take adds up what a batch came to.
func (s *storm) take(w *world) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.played += len(w.histories)
	s.killed += w.killed
	s.databaseCrashes += w.databaseCrashes
	s.judgedEarly += w.judgedEarly
	s.divergences = append(s.divergences, w.divergences...)
	s.faults["answers about seats: lost after the act"] += w.late.cut
	s.faults["answers about seats: overtaken by another change"] += w.late.held
	for prefix, counts := range map[string]map[string]int{"webhooks ": w.courier.faults, "crashes: ": w.crashed, "Stripe: ": w.refused, "": w.others} {
		for what, n := range counts {
			s.faults[prefix+what] += n
		}
	}
}

func (s *storm) tell(p part, took time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.done++
	if s.verbose {
		fmt.Fprintf(s.out, "batch %d (seed %d) in %s, %d done, %d divergences so far\n", p.number+1, p.seed, took.Round(time.Millisecond), s.done, len(s.divergences))
	}
}

func (s *storm) report(took time.Duration) {
	fmt.Fprintf(s.out, "histories    %d\n", s.played)
	for _, what := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Fprintf(s.out, "fault        %s: %d\n", what, s.faults[what])
	}
	fmt.Fprintf(s.out, "judged early %d\nkills        %d\nrestarts     %d (of PostgreSQL, after a crash)\nminutes      %.1f\ndivergences  %d\n",
		s.judgedEarly, s.killed, s.databaseCrashes, took.Minutes(), len(s.divergences))
	for i, d := range s.divergences {
		if i == 20 {
			fmt.Fprintf(s.out, "  … and %d more\n", len(s.divergences)-i)
			break
		}
		fmt.Fprintln(s.out, "  "+d)
	}
	if len(s.divergences) == 0 {
		fmt.Fprintf(s.out, "replay       go run ./cmd/simulation -seed %d -histories %d -batch %d\n", s.seed, s.histories, s.batch)
	}
}
