package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// engine is Supabase's sync engine, https://github.com/supabase/stripe-sync-engine. It copies the
// objects of webhooks into tables of the same PostgreSQL, and stores no event. A nil engine does
// nothing.
type engine struct {
	target
	process      *exec.Cmd
	comparisons  []string // lines of the table
	measurements []measurement
}

// startEngine starts the engine that make installs into a folder.
func (e *environment) startEngine(ctx context.Context, folder string) (*engine, error) {
	g := &engine{process: exec.CommandContext(ctx, "node", "serve_sync_engine.mjs")}
	g.process.Dir, g.process.Stderr = folder, os.Stderr
	g.process.Env = append(os.Environ(), "NODE_ENV=production", "POSTGRES="+e.server.DSN(), "WEBHOOK_SECRET="+webhookSecret,
		"CONNECTIONS="+strconv.Itoa(usherPoolSize))
	output, err := g.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.process.Start(); err != nil {
		return nil, fmt.Errorf("start the sync engine: %w", err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		_ = g.close()
		return nil, fmt.Errorf("start the sync engine (make installs it): %w", err)
	}
	g.target = target{strings.TrimSpace(line), g.process.Process.Pid}
	return g, nil
}

// warmUp sends webhooks to the engine that are not counted.
func (g *engine) warmUp(ctx context.Context, e *environment, clients int, send sendFunc) error {
	if g == nil {
		return nil
	}
	_, err := e.measure(ctx, g.target, clients, time.Second, send)
	return err
}

// measure measures the engine once.
func (g *engine) measure(ctx context.Context, e *environment, clients int, send sendFunc) error {
	if g == nil {
		return nil
	}
	m, err := e.measure(ctx, g.target, clients, e.duration, send)
	g.measurements = append(g.measurements, m)
	return err
}

// compare adds a line that compares the measurements with those of Usher, taken in turn.
func (g *engine) compare(clients int, usher []measurement) {
	if g == nil {
		return
	}
	var ratios []float64
	for i, m := range g.measurements {
		ratios = append(ratios, usher[i].rate/m.rate)
	}
	slices.Sort(ratios)
	m := median(g.measurements)
	g.comparisons = append(g.comparisons, fmt.Sprintf("%7d  %10.0f  %.1f (%.1f to %.1f)      %-8s  %-8s  %-8s  %-10s  %d",
		clients, m.rate, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1], m.p50.Round(10*time.Microsecond),
		m.p99.Round(10*time.Microsecond), m.cpu.program.Round(time.Microsecond), m.cpu.database.Round(time.Microsecond), m.failed))
	g.measurements = nil
}

// print prints the comparisons.
func (g *engine) print() {
	if g == nil {
		return
	}
	fmt.Println("\nSync engine                                                       CPU time per event")
	fmt.Println("clients  webhooks/s  Usher's ratio         p50       p99       engine    PostgreSQL  non-200")
	for _, line := range g.comparisons {
		fmt.Println(line)
	}
}

// close stops the engine.
func (g *engine) close() error {
	if g == nil {
		return nil
	}
	err := g.process.Process.Kill()
	_ = g.process.Wait() // it was killed
	return err
}
