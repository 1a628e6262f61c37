package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// simulation plays all batches and collects their results.
type simulation struct {
	options
	out     io.Writer
	results *results

	mutex   sync.Mutex
	batches int // played so far
}

func newSimulation(o options, out io.Writer) *simulation {
	return &simulation{options: o, out: out, results: newResults()}
}

// play distributes the batches over the shards. The first error stops all shards.
func (s *simulation) play(ctx context.Context) error {
	fmt.Fprintf(s.out, "simulation: %s, %d shards\n", s.command(), s.shards)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan batch)
	var group sync.WaitGroup
	for range s.shards {
		group.Go(func() {
			if err := s.playShard(ctx, batches); err != nil {
				cancel(err)
			}
		})
	}
	for _, b := range s.options.batches() {
		select {
		case batches <- b:
		case <-ctx.Done():
		}
	}
	close(batches)
	group.Wait()
	return context.Cause(ctx)
}

func (s *simulation) playShard(ctx context.Context, batches <-chan batch) error {
	sh, err := openShard(ctx)
	if err != nil {
		return err
	}
	defer sh.close()
	for b := range batches {
		start := time.Now()
		if err := s.playBatch(ctx, sh, b); err != nil {
			return fmt.Errorf("batch %d: %w", b.number+1, err)
		}
		s.progress(b, time.Since(start))
	}
	return nil
}

func (s *simulation) playBatch(ctx context.Context, sh *shard, b batch) error {
	ctx, cancel := context.WithCancel(ctx)
	env, err := openEnvironment(ctx, sh, b)
	if err == nil {
		err = env.play(ctx)
	}
	cancel() // stops the replicas, which close waits for
	s.results.add(env.results)
	s.printDivergences(env.results.divergences)
	env.close()
	return err
}

// printDivergences prints those of a batch at once, if the output is verbose.
func (s *simulation) printDivergences(divergences []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range divergences {
		if s.verbose {
			fmt.Fprintln(s.out, "  "+d)
		}
	}
}

func (s *simulation) progress(b batch, elapsed time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.batches++
	if s.verbose {
		fmt.Fprintf(s.out, "batch %d (seed %d) took %s, %d batches done, %d divergences so far\n",
			b.number+1, b.seed, elapsed.Round(time.Millisecond), s.batches, s.results.divergenceCount())
	}
}

// maxDivergencesPrinted limits the report.
const maxDivergencesPrinted = 20

func (s *simulation) report(elapsed time.Duration) {
	s.results.print(s.out)
	fmt.Fprintf(s.out, "minutes                 %.1f\ndivergences             %d\n",
		elapsed.Minutes(), len(s.results.divergences))
	for i, d := range s.results.divergences {
		if i == maxDivergencesPrinted {
			fmt.Fprintf(s.out, "  … and %d more\n", len(s.results.divergences)-i)
			break
		}
		fmt.Fprintln(s.out, "  "+d)
	}
	if len(s.results.divergences) == 0 {
		fmt.Fprintf(s.out, "repeat with             %s\n", s.command())
	}
}

// command returns the command that plays the same histories.
func (o options) command() string {
	if o.only != 0 {
		return fmt.Sprintf("go run ./cmd/simulation -only %d", o.only)
	}
	return fmt.Sprintf("go run ./cmd/simulation -seed %d -histories %d -batch %d", o.seed, o.histories, o.batch)
}
